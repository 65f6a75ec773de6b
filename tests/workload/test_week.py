"""The hours of a week from a workload's rate over time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_cases import shape

from inferometer.errors import WorkloadError
from inferometer.workload.shape import Shape
from inferometer.workload.week import DAY, HOUR, WEEK, week_of


def over(hours: np.ndarray, bin_width: float = 600.0) -> Shape:
    """Return a workload with the rates of these hours."""
    series = np.repeat(hours, int(HOUR / bin_width)).astype(np.float64)
    rate = float(series.mean())
    return replace(
        shape(rate), series=series, bin_width=bin_width, rate=rate,
        peak_rate=float(series.max()), span=len(series) * bin_width,
    )  # fmt: skip


def test_a_day_repeats() -> None:
    day = np.arange(24) + 1.0
    rates, made_from = week_of(over(day))
    assert rates == pytest.approx(np.tile(day, 7))
    assert "every day the same" in made_from


def test_a_day_that_starts_at_noon_is_turned_to_midnight() -> None:
    day = np.arange(24) + 1.0
    rates, _ = week_of(over(np.roll(day, -12)), start=12 * HOUR)
    assert rates[:24] == pytest.approx(day)


def test_two_weeks_fold_onto_one() -> None:
    week = np.arange(168) + 1.0
    rates, made_from = week_of(over(np.concatenate((0.5 * week, 1.5 * week))))
    assert rates == pytest.approx(week)
    assert "of the week" in made_from


def test_an_hour_says_nothing_of_days() -> None:
    rates, made_from = week_of(shape(20.0))
    assert (rates == 20.0).all()
    assert "flat" in made_from


@given(hours=st.integers(1, 400), start=st.floats(0, WEEK - 1), seed=st.integers(0, 99))
def test_the_mean_is_the_workload_s(hours: int, start: float, seed: int) -> None:
    load = over(np.random.default_rng(seed).uniform(0.5, 2.0, hours))
    rates, _ = week_of(load, start)
    assert len(rates) == 168
    assert rates.mean() == pytest.approx(load.rate)
    assert (rates >= 0).all()


@pytest.mark.parametrize("start", [-1.0, WEEK, 8 * DAY])
def test_a_start_outside_a_week_is_refused(start: float) -> None:
    with pytest.raises(WorkloadError, match="within a week"):
        week_of(shape(1.0), start)
