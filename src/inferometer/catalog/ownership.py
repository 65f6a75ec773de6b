"""What owning takes: servers as sold, colocation, habits of owners, tax schedules."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.catalog.source import Source
from inferometer.errors import CatalogError
from inferometer.units import Fraction, Usd, UsdPerPower


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server with its accelerators, as it is sold.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        aliases: Other spellings.
        accelerator: Key of its accelerator.
        accelerators: Accelerators in it, the unit in which they are bought.
        price: Price of the whole server.
        low: Price that one in ten buyers stays below.
        high: Price that one in ten buyers exceeds.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    accelerator: str
    accelerators: int
    price: Usd
    low: Usd
    high: Usd
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.accelerators < 1:
            raise CatalogError(f"accelerators is {self.accelerators}; at least 1")
        _ordered(self.low, self.price, self.high, "price")


@dataclass(frozen=True, slots=True, kw_only=True)
class Colocation:
    """Space, power and cooling of somebody else's building, by the power kept ready.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        aliases: Other spellings.
        price: Price of provisioned power.
        low: Price that one in ten customers stays below.
        high: Price that one in ten customers exceeds.
        energy_included: Whether the energy itself is in the price; else it is metered on top.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    price: UsdPerPower
    low: UsdPerPower
    high: UsdPerPower
    energy_included: bool = False
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _ordered(self.low, self.price, self.high, "price")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerHabits:
    """What owners of clusters do where they do not say otherwise.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        aliases: Other spellings.
        years: Life over which things are written off.
        residual: Resale value of servers at the end of life over their price.
        network: Price of the network over the servers'.
        storage: Price of storage over the servers'.
        maintenance: Yearly share of the servers' price.
        software: Licences per accelerator and year.
        staff: Full-time equivalents per server.
        salary: Cost of one of them per year.
        utilisation: Share of the time in which an accelerator works.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    years: float
    residual: Fraction
    network: Fraction
    storage: Fraction
    maintenance: Fraction
    software: Usd
    staff: float
    salary: Usd
    utilisation: Fraction
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depreciation:
    """Shares of a price that may be set against taxes, year by year; they add up to 1.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        aliases: Other spellings.
        shares: Share of the price in each year, the first included.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    shares: tuple[float, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.shares or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise CatalogError(
                f"shares add up to {sum(self.shares):g}; shares >= 0 of 1 are wanted"
            )


def _ordered(low: float, middle: float, high: float, name: str) -> None:
    if not 0 < low <= middle <= high:
        raise CatalogError(f"{name}: low <= {name} <= high does not hold, or one is not positive")
