"""Waits: the textbook's for one server, and numbers whatever the load."""

import numpy as np
import pytest

from inferometer.perf.demand import LEVELS
from inferometer.perf.queueing import wait_quantiles, waiting


def test_one_server_waits_as_m_m_1() -> None:
    """P(wait > t) = rho e^(-(1 - rho) t / S), whose mean is rho S / (1 - rho)."""
    load = np.array([0.5, 0.99])
    one = np.ones_like(load)
    found = wait_quantiles(*waiting(load, one, one, one))
    assert found[:, 0] == pytest.approx(load / (1 - load))
    exact = np.log(load[:, None] / (1 - np.array(LEVELS))) / (1 - load[:, None])
    assert found[:, 1:] == pytest.approx(np.maximum(exact, 0.0))


@pytest.mark.parametrize("load", [0.0, 1e-300, 1e-9, 1 - 1e-12, 1.0, 2.0])
@pytest.mark.parametrize("servers", [1.0, 256.0, 1e6])
def test_no_load_makes_a_wait_that_is_no_number(load: float, servers: float) -> None:
    """Among many servers the probability of waiting underflows; then nobody waits."""
    one = np.ones(1)
    found = wait_quantiles(*waiting(load * one, one, servers * one, one))
    assert (np.diff(found[:, 1:]) >= 0).all() if load < 1 else np.isinf(found).all()
    assert (found >= 0).all()
