"""Your own prices: a TOML file of dated rows that go before the price list.

::

    [[price]]
    provider = "openai"
    model = "gpt-5"
    valid_from = 2026-01-01
    source = "contract 4711, annex B"
    input = "1.00"              # dollars per million tokens, as text: exact
    cache_read = "0.10"
    output = "8.00"

A class without a price of its own costs what its parent does: cached and written input as input,
an hour's cache write as five minutes', reasoning as output. `tier` and `above_input_tokens` narrow
a row.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from inferometer.catalog.names import nearest
from inferometer.errors import LedgerError
from inferometer.meter.prices import PICO_PER_MTOK, TIERS, Offer, offer
from inferometer.toml_file import read_toml

DEAREST = 1_000_000
"""Dollars per million tokens: a dollar a token is a slip; amounts stay in 64 bits."""
_PRICES = {  # the file's names, each with where it falls back to
    "input": None,
    "cache_read": "input",
    "cache_write_5m": "input",
    "cache_write_1h": "cache_write_5m",
    "output": None,
    "reasoning": "output",
}
_NAMES = {"provider", "model", "valid_from", "source", "tier", "above_input_tokens", *_PRICES}


def overrides(path: Path) -> Callable[[str, str, str], Iterator[Offer]]:
    """Return a price list made of a file's rows; models match without regard to case.

    Raises:
        LedgerError: any fault of the file; all of them are named together.
    """
    document = read_toml(path, LedgerError)
    rows = document.get("price", [])
    faults = [
        f"{path}: {name}: unknown; rows are [[price]]" for name in document if name != "price"
    ]
    offers: list[Offer] = []
    for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
        try:
            offers.append(_offer(row))
        except LedgerError as error:
            faults.append(f"{path}: price {number}: {error}")
    if faults or not isinstance(rows, list):
        raise LedgerError("\n".join(faults) or f"{path}: rows are [[price]]")

    def found(provider: str, model: str, tier: str) -> Iterator[Offer]:
        for one in offers:
            if (one.row.provider, one.row.model, one.row.tier) == (provider, model.lower(), tier):
                yield one

    return found


def _offer(row: Any) -> Offer:
    if not isinstance(row, dict):
        raise LedgerError("a table is wanted")
    for name in row:
        if name not in _NAMES:
            near = nearest(name, _NAMES)
            raise LedgerError(f"{name}: unknown{f'; did you mean {near[0]}?' if near else ''}")
    day, above, tier = row.get("valid_from"), row.get("above_input_tokens", 0), row.get("tier", "")
    if type(day) is not dt.date:
        raise LedgerError("valid_from: a date is wanted, as 2026-01-01")
    if type(above) is not int or above < 0:
        raise LedgerError("above_input_tokens: a whole number is wanted")
    if tier not in TIERS:
        raise LedgerError(f"tier: {tier!r}; one of {', '.join(filter(None, TIERS))} is wanted")
    key = (_text(row, "provider"), _text(row, "model").lower(), tier, day.isoformat())
    return offer(key, _picos(row), above=above, source=_text(row, "source"))


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise LedgerError(f"{name}: text is wanted")
    return value.strip()


def _picos(row: dict[str, Any]) -> tuple[int | None, ...]:
    found: dict[str, int | None] = {}
    for name, parent in _PRICES.items():
        given = _price(row[name], name) if name in row else None
        found[name] = found[parent] if given is None and parent else given
    if found["input"] is None:
        raise LedgerError("input: a price is wanted")
    return tuple(found.values())


def _price(value: object, name: str) -> int:
    try:
        amount = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= DEAREST or amount != round(amount, 6):
        raise LedgerError(
            f"{name}: {value!r:.40}; dollars per million tokens as text are wanted, "
            f"from 0 to {DEAREST}, at most six places"
        )
    return int(amount * PICO_PER_MTOK)
