"""Differences of paired runs."""

import numpy as np
import pytest

from inferometer.errors import ScenarioError
from inferometer.simulate.comparison import paired


def test_pairs_see_through_what_both_share() -> None:
    random = np.random.default_rng(0)
    shared = random.normal(100, 30, 12)
    second = shared - 2 + random.normal(0, 0.5, 12)
    found = paired("x", shared.tolist(), second.tolist())
    assert found.certain
    assert found.low < -2 < found.high
    assert found.change == pytest.approx(found.second - found.first)


def test_intervals_cover_the_truth_nearly_as_often_as_they_say() -> None:
    random = np.random.default_rng(1)
    draws = random.normal(1, 1, (200, 15))
    found = [paired("x", [0.0] * 15, row.tolist()) for row in draws]
    covered = np.mean([item.low <= 1 <= item.high for item in found])
    assert 0.86 <= covered <= 0.98


def test_runs_must_pair() -> None:
    with pytest.raises(ScenarioError, match="runs"):
        paired("x", [1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ScenarioError, match="3 at least"):
        paired("x", [1.0], [2.0])
