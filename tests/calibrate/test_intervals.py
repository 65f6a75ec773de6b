"""Intervals that cover groups which no one has seen."""

import datetime as dt

import numpy as np
import pytest

from inferometer.calibrate.folds import Fold
from inferometer.calibrate.intervals import (
    ALONE,
    Held,
    basis,
    interval,
    quantiles,
    residuals,
    stretch,
)
from inferometer.calibrate.measurement import Row
from inferometer.calibrate.verdict import Verdict
from inferometer.catalog.source import Source

SOURCE = Source(source="test", as_of=dt.date(2026, 1, 1))


def group(name: str, shift: float, spread: float = 0.1, rows: int = 400) -> list[Held]:
    seed = sum(map(ord, name))
    ratios = shift + spread * np.random.default_rng(seed).normal(size=rows)
    return [Held(name, ("lab", name, "g"), float(ratio)) for ratio in ratios]


def groups(shifts: list[float]) -> list[Held]:
    return [row for place, shift in enumerate(shifts) for row in group(f"g{place}", shift)]


def test_groups_of_one_kind_need_no_wider_intervals() -> None:
    assert stretch(groups([0.0] * 5)) == pytest.approx(1.0, abs=0.05)


def test_groups_that_differ_need_wider_ones() -> None:
    assert stretch(groups([-0.4, 0.5, 0.1, -0.2])) > 1.1


def test_one_group_alone_is_stretched_by_the_law_of_one_degree_of_freedom() -> None:
    assert stretch(group("a", 0.3)) == ALONE


def test_intervals_cover_groups_that_were_not_seen() -> None:
    # Groups whose shifts are as wide as their rows: what plain quantiles of few groups miss.
    random = np.random.default_rng(1)
    covered = list[float]()
    for _ in range(60):
        shifts = random.normal(scale=0.3, size=7).tolist()
        low, high = interval(groups(shifts[:-1]))
        unseen = np.array([row.ratio for row in group("new", shifts[-1])])
        covered.append(float(((unseen >= low) & (unseen <= high)).mean()))
    assert 0.75 <= np.mean(covered) <= 0.9


def test_a_load_with_few_groups_borrows_from_its_quantity() -> None:
    held = {("tpot", "closed"): groups([0.0, 0.1, 0.2]), ("tpot", "open"): group("a", 1.0, rows=30)}
    assert basis(held, "tpot", "closed") is held["tpot", "closed"]
    assert len(basis(held, "tpot", "open")) == 3 * 400 + 30
    assert basis(held, "ttft", "open") == ()


def fold(name: str, shift: float, split: str = "family") -> Fold:
    row = Row(key="r", source="lab", family=name, gpu="g", model="m", cells={}, metrics={},
              layout="serving")  # fmt: skip
    found = tuple(
        Verdict(row=row, metric="tpot_ms_p50", measured=float(np.exp(held.ratio)), predicted=1.0,
                load="closed")
        for held in group(name, shift, rows=40)
    )  # fmt: skip
    return Fold(split=split, name=name, verdicts=found)


def test_residuals_are_ratios_of_measured_to_predicted_by_novelty() -> None:
    names = ("a", "b", "c", "d")
    folds = [fold(name, 0.5) for name in names]
    folds += [fold(name, 0.0, "accelerator") for name in names]
    found = {one.key: one for one in residuals(folds, SOURCE)}
    model, both = found["tpot.closed.new-model"], found["tpot.closed.new-both"]
    assert model.low < np.exp(0.5) < model.high
    assert found["tpot.closed.new-accelerator"].low < 1 < found["tpot.closed.new-accelerator"].high
    assert both.low <= min(model.low, found["tpot.closed.new-accelerator"].low)
    assert {"tpot.any.new-model", "any.any.new-model"} <= set(found)


def test_weights_move_quantiles() -> None:
    values, weights = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 100.0])
    assert quantiles(values, weights, (0.5,))[0] > 2.4
