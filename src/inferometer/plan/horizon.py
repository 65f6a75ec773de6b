"""The cost of serving a growing load over years, for every way of paying: one formula, many draws.

Every uncertain quantity enters as a factor on its base value, so that the answer for certain is the
answer for one draw whose factors are all 1. Arrays are [draw] or [draw, month].
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.plan.provision import HOUR, Operating, Week
from inferometer.units import Fraction, Usd
from inferometer.workload.trace import Floats

Factors = Mapping[str, Floats]
"""Draws of the factors by driver [draw]; a driver that is not named stays at its base value."""
MONTHS = 12
LOAD, GROWTH, CAPACITY = "request rate", "growth of the load", "capacity (model error)"
"""Drivers that change how much is needed; the others change prices."""


UNITS = ("server", "accelerator", "load")
"""What a part is paid per: a server (bought, and kept), a rented accelerator, the traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a way of paying.

    Attributes:
        name: What it is.
        unit: One of `UNITS`.
        yearly: What one unit of it costs per year at the start; "load" is the traffic at the start.
        drivers: Quantities that it is proportional to.
        trend: Driver of its change per year, "" for none.
        change: That change at its base value, a fraction per year.
        held: Years for which a price holds before it moves; 0 where it moves month by month.
        written_off: Whether it writes off a purchase, so that no money flows when it is charged.
    """

    name: str
    unit: str
    yearly: Usd
    drivers: tuple[str, ...] = ()
    trend: str = ""
    change: float = 0.0
    held: float = 0.0
    written_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of paying for the service.

    Attributes:
        name: For people.
        parts: What it costs.
        scales: Whether rented accelerators are given back in quiet hours, where the fleet is run
            so; else they are paid for all the time.
        per_server: Accelerators of one server.
        purchase: What one server costs when it is bought.
        price_driver: Quantity that the purchase is proportional to.
    """

    name: str
    parts: tuple[Part, ...]
    scales: bool = False
    per_server: int = 1
    purchase: Usd = 0.0
    price_driver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """How far ahead is looked, and how the load grows.

    Attributes:
        years: Length.
        growth: Of the load per year, a fraction.
        discount_rate: Per year: what a dollar a year later is worth less.
    """

    years: float
    growth: float = 0.0
    discount_rate: Fraction = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.years) and 0 < self.years <= 30):
            raise ScenarioError(f"horizon is {self.years} years; above 0 and at most 30 are wanted")
        for name in ("growth", "discount_rate"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > -1):
                raise ScenarioError(f"{name} is {value} a year; it must be above -1")

    @property
    def months(self) -> int:
        """Whole months, at least one."""
        return max(round(self.years * MONTHS), 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """What is served over the horizon.

    Attributes:
        week: Load of a week at the start, and what one replica carries.
        operating: How the fleet is run.
        per_replica: Accelerators of one replica.
        horizon: How far ahead.
    """

    week: Week
    operating: Operating
    per_replica: int
    horizon: Horizon


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cost:
    """What one way costs, for every draw.

    Attributes:
        way: The way.
        parts: Present value over the horizon by part [draw] USD.
        upfront: Purchases at the start of each month [draw, month] USD.
        monthly: Payments of each month, purchases written off [draw, month] USD.
        running: Payments of each month without what writes purchases off [draw, month] USD.
    """

    way: Way
    parts: Mapping[str, Floats]
    upfront: Floats
    monthly: Floats
    running: Floats

    @property
    def total(self) -> Floats:
        """Present value of all parts over the horizon [draw] USD."""
        return np.sum(list(self.parts.values()), axis=0)


def factor(factors: Factors, name: str, draws: int) -> Floats:
    """Return the draws of one driver [draw], 1 where it is not uncertain."""
    return factors.get(name, np.ones(draws))


def demand(service: Service, factors: Factors, draws: int) -> Floats:
    """Return the load of each month over the load at the start [draw, month]."""
    horizon = service.horizon
    growth = (1 + horizon.growth) * factor(factors, GROWTH, draws)
    years = np.arange(horizon.months) / MONTHS
    return factor(factors, LOAD, draws)[:, None] * growth[:, None] ** years


def fleet(service: Service, load: Floats, capacity: Floats, *, scales: bool) -> Floats:
    """Return the mean replicas paid for in each month [draw, month], spares and starts included.

    Args:
        service: What is served.
        load: Load of each month over the start's [draw, month].
        capacity: Factor on what a replica carries [draw].
        scales: Whether replicas follow the hours where the fleet is run so; else the peak counts.
    """
    week, operating = service.week, service.operating
    needed = week.rates * week.burst / week.within
    ratio = load / capacity[:, None]
    restarts = 1 + operating.restarts * operating.cold_start
    if not scales or operating.scaling == "fixed":
        return (_whole(needed.max() * ratio) + operating.spares) * restarts
    serving, starts = np.zeros_like(ratio), np.zeros_like(ratio)
    before = _whole(needed[-1] * ratio)
    for hour in needed:  # 168 steps over whole arrays
        count = _whole(hour * ratio)
        starts += np.maximum(count - before, 0.0)
        serving, before = serving + count, count
    cold = starts * operating.cold_start / HOUR
    return (
        (serving + cold) / len(needed)
        + operating.spares * restarts
        + (serving / len(needed) * (restarts - 1))
    )


def _whole(replicas: Floats) -> Floats:
    return np.maximum(np.ceil(replicas - 1e-9), 1.0)


def units(unit: str, way: Way, service: Service, factors: Factors, draws: int) -> Floats:
    """Return how many of a unit are paid for in each month [draw, month].

    Servers are bought whole and kept; rented accelerators follow the fleet; traffic is what it is.
    """
    load = demand(service, factors, draws)
    if unit == "load":
        return load
    capacity = factor(factors, CAPACITY, draws)
    accelerators = fleet(service, load, capacity, scales=way.scales) * service.per_replica
    if unit == "accelerator":
        return accelerators
    return np.maximum.accumulate(np.ceil(accelerators / way.per_server - 1e-9), axis=1)


def cost(way: Way, service: Service, factors: Factors, draws: int = 1) -> Cost:
    """Return what a way of paying costs over the horizon, by part, for every draw of `factors`."""
    used = {part.unit for part in way.parts} | ({"server"} if way.purchase else set())
    counts = {unit: units(unit, way, service, factors, draws) for unit in sorted(used)}
    months = np.arange(service.horizon.months, dtype=np.float64)
    worth = (1 + service.horizon.discount_rate) ** (-(months + 0.5) / MONTHS)
    parts = dict[str, Floats]()
    monthly, running = np.zeros((draws, len(months))), np.zeros((draws, len(months)))
    for part in way.parts:
        paid = counts[part.unit] * _monthly(part, factors, draws, months)
        parts[part.name] = (paid * worth).sum(axis=1)
        monthly += paid
        running += 0.0 if part.written_off else paid
    upfront = np.zeros_like(monthly)
    if way.purchase:
        price = way.purchase * factor(factors, way.price_driver, draws)
        upfront = np.diff(counts["server"], axis=1, prepend=0.0) * price[:, None]
    return Cost(way=way, parts=parts, upfront=upfront, monthly=monthly, running=running)


def _monthly(part: Part, factors: Factors, draws: int, months: Floats) -> Floats:
    """Return what one unit of a part costs in each month [draw, month]."""
    price = np.full(draws, part.yearly / MONTHS)
    for name in part.drivers:
        price = price * factor(factors, name, draws)
    if not part.trend and not part.change:
        return np.repeat(price[:, None], len(months), axis=1)
    yearly = (1 + part.change) * factor(factors, part.trend, draws)
    age = months / MONTHS
    if part.held:  # a term is renewed at the price of its day
        age = np.floor(age / part.held + 1e-9) * part.held
    return price[:, None] * yearly[:, None] ** age
