"""Savings, and whose money they are: a joule saved is a dollar only for who pays for it."""

from dataclasses import dataclass

from inferometer.account.electricity import YEAR
from inferometer.plan.clock_choice import ClockPoint
from inferometer.units import (
    Fraction,
    Grams,
    Usd,
    UsdPerGram,
    UsdPerJoule,
    UsdPerPower,
    UsdPerSecond,
    Watts,
)

KILOWATT_HOUR, KILOWATT, TONNE, HOUR = 3.6e6, 1e3, 1e6, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """One saving per year, and what it is worth to whom; None where a price is not known.

    Attributes:
        name: What is saved.
        amount: How much of it, in `unit`.
        unit: E.g. "kWh".
        rented: Worth to who rents accelerators on demand.
        metered: Worth to an owner who pays metered energy.
        colocated: Worth to an owner who pays provisioned power, once the contract follows.
        priced: Worth at the price of carbon.
    """

    name: str
    amount: float
    unit: str
    rented: Usd | None = 0.0
    metered: Usd | None = 0.0
    colocated: Usd | None = 0.0
    priced: Usd | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What the savings are valued at; None where not known.

    Attributes:
        rent: Of one accelerator.
        energy: Of metered energy.
        provisioned: Of power kept ready in colocation.
        carbon: Of emissions.
    """

    rent: UsdPerSecond | None = None
    energy: UsdPerJoule | None = None
    provisioned: UsdPerPower | None = None
    carbon: UsdPerGram | None = None


def savings(
    now: ClockPoint, best: ClockPoint, peak_saved: Watts, saved: Grams | None, prices: Prices
) -> tuple[Saving, ...]:
    """Return what the clock of least energy saves, and what idle time holds, per year.

    Args:
        now: The deployment at the highest clock.
        best: The same at the clock of least energy.
        peak_saved: Highest draw of its computers less at that clock.
        saved: Emissions less at that clock over the span of the outcome; None if the grid is
            unknown.
        prices: What a saving is worth.
    """
    times = YEAR / now.option.outcome.span
    joules = (now.energy - best.energy) * times
    idle = (1 - _mean_load(now)) * now.option.deployment.accelerators * YEAR
    rows = [
        Saving(
            name="energy at the meter, by the clock",
            amount=joules / KILOWATT_HOUR, unit="kWh", metered=_worth(joules, prices.energy),
        ),
        Saving(
            name="highest draw of the computers, by the clock",
            amount=peak_saved / KILOWATT, unit="kW",
            colocated=_worth(peak_saved * YEAR, prices.provisioned),
        ),
        Saving(
            name="idle accelerator-hours, if given back",
            amount=idle / HOUR, unit="h", rented=_worth(idle, prices.rent),
        ),
    ]  # fmt: skip
    if saved is not None:
        grams = saved * times
        worth = _worth(grams, prices.carbon)
        rows.append(
            Saving(name="emissions, by the clock", amount=grams / TONNE, unit="t", priced=worth)
        )
    return tuple(rows)


def _mean_load(point: ClockPoint) -> Fraction:
    return min(point.option.outcome.request_rate / point.option.outcome.capacity, 1.0)


def _worth(amount: float, price: float | None) -> Usd | None:
    return None if price is None else amount * price
