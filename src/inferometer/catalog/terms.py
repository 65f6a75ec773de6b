"""What providers ask beside a price: commitments, preemption, traffic out; how prices move."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.catalog.source import Source
from inferometer.errors import CatalogError
from inferometer.units import Bytes, Duration, Fraction, PerSecond, UsdPerByte


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """What a provider gives for a commitment, or for none at all.

    Attributes:
        key: As in price rows: "reserved-1y", "reserved-3y", "spot".
        name: Name for people.
        discount: Off the on-demand price, where no row states the price itself.
        low: Discount that one in ten offers stays below.
        high: Discount that one in ten offers exceeds.
        term: Time that is paid in any case; 0 for none.
        preemptions: Rate at which a spot instance is taken away.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    discount: Fraction
    low: Fraction
    high: Fraction
    term: Duration
    preemptions: PerSecond
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.discount <= self.high < 1:
            raise CatalogError("0 <= low <= discount <= high < 1 does not hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """What a cloud charges for traffic that leaves it.

    Attributes:
        key: Provider, as in price rows.
        name: Name for people.
        price: List price of the first paid step.
        per_token: Bytes that leave per streamed output token.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    price: UsdPerByte
    per_token: Bytes
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Change of a price per year, a fraction: -0.3 is 30 % less a year later.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        change: What is assumed where nothing else is stated.
        low: Change that one in ten years stays below.
        high: Change that one in ten years exceeds.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    change: float
    low: float
    high: float
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not -1 < self.low <= self.change <= self.high:
            raise CatalogError("-1 < low <= change <= high does not hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """How services are run where nothing else is stated.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        cold_start: From the decision to start a replica to its first answer.
        cold_start_low: Cold start that one in ten stays below.
        cold_start_high: Cold start that one in ten exceeds.
        active: Share of users with a request in flight at the peak.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    cold_start: Duration
    cold_start_low: Duration
    cold_start_high: Duration
    active: Fraction
    sources: Mapping[str, Source] = field(default_factory=dict)
