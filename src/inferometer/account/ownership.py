"""Yearly cost of owning a cluster, by part, and what an hour of it costs at a given use."""

import math
from dataclasses import dataclass

from inferometer.account.capital import yearly_capital
from inferometer.errors import ScenarioError
from inferometer.units import Fraction, Usd, UsdPerJoule, UsdPerSecond, Watts

HOURS_PER_YEAR = 8760
"""Hours of a common year, the convention of every cost sheet cited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What owning takes; every figure is the owner's own input.

    Attributes:
        accelerators: Accelerators in the cluster.
        servers: Price of all servers.
        residual: Resale value of the servers at the end of life over their price.
        infrastructure: Price of network, storage and site, without resale value.
        years: Life.
        discount_rate: Cost of capital per year.
        maintenance: Share of the servers' price per year.
        software: Licences per accelerator and year.
        power: Draw of all IT equipment, mean.
        pue: All energy of the building over that of its computers.
        electricity: Price of energy.
        staff: Full-time equivalents.
        salary: Cost of one of them per year.
    """

    accelerators: int
    servers: Usd
    residual: Fraction = 0.0
    infrastructure: Usd = 0.0
    years: float
    discount_rate: Fraction = 0.0
    maintenance: Fraction = 0.0
    software: Usd = 0.0
    power: Watts
    pue: float = 1.0
    electricity: UsdPerJoule
    staff: float = 0.0
    salary: Usd = 0.0

    def __post_init__(self) -> None:
        if self.accelerators < 1:
            raise ScenarioError(f"ownership.accelerators is {self.accelerators}; at least 1")
        if not 1 <= self.pue < math.inf:
            raise ScenarioError(f"ownership.pue is {self.pue}; it is a ratio of at least 1")
        for name in ("maintenance", "software", "power", "electricity", "staff", "salary"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ScenarioError(f"ownership.{name} is {value}; it cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class YearlyCost:
    """Parts of a year's cost.

    Attributes:
        capital: Servers, network, storage and site.
        maintenance: Hardware support.
        software: Licences.
        electricity: Energy, facility included.
        staff: People.
    """

    capital: Usd
    maintenance: Usd
    software: Usd
    electricity: Usd
    staff: Usd

    @property
    def total(self) -> float:
        """Sum of the parts, USD per year."""
        return self.capital + self.maintenance + self.software + self.electricity + self.staff


def yearly_cost(owned: Ownership) -> YearlyCost:
    """Return the yearly cost of ownership by part.

    [(1 - residual) servers + infrastructure] / life (or their annuities) + maintenance + software
    + power x PUE x 8,760 h x price + staff.
    """
    life = {"years": owned.years, "discount_rate": owned.discount_rate}
    servers = yearly_capital(owned.servers, residual=owned.residual, **life)
    infrastructure = yearly_capital(owned.infrastructure, residual=0.0, **life)
    year = HOURS_PER_YEAR * 3600.0
    return YearlyCost(
        capital=servers + infrastructure,
        maintenance=owned.maintenance * owned.servers,
        software=owned.software * owned.accelerators,
        electricity=owned.power * owned.pue * year * owned.electricity,
        staff=owned.staff * owned.salary,
    )


def useful_rate(yearly: float, accelerators: int, utilisation: float) -> UsdPerSecond:
    """Return the cost of one accelerator for one second of use: the owner pays for idle time too.

    Args:
        yearly: Cost of the cluster per year, USD.
        accelerators: Accelerators in it.
        utilisation: Share of the year in which they are used, above 0, at most 1.

    Raises:
        ScenarioError: a utilisation outside that range, or a cost that is none.
    """
    if not (0 <= yearly < math.inf and accelerators > 0):
        raise ScenarioError(f"{yearly} USD a year for {accelerators} accelerators is no cost")
    if not 0 < utilisation <= 1:
        raise ScenarioError(f"utilisation is {utilisation}; it must be above 0 and at most 1")
    return yearly / (accelerators * HOURS_PER_YEAR * 3600.0 * utilisation)
