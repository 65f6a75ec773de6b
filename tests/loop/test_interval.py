import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from inferometer.errors import ScenarioError
from inferometer.loop.interval import NORMAL, STUDENT, interval, saving, student

COSTS = st.lists(st.floats(0.1, 100.0), min_size=2, max_size=8)


def test_a_textbook_interval() -> None:
    """Four weighings of 9.8, 10.2, 10.4, 9.8 g: s = 0.3, so 10.05 -+ 3.182 x 0.3 / 2."""
    found = interval([9.8, 10.2, 10.4, 9.8])
    assert found.mean == pytest.approx(10.05)
    assert found.high - found.mean == pytest.approx(3.182 * 0.3 / 2, rel=1e-6)


def test_the_table_is_the_distribution() -> None:
    for freedom, listed in STUDENT.items():
        assert listed == pytest.approx(stats.t.ppf(0.975, freedom), abs=6e-4), freedom
    assert pytest.approx(stats.norm.ppf(0.975), abs=6e-4) == NORMAL


@given(COSTS)
def test_nothing_saves_nothing(costs: list[float]) -> None:
    found = saving(costs, costs)
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


@given(COSTS, st.floats(0.2, 5.0))
def test_a_constant_factor_is_certain_and_scale_does_not_matter(
    costs: list[float], factor: float
) -> None:
    found = saving(costs, [cost * factor for cost in costs])
    assert found.mean == pytest.approx(1 - factor, abs=1e-6)
    assert found.high - found.low == pytest.approx(0, abs=1e-5)


@given(COSTS, COSTS)
def test_the_mean_lies_inside(before: list[float], after: list[float]) -> None:
    size = min(len(before), len(after))
    found = saving(before[:size], after[:size])
    assert found.low <= found.mean <= found.high <= 1 or math.isclose(found.low, found.high)


def test_what_has_no_interval_is_refused() -> None:
    for before, after in (([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, 0.0], [1.0, 1.0])):
        with pytest.raises(ScenarioError):
            saving(before, after)
    assert student(40) < student(30) < student(14) <= student(11)
