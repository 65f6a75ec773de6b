"""Where a week's capacity goes: buckets that add up, policies that are ordered."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.errors import ScenarioError
from inferometer.plan.provision import Operating, Week, provision, replicas_needed

DAY = Week(
    rates=np.tile([1.0] * 12 + [5.0] * 12, 7), burst=1.2, within=2.0, capacity=2.5
)  # 1 replica by night, 3 by day


def test_a_day_by_hand() -> None:
    found = provision(DAY, Operating(scaling="hourly", spares=1, cold_start=360.0))
    # Mean of 1 and 3 replicas and a spare; two starts a day of a tenth of an hour in 24 hours.
    assert found.peak == 3
    assert found.starts == 14
    assert found.cold == pytest.approx(2 * 0.1 / 24)
    assert found.work == pytest.approx(3.0 / 2.5)
    assert found.targets == pytest.approx(3.0 / 2.0 - 3.0 / 2.5)
    assert found.idle == pytest.approx(2.0 - 1.5)
    assert found.paid == pytest.approx(3.0 + 2 * 0.1 / 24)
    assert found.over == pytest.approx(found.paid / 1.2)


def test_a_fixed_fleet_keeps_its_peak() -> None:
    found = provision(DAY, Operating())
    assert (found.paid, found.starts, found.cold) == (3.0, 0.0, 0.0)
    assert provision(DAY, Operating(), most=5).paid == 5.0


def test_restarts_are_paid_by_all_that_is_kept() -> None:
    found = provision(DAY, Operating(spares=1, cold_start=600.0, restarts=1 / 86400))
    assert found.cold == pytest.approx(4 * 600 / 86400)


@given(
    seed=st.integers(0, 10_000),
    spares=st.integers(0, 3),
    cold=st.floats(0, 3600),
    burst=st.floats(1, 3),
    within=st.floats(0.2, 5),
)
def test_buckets_add_up_and_scaling_never_costs_more_without_cold_starts(
    seed: int, spares: int, cold: float, burst: float, within: float
) -> None:
    rates = np.random.default_rng(seed).uniform(0, 4, 168)
    week = Week(rates=rates, burst=burst, within=within, capacity=1.3 * within)
    for scaling in ("fixed", "hourly"):
        found = provision(week, Operating(scaling=scaling, spares=spares, cold_start=cold))
        summed = found.work + found.targets + found.idle + found.spares + found.cold
        assert summed == pytest.approx(found.paid)
        assert found.idle >= -1e-9
    instant = provision(week, Operating(scaling="hourly", spares=spares))
    assert instant.paid <= provision(week, Operating(spares=spares)).paid + 1e-12


def test_every_hour_has_a_replica() -> None:
    quiet = Week(rates=np.zeros(168), burst=1.0, within=1.0, capacity=1.0)
    assert (replicas_needed(quiet) == 1).all()


@pytest.mark.parametrize(
    "fields",
    [
        {"scaling": "sometimes"},
        {"spares": -1},
        {"cold_start": -1.0},
        {"restarts": float("nan")},
        {"wasted": 1.0},
        {"cold_start": 600.0, "restarts": 0.01},
    ],
    ids=str,
)
def test_impossible_operation_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError):
        Operating(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"within": 0.0},
        {"within": 3.0},
        {"burst": 0.5},
        {"rates": np.array([-1.0])},
        {"rates": np.array([])},
    ],
    ids=str,
)
def test_impossible_weeks_are_refused(fields: dict[str, Any]) -> None:
    sound: dict[str, Any] = {"rates": np.ones(168), "burst": 1.0, "within": 1.0, "capacity": 2.0}
    with pytest.raises(ScenarioError):
        Week(**(sound | fields))
