import numpy as np
import pytest

from inferometer.perf.goodput import goodput_fraction
from inferometer.workload.slo import Slo, parse_target

QUANTILES = np.array([[1.0, 1.0, 2.0, 4.0]])  # mean, p50, p90, p99


def test_requests_that_miss_different_limits_all_count() -> None:
    both = Slo(targets=(parse_target("ttft p99 <= 2 s"), parse_target("tpot p99 <= 2 s")))
    share = goodput_fraction(both, {"ttft": QUANTILES, "tpot": QUANTILES})
    assert share == pytest.approx([0.8], abs=1e-3)  # a tenth misses each


def test_one_limit_is_met_by_the_share_of_its_quantile() -> None:
    one = Slo(targets=(parse_target("ttft p99 <= 4 s"),))
    assert goodput_fraction(one, {"ttft": QUANTILES}) == pytest.approx([0.99], abs=1e-3)


def test_a_share_is_never_below_zero() -> None:
    hopeless = Slo(targets=(parse_target("ttft p99 <= 1 s"), parse_target("tpot p99 <= 1 ms")))
    assert goodput_fraction(hopeless, {"ttft": QUANTILES, "tpot": QUANTILES}).tolist() == [0.0]
