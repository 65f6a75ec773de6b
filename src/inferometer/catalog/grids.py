"""Electricity by place: carbon intensity, price, and what a building adds on top."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.catalog.source import Source
from inferometer.units import GramsPerJoule, UsdPerJoule


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One electricity grid or cloud region.

    Attributes:
        key: Country or region code, e.g. "us", "fr", "gcp-us-central1".
        name: Name for people.
        aliases: Other spellings.
        carbon: Emissions per unit of energy used, yearly mean, generation mix as cited.
        price: Price of energy for a business; None where no price is sourced.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    carbon: GramsPerJoule
    price: UsdPerJoule | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A kind of data centre.

    Attributes:
        key: Operator or "industry".
        name: Name for people.
        aliases: Other spellings.
        pue: Power usage effectiveness: all energy of the building over that of its computers.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    pue: float
    sources: Mapping[str, Source] = field(default_factory=dict)
