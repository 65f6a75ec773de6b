"""Electricity bought: energy by the hour of the day, and the highest draw."""

import math
from dataclasses import dataclass
from itertools import cycle, islice

from inferometer.errors import ScenarioError
from inferometer.units import Duration, UsdPerJoule, UsdPerPower, Watts

HOURS_PER_DAY = 24
YEAR = 8760 * 3600.0
"""Seconds of a common year, the convention of every cost sheet cited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a supplier of electricity charges.

    Attributes:
        energy: Price of energy; of the mean hour where the hours differ.
        hourly: Price of each hour of the day over `energy`, 24 of them; empty for the same all day.
        demand: Price of the highest draw, per unit of power and time; most contracts say per kW and
            month.
    """

    energy: UsdPerJoule
    hourly: tuple[float, ...] = ()
    demand: UsdPerPower = 0.0

    def __post_init__(self) -> None:
        for name in ("energy", "demand"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ScenarioError(f"electricity.{name} is {value}; it cannot be negative")
        if len(self.hourly) not in {0, HOURS_PER_DAY}:
            raise ScenarioError(
                f"electricity.hourly has {len(self.hourly)} values; 24 are wanted, one per hour"
            )
        if not all(math.isfinite(hour) and hour >= 0 for hour in self.hourly):
            raise ScenarioError("electricity.hourly: finite factors >= 0 are wanted")


def energy_cost(supply: Supply, draw: tuple[Watts, ...], time: Duration = YEAR) -> float:
    """Return the cost of the energy drawn in `time`, USD: sum over hours of draw x price.

    Args:
        supply: What is charged.
        draw: Draw at the meter, one value for the whole day or 24, one per hour.
        time: How long, whole days.

    Raises:
        ScenarioError: another number of values, or a draw that is negative or not finite.
    """
    _check(draw)
    hours = tuple(islice(cycle(draw), HOURS_PER_DAY))
    factors = supply.hourly or (1.0,) * HOURS_PER_DAY
    mean = math.fsum(w * f for w, f in zip(hours, factors, strict=True)) / HOURS_PER_DAY
    return mean * supply.energy * time


def demand_cost(supply: Supply, peak: Watts, time: Duration = YEAR) -> float:
    """Return the charge for the highest draw over `time`, USD: peak x price x time."""
    _check((peak,))
    return peak * supply.demand * time


def _check(draw: tuple[Watts, ...]) -> None:
    if len(draw) not in {1, HOURS_PER_DAY}:
        raise ScenarioError(f"draw has {len(draw)} values; one or 24 are wanted")
    for value in draw:
        if not (math.isfinite(value) and value >= 0):
            raise ScenarioError(f"draw is {value} W; a finite number >= 0 is wanted")
