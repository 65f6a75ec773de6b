"""What others charge: accelerator hours and API tokens, as dated rows that are never edited."""

import datetime as dt
import functools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inferometer.catalog.load import read_csv, shipped
from inferometer.catalog.source import Evidence, Source
from inferometer.catalog.tables import accelerators
from inferometer.errors import CatalogError
from inferometer.units import UsdPerSecond, UsdPerToken

COMMITMENTS = ("on-demand", "spot", "reserved-1y", "reserved-3y", "owned")
STALE_AFTER = dt.timedelta(days=365)
"""A quote this much older than the newest one of its kind no longer counts in a median."""


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
        valid_from: First day on which the price held.
        source: Where it was read.
    """

    model: str
    provider: str
    input: UsdPerToken
    cached: UsdPerToken | None
    output: UsdPerToken
    tier: str = "standard"
    valid_from: dt.date
    source: Source


@functools.cache
def _shipped() -> tuple[AcceleratorPrice, ...]:
    return read_csv(shipped("prices/accelerators.csv"), AcceleratorPrice)


def accelerator_prices(overlay: Path | None = None) -> tuple[AcceleratorPrice, ...]:
    """Return all price rows, those of the CSV file `overlay` after the shipped ones.

    Raises:
        CatalogError: the overlay is at fault, or names an accelerator without a record.
    """
    if overlay is None:
        return _shipped()
    own = read_csv(overlay, AcceleratorPrice)
    unknown = sorted({row.accelerator for row in own} - accelerators().keys())
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
    """Return the price that held at `at`, or None if that is unpriced.

    Without a provider it is the median over the providers' latest quotes, quotes a year older than
    the newest left out; the row then says how many and which. Half of the providers charge less.

    Args:
        key: Key of the accelerator.
        at: The instant asked about.
        commitment: One of `COMMITMENTS`.
        provider: Whose price; "" for the median over all.
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
    latest = _latest(wanted, at)
    return None if not latest else latest[0] if len(latest) == 1 else _median(latest)


def _latest(rows: Iterable[AcceleratorPrice], at: dt.date) -> list[AcceleratorPrice]:
    """Return the latest row of each provider and region valid at `at`, the stale ones left out."""
    found: dict[tuple[str, str], AcceleratorPrice] = {}
    for row in rows:
        place = (row.provider, row.region)
        before = found.get(place)
        if row.valid_from <= at and (before is None or before.valid_from <= row.valid_from):
            found[place] = row
    newest = max((row.valid_from for row in found.values()), default=at)
    return [row for row in found.values() if newest - row.valid_from < STALE_AFTER]


def _median(rows: Sequence[AcceleratorPrice]) -> AcceleratorPrice:
    names = ", ".join(sorted({row.provider for row in rows}))
    newest = max(rows, key=lambda row: row.valid_from)
    source = Source(
        source=f"median of {len(rows)} quotes: {names}",
        as_of=max(row.source.as_of for row in rows),
        evidence=Evidence.PUBLISHED,
    )
    price = statistics.median(row.price for row in rows)
    return replace(newest, provider=f"median of {len(rows)}", region="", price=price, source=source)
