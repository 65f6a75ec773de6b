"""Carbon beyond a grid's yearly mean: its hours, its price, and what making hardware emitted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.catalog.source import Source
from inferometer.errors import CatalogError
from inferometer.units import Duration, Grams, UsdPerGram

HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class HourShape:
    """How the carbon intensity of a grid moves through the local day.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        aliases: Other spellings.
        grids: Keys of the grids that it is taken for where nothing else is stated.
        factors: Intensity of each local hour from midnight over the mean of the day; 24 of them.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    grids: tuple[str, ...] = ()
    factors: tuple[float, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.factors) != HOURS_PER_DAY:
            raise CatalogError(f"factors: {len(self.factors)} values; 24 are wanted, one per hour")
        if not all(math.isfinite(value) and value >= 0 for value in self.factors):
            raise CatalogError("factors: finite numbers >= 0 are wanted")
        mean = math.fsum(self.factors) / HOURS_PER_DAY
        if abs(mean - 1) > 1e-3:
            raise CatalogError(f"factors: their mean is {mean:.4g}; 1 is wanted")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonPrice:
    """What a gram of CO2e costs, by a market or by an estimate of its damage.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        aliases: Other spellings.
        price: Price of emissions.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    price: UsdPerGram
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embodied:
    """What making hardware emitted, by accelerator.

    Attributes:
        key: Key of the accelerator, or "typical" for those that nobody has assessed.
        accelerator: Manufacture of one accelerator.
        host: Manufacture of the rest of its server, per accelerator.
        life: Time over which both are spread.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    accelerator: Grams
    host: Grams
    life: Duration
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.life > 0:
            raise CatalogError(f"life is {self.life} s; it must be positive")
