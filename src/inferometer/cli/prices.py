"""The price rows that a scenario asks for: which day, whose, and the user's own."""

import datetime as dt
from pathlib import Path

from inferometer.catalog.names import nearest
from inferometer.catalog.prices import (
    STALE_AFTER,
    AcceleratorPrice,
    accelerator_price,
    accelerator_prices,
)
from inferometer.cli.scenario import PriceSpec
from inferometer.errors import ScenarioError


def own_prices(prices: PriceSpec, catalog: Path | None = None) -> tuple[AcceleratorPrice, ...]:
    """Return the price rows of the user's own file; none without one.

    Raises:
        CatalogError: the file is at fault.
    """
    if not prices.file:
        return ()
    return accelerator_prices(Path(prices.file), catalog)[len(accelerator_prices()) :]


def instant(prices: PriceSpec, catalog: Path | None = None) -> dt.date:
    """Return the day asked about: the newest row of the catalogue, so that answers repeat.

    Raises:
        ScenarioError: not a date, or one at which no price row is valid.
    """
    days = [row.valid_from for row in _rows(prices, catalog)]
    if not prices.at:
        return max(days)
    try:
        day = dt.date.fromisoformat(prices.at)
    except ValueError as error:
        raise ScenarioError(f"prices.at: {prices.at!r} is not a day such as 2026-11-01") from error
    if not any(since <= day < since + STALE_AFTER for since in days):
        raise ScenarioError(
            f"prices.at: no price row is valid at {day}; rows hold from {min(days)}, the newest "
            f"of {max(days)} for {STALE_AFTER.days} days; ask for a day between, or give own rows "
            "with --prices"
        )
    return day


def _rows(prices: PriceSpec, catalog: Path | None) -> tuple[AcceleratorPrice, ...]:
    return accelerator_prices() + own_prices(prices, catalog)


def check_prices(prices: PriceSpec, catalog: Path | None = None) -> None:
    """Refuse a provider or region of which there is no price row at all.

    Raises:
        ScenarioError: there is none; the message names the nearest.
    """
    for name in ("provider", "region"):
        wanted: str = getattr(prices, name)
        known = {str(getattr(row, name)) for row in _rows(prices, catalog)} - {""}
        if wanted and wanted not in known:
            near = ", ".join(nearest(wanted, known) or sorted(known))
            hint = f"nearest: {near}" if near else f"no row states a {name}; leave out --{name}"
            raise ScenarioError(f"prices.{name}: no price row is of {wanted!r}; {hint}")


def price_of(key: str, prices: PriceSpec, catalog: Path | None = None) -> AcceleratorPrice | None:
    """Return the price of one accelerator, None if unpriced.

    Raises:
        ScenarioError: a provider or region without any row, or a day before all rows.
        CatalogError: unknown commitment, or a file of own prices that is at fault.
    """
    check_prices(prices, catalog)
    own = [
        row
        for row in own_prices(prices, catalog)
        if (row.accelerator, row.commitment) == (key, prices.commitment)
    ]
    return accelerator_price(
        key,
        rows=own or None,
        at=instant(prices, catalog),
        commitment=prices.commitment,
        provider=prices.provider,
        region=prices.region,
    )
