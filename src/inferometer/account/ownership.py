"""Yearly cost of owning a cluster, by part, and what an hour of it costs at a given use."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from inferometer.account.capital import yearly_capital
from inferometer.account.electricity import YEAR, Supply, demand_cost, energy_cost
from inferometer.account.tax import yearly_tax_relief
from inferometer.errors import ScenarioError
from inferometer.units import Fraction, Usd, UsdPerPower, UsdPerSecond, Watts

HOURS_PER_YEAR = 8760
"""Hours of a common year, the convention of every cost sheet cited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Power of a cluster, as its building pays for it.

    Attributes:
        draw: Draw of all IT equipment: the mean, or 24 values, one per hour of the day.
        peak: Highest draw of all IT equipment; the largest of `draw` if None.
        pue: All energy of the building over that of its computers.
        supply: What electricity costs; None where `colocation` holds the energy.
        colocation: Price of provisioned power in somebody else's building; None in one's own.
        provisioned: Power kept ready there for the IT equipment; the peak if None.
    """

    draw: tuple[Watts, ...]
    peak: Watts | None = None
    pue: float = 1.0
    supply: Supply | None = None
    colocation: UsdPerPower | None = None
    provisioned: Watts | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.pue < math.inf:
            raise ScenarioError(f"ownership.pue is {self.pue}; it is a ratio of at least 1")
        if self.supply is None and self.colocation is None:
            raise ScenarioError(
                "ownership: electricity is unpriced; give a price of energy, or a colocation"
            )
        if not self.draw or not all(math.isfinite(w) and w >= 0 for w in self.draw):
            raise ScenarioError(f"ownership.power is {self.draw}; finite watts >= 0 are wanted")
        for name in ("peak", "provisioned"):
            value = getattr(self, name)
            if value is not None and not max(self.draw) <= value < math.inf:
                raise ScenarioError(
                    f"ownership.{name} is {value} W, below the draw of {max(self.draw)} W"
                )
        if self.colocation is not None and not 0 <= self.colocation < math.inf:
            raise ScenarioError(f"ownership.colocation is {self.colocation}; it cannot be negative")

    @property
    def highest(self) -> float:
        """Highest draw of the IT equipment, W."""
        return max(self.draw) if self.peak is None else self.peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxes:
    """Taxes, all optional.

    Attributes:
        sales: Share of every purchase price, paid with it.
        property: Share of every purchase price, paid per year.
        income: Share of profit; costs are then after tax, and so must be what they are compared
            with.
        depreciation: Share of the price that each year may deduct; needed with an income tax.
    """

    sales: Fraction = 0.0
    property: Fraction = 0.0
    income: Fraction = 0.0
    depreciation: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("sales", "property", "income"):
            if not 0 <= getattr(self, name) < 1:
                raise ScenarioError(
                    f"ownership.taxes.{name} is {getattr(self, name)}; a fraction below 1 is wanted"
                )
        if self.income and not self.depreciation:
            raise ScenarioError("ownership.taxes.income: a depreciation schedule is needed with it")


NO_TAXES = Taxes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What owning takes; every figure is the owner's own input.

    Attributes:
        accelerators: Accelerators in the cluster.
        servers: Price of all servers; 0 where they are leased.
        residual: Resale value of the servers at the end of life over their price.
        network: Price of the network, without resale value.
        storage: Price of storage, without resale value.
        site: Price of the site's construction, without resale value.
        years: Life of servers, network and storage.
        site_years: Life of the site; `years` if None.
        discount_rate: Cost of capital per year; 0 writes off in a straight line.
        lease: Yearly payment for leased servers.
        maintenance: Share of the servers' price per year.
        software: Licences per accelerator and year.
        power: Electricity or colocation.
        staff: Full-time equivalents.
        salary: Cost of one of them per year.
        space: Rent of floor space per year.
        taxes: Taxes.
    """

    accelerators: int
    servers: Usd
    residual: Fraction = 0.0
    network: Usd = 0.0
    storage: Usd = 0.0
    site: Usd = 0.0
    years: float
    site_years: float | None = None
    discount_rate: Fraction = 0.0
    lease: Usd = 0.0
    maintenance: Fraction = 0.0
    software: Usd = 0.0
    power: Power
    staff: float = 0.0
    salary: Usd = 0.0
    space: Usd = 0.0
    taxes: Taxes = NO_TAXES

    def __post_init__(self) -> None:
        if self.accelerators < 1:
            raise ScenarioError(f"ownership.accelerators is {self.accelerators}; at least 1")
        if self.lease and self.servers:
            raise ScenarioError("ownership: servers are bought or leased, not both")
        for name in (*_PRICES, "lease", "maintenance", "software", "staff", "salary", "space"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ScenarioError(f"ownership.{name} is {value}; it cannot be negative")

    @property
    def purchase(self) -> float:
        """What is paid at the start, sales tax included, USD."""
        return math.fsum(getattr(self, name) for name in _PRICES) * (1 + self.taxes.sales)


_PRICES = ("servers", "network", "storage", "site")


@dataclass(frozen=True, slots=True, kw_only=True)
class YearlyCost:
    """Parts of a year's cost; they add up to `total`.

    Attributes:
        servers: Servers written off.
        network: Network written off.
        storage: Storage written off.
        site: Construction written off.
        lease: Payments for leased servers.
        maintenance: Hardware support.
        software: Licences.
        energy: Electricity by the kWh, the building's share included.
        demand: Electricity by the highest draw.
        colocation: Provisioned power in somebody else's building.
        staff: People.
        space: Floor space.
        property_tax: Tax on what is owned.
        tax_relief: What the income tax is lower by, as a negative number.
    """

    servers: Usd
    network: Usd
    storage: Usd
    site: Usd
    lease: Usd
    maintenance: Usd
    software: Usd
    energy: Usd
    demand: Usd
    colocation: Usd
    staff: Usd
    space: Usd
    property_tax: Usd
    tax_relief: Usd

    @property
    def parts(self) -> Mapping[str, float]:
        """The parts by name, USD per year."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def capital(self) -> float:
        """Servers, network, storage and site, USD per year."""
        return self.servers + self.network + self.storage + self.site

    @property
    def electricity(self) -> float:
        """Energy and highest draw, USD per year."""
        return self.energy + self.demand

    @property
    def running(self) -> float:
        """Everything but capital, USD per year: what goes on being paid once all is bought."""
        return self.total - self.capital

    @property
    def total(self) -> float:
        """Sum of the parts, USD per year."""
        return math.fsum(self.parts.values())


def yearly_cost(owned: Ownership) -> YearlyCost:
    """Return the yearly cost of ownership by part.

    [(1 - residual) servers + network + storage] / life + site / its life, or their annuities; plus
    lease, maintenance, software, power x PUE x 8,760 h x price and the highest draw x PUE x its
    price (or provisioned power x colocation), staff, space, taxes.
    """
    capital = _capital(owned)
    expenses = {
        "lease": owned.lease,
        "maintenance": owned.maintenance * owned.servers,
        "software": owned.software * owned.accelerators,
        **_power(owned.power),
        "staff": owned.staff * owned.salary,
        "space": owned.space,
        "property_tax": owned.taxes.property * math.fsum(getattr(owned, name) for name in _PRICES),
    }
    relief = owned.taxes.income * math.fsum(expenses.values()) + _relief(owned)
    return YearlyCost(**capital, **expenses, tax_relief=-relief)


def _terms(owned: Ownership, name: str) -> dict[str, float]:
    site = name == "site" and owned.site_years is not None
    return {
        "price": getattr(owned, name) * (1 + owned.taxes.sales),
        "residual": owned.residual / (1 + owned.taxes.sales) if name == "servers" else 0.0,
        "years": owned.site_years if site and owned.site_years else owned.years,
        "discount_rate": owned.discount_rate,
    }


def _capital(owned: Ownership) -> dict[str, float]:
    found = {}
    for name in _PRICES:
        terms = _terms(owned, name)
        found[name] = yearly_capital(terms.pop("price"), **terms)
    return found


def _relief(owned: Ownership) -> float:
    """Return what depreciation saves in income tax per year."""
    taxes = owned.taxes
    if not taxes.income:
        return 0.0
    parts = []
    for name in _PRICES:
        terms = _terms(owned, name)
        price = terms.pop("price")
        parts.append(
            yearly_tax_relief(price, tax_rate=taxes.income, shares=taxes.depreciation, **terms)
        )
    return math.fsum(parts)


def _power(power: Power) -> dict[str, float]:
    supply, price = power.supply, power.colocation
    energy = demand = 0.0
    if supply is not None:
        energy = energy_cost(supply, tuple(draw * power.pue for draw in power.draw))
        demand = demand_cost(supply, power.highest * power.pue)
    ready = power.highest if power.provisioned is None else power.provisioned
    return {
        "energy": energy,
        "demand": demand,
        "colocation": 0.0 if price is None else ready * price * YEAR,
    }


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
    return yearly / (accelerators * YEAR * utilisation)
