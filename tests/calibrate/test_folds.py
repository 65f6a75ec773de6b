import numpy as np
import pytest

from inferometer.calibrate.folds import Fold, quantiles, stretched
from inferometer.calibrate.measurement import Row
from inferometer.calibrate.verdict import Verdict


def fold(name: str, shift: float, spread: float = 0.1) -> Fold:
    errors = shift + spread * np.random.default_rng(len(name)).normal(size=400)
    row = Row(key="r", source="lab", family=name, gpu="g", model="m", cells={}, metrics={},
              layout="serving")  # fmt: skip
    found = tuple(
        Verdict(
            row=row,
            metric="tpot_ms_p50",
            measured=1.0,
            predicted=float(np.exp(error)),
            load="closed",
        )
        for error in errors
    )
    return Fold(split="family", name=name, verdicts=found)


def test_folds_of_one_kind_need_no_wider_intervals() -> None:
    folds = [fold(name, 0.0) for name in ("a", "bb", "ccc", "dddd")]
    assert stretched(folds) == pytest.approx(1.0, abs=0.05)


def test_folds_that_differ_need_wider_ones() -> None:
    shifts = {"a": -0.4, "bb": 0.5, "ccc": 0.1, "dddd": -0.2}
    assert stretched([fold(name, shift) for name, shift in shifts.items()]) > 1.1


def test_one_fold_alone_says_nothing() -> None:
    assert stretched([fold("a", 0.3)]) == 1.0


def test_weights_move_quantiles() -> None:
    values, weights = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 100.0])
    assert quantiles(values, weights, (0.5,))[0] > 2.4
