"""What others charge: accelerator hours and API tokens, as dated rows that are never edited."""

import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inferometer.catalog.load import read_csv, shipped
from inferometer.catalog.source import Source
from inferometer.catalog.tables import accelerators
from inferometer.errors import CatalogError
from inferometer.units import Tokens, UsdPerSecond, UsdPerToken

COMMITMENTS = ("on-demand", "spot", "reserved-1y", "reserved-3y", "owned")
STALE_AFTER = dt.timedelta(days=365)
"""A quote this much older than the instant asked about no longer counts: rents halve in a year."""
OLD_AFTER = dt.timedelta(days=183)
"""From this age on a quote is shown with its age."""
MONTH = dt.timedelta(days=30.4375)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorPrice:
    """Price of one accelerator for one hour under one commitment, valid from a day.

    Attributes:
        accelerator: Key of the accelerator.
        provider: Who charges it; "neocloud" or "hyperscaler" for an index over several.
        commitment: "on-demand", "spot", "reserved-1y", "reserved-3y" or "owned" (all-in cost).
        region: Region code, or "" where the price does not depend on it.
        price: Dollars per accelerator and second.
        valid_from: First day on which the price held.
        source: Where it was read.
    """

    accelerator: str
    provider: str
    commitment: str
    region: str = ""
    price: UsdPerSecond
    valid_from: dt.date
    source: Source

    def __post_init__(self) -> None:
        if not self.price > 0:
            raise CatalogError("price is not positive; leave the row out where it is unknown")
        if self.commitment not in COMMITMENTS:
            known = ", ".join(COMMITMENTS)
            raise CatalogError(f"commitment {self.commitment!r} is not one of {known}")

    def doubt(self, at: dt.date) -> str:
        """Return what is to be said of a quote older than half a year at `at`, else ""."""
        age = at - self.valid_from
        if age < OLD_AFTER:
            return ""
        return f"quote is {age / MONTH:.0f} months old at the instant asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPrice:
    """API prices of requests whose prompt is longer than a limit; all of their tokens pay them.

    Attributes:
        above: Prompt tokens, cached ones included, beyond which they hold.
        input: Uncached input tokens.
        cached: Input tokens served from a prompt cache; None where there is no such price.
        output: Output tokens.
    """

    above: Tokens
    input: UsdPerToken
    cached: UsdPerToken | None
    output: UsdPerToken


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """API prices of one model at one provider at one instant.

    Attributes:
        model: Provider's model id.
        provider: Provider id.
        input: Uncached input tokens.
        cached: Input tokens served from a prompt cache; None where the provider has no such price.
        output: Output tokens, reasoning included.
        tier: "standard", "batch", "flex" or "priority".
        longer: Prices of longer prompts, by rising limit; those above are of prompts within them.
        valid_from: First day on which the price held.
        source: Where it was read.
    """

    model: str
    provider: str
    input: UsdPerToken
    cached: UsdPerToken | None
    output: UsdPerToken
    tier: str = "standard"
    longer: tuple[LongPrice, ...] = ()
    valid_from: dt.date
    source: Source


@functools.cache
def _shipped() -> tuple[AcceleratorPrice, ...]:
    return read_csv(shipped("prices/accelerators.csv"), AcceleratorPrice)


def accelerator_prices(
    overlay: Path | None = None, catalog: Path | None = None
) -> tuple[AcceleratorPrice, ...]:
    """Return all price rows, those of the CSV file `overlay` after the shipped ones.

    Its accelerators may also be records of the overlay `catalog`.

    Raises:
        CatalogError: the overlay is at fault, or names an accelerator without a record.
    """
    if overlay is None:
        return _shipped()
    own = read_csv(overlay, AcceleratorPrice)
    unknown = sorted({row.accelerator for row in own} - accelerators(catalog).keys())
    if unknown:
        raise CatalogError(f"{overlay}: accelerator: no record has the key {', '.join(unknown)}")
    return _shipped() + own


def accelerator_price(
    key: str,
    *,
    at: dt.date,
    commitment: str = "on-demand",
    provider: str = "",
    region: str = "",
    rows: Sequence[AcceleratorPrice] | None = None,
) -> AcceleratorPrice | None:
    """Return the lowest price that held at `at`, or None if that is unpriced.

    It is the lowest among the providers' latest quotes, which is what a buyer who may choose would
    pay; quotes more than a year old are left out. A middle over providers would compare markets:
    one accelerator is sold by many of them, the next by the dearest alone.

    Args:
        key: Key of the accelerator.
        at: The instant asked about.
        commitment: One of `COMMITMENTS`.
        provider: Whose price; "" for the lowest of all.
        region: Rows of this region only; "" takes all.
        rows: Where to look; the shipped rows if None.

    Raises:
        CatalogError: unknown commitment.
    """
    if commitment not in COMMITMENTS:
        raise CatalogError(f"commitment {commitment!r} is not one of {', '.join(COMMITMENTS)}")
    wanted = (
        row
        for row in (_shipped() if rows is None else rows)
        if row.accelerator == key
        and row.commitment == commitment
        and provider in {"", row.provider}
        and region in {"", row.region}
    )
    return min(_latest(wanted, at), key=lambda row: row.price, default=None)


def _latest(rows: Iterable[AcceleratorPrice], at: dt.date) -> list[AcceleratorPrice]:
    """Return the latest row of each provider and region valid at `at`, the stale ones left out."""
    found: dict[tuple[str, str], AcceleratorPrice] = {}
    for row in rows:
        place = (row.provider, row.region)
        before = found.get(place)
        if row.valid_from <= at and (before is None or before.valid_from <= row.valid_from):
            found[place] = row
    return [row for row in found.values() if at - row.valid_from < STALE_AFTER]
