import math

import numpy as np
import pytest

from inferometer.calibrate.intervals import quantiles
from inferometer.calibrate.measurement import Row
from inferometer.calibrate.regret import choices
from inferometer.calibrate.score import scores
from inferometer.calibrate.verdict import Verdict


def verdict(family: str, error: float, **more: object) -> Verdict:
    row = Row(key="r", source="lab", family=family, gpu="g", model="m", cells={}, metrics={},
              layout="serving")  # fmt: skip
    return Verdict(
        row=row, metric="tpot_ms_p50", measured=10.0, predicted=10 * math.exp(error),
        lower=9.0, upper=11.0, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def test_cells_count_alike_whatever_their_size() -> None:
    many = [verdict("big", 0.1)] * 99
    (score,) = scores([*many, verdict("small", -0.5)])
    assert score.median == pytest.approx((0.1 + 0.5) / 2)
    assert score.bias == pytest.approx((0.1 - 0.5) / 2)
    assert (score.rows, score.cells, score.coverage) == (100, 2, 1.0)


def test_refusals_lower_coverage_and_not_the_error() -> None:
    refused = Verdict(row=verdict("a", 0).row, metric="tpot_ms_p50", measured=10.0, reason="no")
    (score,) = scores([verdict("a", 0.2), refused])
    assert score.coverage == 0.5
    assert score.median == pytest.approx(0.2)


def test_groups_split_by_dimension() -> None:
    found = scores([verdict("a", 0.1), verdict("b", 0.3)], ("family",))
    assert [(s.group, round(s.median, 6)) for s in found] == [(("a",), 0.1), (("b",), 0.3)]


def test_weighted_quantiles_of_equal_weights_are_the_plain_ones() -> None:
    values = np.random.default_rng(1).normal(size=2001)
    found = quantiles(values, np.ones_like(values), (0.1, 0.5, 0.9))
    np.testing.assert_allclose(found, np.quantile(values, (0.1, 0.5, 0.9)), atol=0.02)


def option(
    key: str, clients: int, measured: tuple[float, float], said: tuple[float, float]
) -> list[Verdict]:
    cells = {"isl": "1000", "osl": "101", "concurrency_or_rate": str(clients), "num_gpus": "1"}
    row = Row(key=key, source="lab", family="f", gpu="H100-SXM", model="m", cells=cells, metrics={},
              layout="serving")  # fmt: skip
    names = ("ttft_ms_p50", "tpot_ms_p50")
    return [
        Verdict(row=row, metric=name, measured=m, predicted=p)
        for name, m, p in zip(names, measured, said, strict=True)
    ]


def test_regret_is_the_cost_of_the_wrong_choice() -> None:
    # Per accelerator: "slow" serves 10 clients in 1100 ms, "fast" 30 clients in 2100 ms.
    slow = option("slow", 10, (100, 10), (100, 10))
    fast = option("fast", 30, (100, 20), (9000, 20))
    found = {choice.tpot_limit_ms: choice for choice in choices([*slow, *fast])}
    assert 15.0 not in found  # one configuration alone meets 15 ms: nothing to decide
    assert (found[30.0].chosen, found[30.0].best) == ("slow", "fast")
    assert found[30.0].regret == pytest.approx((30 / 2100) / (10 / 1100) - 1)
