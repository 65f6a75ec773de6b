"""Renting: commitments against demand, spot with its losses, terms, egress."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.account.cloud import (
    Preemption,
    break_point,
    committed_rate,
    committed_use,
    egress_rate,
    spot_factor,
    spot_rate,
)
from inferometer.errors import ScenarioError

HOUR, YEAR = 3600.0, 8760 * 3600.0
hours = st.lists(st.integers(0, 12), min_size=1, max_size=40)


@given(needed=hours, committed=st.floats(0.05, 2.0))
def test_no_other_commitment_is_cheaper(needed: list[int], committed: float) -> None:
    # The oracle tries every count.
    found = committed_use(needed, committed, on_demand=1.0)

    def rate(count: int) -> float:
        return count * committed + sum(max(n - count, 0) for n in needed) / len(needed)

    assert found.rate == pytest.approx(rate(found.committed))
    assert found.rate == pytest.approx(min(rate(count) for count in range(14)))


def test_lenovos_three_year_price_pays_from_55_percent_of_the_time() -> None:
    # LP2225: 53.95 against 98.32 USD/h.
    assert break_point(53.95, 98.32) == pytest.approx(0.5487, abs=1e-4)


def test_a_term_is_paid_to_its_end() -> None:
    assert committed_rate(1.0, 3 * YEAR, 3 * YEAR) == pytest.approx(1.0)
    assert committed_rate(1.0, 3 * YEAR, 4 * YEAR) == pytest.approx(6 / 4)
    assert committed_rate(1.0, 0.0, YEAR) == 1.0


def test_spot_factor_is_that_of_a_simulated_machine() -> None:
    # Played: run for an exponential time, lose the last 5 minutes, pay 6 minutes of restart.
    random = np.random.default_rng(3)
    ups = random.exponential(2 * HOUR, 200_000)
    paid = (ups + 360).sum()
    useful = (ups - 300).sum()
    found = spot_factor(Preemption(rate=1 / (2 * HOUR), restart=360.0, lost=300.0))
    assert found == pytest.approx(paid / useful, rel=0.01)


def test_spot_without_losses_costs_its_price() -> None:
    assert spot_rate(1.0, 3.0, Preemption(rate=0.0, restart=600.0)) == 1.0
    assert spot_rate(1.0, 3.0, Preemption(rate=0.0, restart=0.0, fallback=0.25)) == 1.5


def test_egress() -> None:
    # 1,000 tok/s of 250 B at 9 cents a GB: 0.9 GB an hour.
    assert egress_rate(1_000, 250, 0.09e-9) * HOUR == pytest.approx(0.081)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (committed_use, ([], 1.0, 1.0)),
        (committed_use, ([-1], 1.0, 1.0)),
        (committed_use, ([1], 0.0, 1.0)),
        (committed_use, ([1], 1.0, math.nan)),
        (committed_rate, (1.0, YEAR, 0.0)),
        (egress_rate, (-1.0, 250, 0.1)),
        (spot_rate, (0.0, 1.0, Preemption(rate=0.0, restart=0.0))),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_bad_input_never_produces_a_number(
    function: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    with pytest.raises(ScenarioError):
        function(*arguments)


@pytest.mark.parametrize(
    "fields",
    [
        {"rate": 1.0, "restart": 1.0, "lost": 1.0},
        {"rate": -1.0, "restart": 1.0},
        {"rate": 0.0, "restart": 1.0, "fallback": 1.1},
    ],
    ids=str,
)
def test_impossible_preemptions_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match="spot"):
        Preemption(**fields)
