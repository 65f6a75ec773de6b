"""Emissions by the hour: what a deployment draws in each, at the grid's intensity of that hour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferometer.errors import LedgerError, ScenarioError
from inferometer.units import (
    Duration,
    Grams,
    GramsPerJoule,
    Joules,
    PerSecond,
    Usd,
    UsdPerGram,
    Watts,
)

HOURS_PER_WEEK = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class HourOfDay:
    """One hour of a typical day, the mean over the week.

    Attributes:
        hour: From midnight.
        rate: Requests.
        power: Draw at the facility's meter.
        intensity: Of the grid.
        per_request: Emissions of a request of this hour, standing draw included; None without any.
    """

    hour: int
    rate: PerSecond
    power: Watts
    intensity: GramsPerJoule
    per_request: Grams | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Emissions of the electricity used.

    Attributes:
        total: By the hour.
        by_mean: At the mean intensity, as if energy were drawn evenly.
        intensity: The intensity that `total` amounts to.
        hours: A typical day.
    """

    total: Grams
    by_mean: Grams
    intensity: GramsPerJoule
    hours: tuple[HourOfDay, ...]


def use_by_hour(
    week: NDArray[np.float64],
    intensity: Sequence[GramsPerJoule],
    *,
    standing: Joules,
    work: Joules,
    span: Duration,
) -> Use:
    """Return the emissions of energy that is drawn partly all the time and partly with the load.

    An hour's energy is standing / hours + work x (rate of the hour / sum of rates).

    Args:
        week: Mean rate of each hour of a week from Monday's midnight [168], 1/s.
        intensity: Intensity by hour from midnight: 24 for every day alike, 168 for a week.
        standing: Energy over `span` that does not depend on the load: idle draw, hosts.
        work: Energy over `span` that follows it.
        span: Time over which both were drawn.

    Raises:
        ScenarioError: another number of hours, or an intensity that is negative or not finite.
        LedgerError: the hours do not add up to the energy.
    """
    if len(intensity) not in {24, HOURS_PER_WEEK}:
        raise ScenarioError(f"intensity has {len(intensity)} hours; 24 or 168 are wanted")
    if not all(math.isfinite(value) and value >= 0 for value in intensity):
        raise ScenarioError("intensity: finite numbers >= 0 are wanted")
    carbon = np.resize(np.array(intensity, dtype=np.float64), HOURS_PER_WEEK)
    share = week / week.sum()  # of the load in each hour
    energy = standing / HOURS_PER_WEEK + work * share
    whole = standing + work
    if abs(float(energy.sum()) - whole) > 1e-9 * max(whole, 1.0):
        raise LedgerError(f"hours draw {energy.sum()} J, the deployment {whole} J")
    total = float(energy @ carbon)
    power = energy / span * HOURS_PER_WEEK
    return Use(
        total=total,
        by_mean=whole * float(carbon.mean()),
        intensity=total / whole if whole else 0.0,
        hours=tuple(_day(week, power, carbon)),
    )


def _day(
    week: NDArray[np.float64], power: NDArray[np.float64], carbon: NDArray[np.float64]
) -> list[HourOfDay]:
    rates, draws, grams = (
        values.reshape(7, 24).mean(axis=0) for values in (week, power, power * carbon)
    )
    means = carbon.reshape(7, 24).mean(axis=0)
    return [
        HourOfDay(
            hour=hour,
            rate=float(rates[hour]),
            power=float(draws[hour]),
            intensity=float(means[hour]),
            per_request=float(grams[hour] / rates[hour]) if rates[hour] > 0 else None,
        )
        for hour in range(24)
    ]


def manufacture(
    accelerator: Grams, host: Grams, accelerators: int, life: Duration, span: Duration
) -> Grams:
    """Return the emissions of making the hardware that fall on `span`, by straight line.

    (accelerator + host) x accelerators x span / life, in use or not.
    """
    return (accelerator + host) * accelerators * span / life


def carbon_cost(emissions: Grams, price: UsdPerGram) -> Usd:
    """Return what emissions cost at a price of carbon, USD.

    Raises:
        ScenarioError: a price that is negative or not finite.
    """
    if not 0 <= price < math.inf:
        raise ScenarioError(f"carbon price is {price} USD/g; it cannot be negative")
    return emissions * price
