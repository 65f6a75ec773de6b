"""The price rows that a scenario asks for: which day, whose, and the user's own."""

import datetime as dt
from pathlib import Path

from inferometer.catalog.prices import AcceleratorPrice, accelerator_price, accelerator_prices
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
        ScenarioError: not a date.
    """
    if not prices.at:
        rows = accelerator_prices() + own_prices(prices, catalog)
        return max(row.valid_from for row in rows)
    try:
        return dt.date.fromisoformat(prices.at)
    except ValueError as error:
        raise ScenarioError(f"prices.at: {prices.at!r} is not a day such as 2026-11-01") from error


def price_of(key: str, prices: PriceSpec, catalog: Path | None = None) -> AcceleratorPrice | None:
    """Return the price of one accelerator, None if unpriced.

    Raises:
        CatalogError: unknown commitment, or a file of own prices that is at fault.
    """
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
