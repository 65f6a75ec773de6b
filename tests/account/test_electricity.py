"""Electricity by the hour, and by the highest draw."""

import math
from typing import Any

import pytest

from inferometer.account.electricity import YEAR, Supply, demand_cost, energy_cost
from inferometer.errors import ScenarioError
from inferometer.units import Unit, parse

KWH = Unit("USD/J")
FLAT = Supply(energy=parse("0.10 USD/kWh", KWH))


def test_a_flat_price_times_the_energy() -> None:
    # 10 kW for 8,760 h at 10 cents.
    assert energy_cost(FLAT, (10_000.0,)) == pytest.approx(8_760.0)


def test_hours_are_priced_one_by_one() -> None:
    # Half price in the first twelve hours; a load that runs only then pays half.
    supply = Supply(energy=FLAT.energy, hourly=(0.5,) * 12 + (1.5,) * 12)
    night = (10_000.0,) * 12 + (0.0,) * 12
    assert energy_cost(supply, night) == pytest.approx(0.5 * 8_760.0 / 2)
    assert energy_cost(supply, (10_000.0,)) == pytest.approx(8_760.0)


def test_the_highest_draw_is_paid_every_month() -> None:
    supply = Supply(energy=0.0, demand=parse("15 USD/kW/month", Unit("USD/J")))
    assert demand_cost(supply, 100_000.0) == pytest.approx(100 * 15 * 12)
    assert demand_cost(supply, 100_000.0, YEAR / 12) == pytest.approx(100 * 15)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"energy": -1.0}, "energy"),
        ({"energy": math.nan}, "energy"),
        ({"energy": 1.0, "demand": -1.0}, "demand"),
        ({"energy": 1.0, "hourly": (1.0,) * 23}, "23 values"),
        ({"energy": 1.0, "hourly": (-1.0,) * 24}, "factors"),
    ],
)
def test_bad_supplies_are_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(ScenarioError, match=word):
        Supply(**fields)


@pytest.mark.parametrize("draw", [(), (1.0, 2.0), (-1.0,), (math.inf,)])
def test_bad_draws_are_refused(draw: tuple[float, ...]) -> None:
    with pytest.raises(ScenarioError, match="draw"):
        energy_cost(FLAT, draw)
