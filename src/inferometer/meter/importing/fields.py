"""Fields of other tools' records: typed, bounded, with the fault named."""

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation, Overflow
from typing import Any

import msgspec

from inferometer.account.split import split
from inferometer.errors import LedgerError
from inferometer.meter.record import CLASSES, LONGEST_NAME

Record = Mapping[str, Any]
MOST_TOKENS = 10**9
DEAREST_NANO = 10**15
"""A million dollars for one request: beyond it a figure is a fault. Our own choice."""


def text(record: Record, *names: str) -> str:
    """Return the first of some fields that is given, as text."""
    for name in names:
        value = record.get(name)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return str(value)[:LONGEST_NAME]
    return ""


def tokens(record: Record, *names: str) -> int:
    """Return the first of some counts that is given; 0 without one.

    Raises:
        LedgerError: no whole number in range.
    """
    for name in names:
        value = record.get(name)
        if value is None or value == "":
            continue
        try:
            count = float(value)
        except (TypeError, ValueError, OverflowError):
            count = math.nan
        if isinstance(value, bool) or not 0 <= count <= MOST_TOKENS or count != int(count):
            raise LedgerError(f"{name} is {value!r:.40}; a count of tokens is wanted")
        return int(count)
    return 0


def nanos(record: Record, *names: str) -> int | None:
    """Return the first of some dollar amounts that is given, in nano-dollars; None without one.

    Raises:
        LedgerError: negative, not finite, or beyond belief.
    """
    for name in names:
        value = record.get(name)
        if value is None or value == "":
            continue
        try:
            amount = Decimal(str(value)).scaleb(9)
        except (InvalidOperation, Overflow, ValueError):
            amount = Decimal("NaN")
        if not amount.is_finite() or not 0 <= amount <= DEAREST_NANO:
            raise LedgerError(f"{name} is {value!r:.40}; dollars are wanted")
        return round(amount)
    return None


def instant_ns(record: Record, *names: str) -> int | None:
    """Return the first of some times that is given (ISO text, UTC without a zone), Unix ns.

    Raises:
        LedgerError: it cannot be read.
    """
    value = text(record, *names)
    if not value:
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        raise LedgerError(f"{names[0]} is {value!r:.40}; a time is wanted") from None
    since = moment.replace(tzinfo=moment.tzinfo or dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def inner(record: Record, *names: str) -> Record:
    """Return a nested object, also where it is JSON within text; empty without one."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and value.startswith("{"):
            try:
                value = msgspec.json.decode(value)
            except (msgspec.DecodeError, RecursionError):
                continue
        if isinstance(value, Mapping):
            return value
    return {}


def shared_amounts(total: int | None, counts: Mapping[str, int]) -> dict[str, Any]:
    """Return a request's whole amount by class of tokens, by number of tokens; empty for None.

    Where only the total is known, the classes are a convention, and the total is what counts.
    """
    if total is None:
        return {}
    weights = {name: float(counts.get(name, 0)) for name in CLASSES}
    if not any(weights.values()):
        weights["output"] = 1.0
    return {f"nano_{name}": amount for name, amount in split(total, weights).items()}


def nested(inputs: int, read: int, written: int, outputs: int, reasoning: int) -> dict[str, Any]:
    """Return disjoint counts and their basis from counts whose parts are inside the whole."""
    sound = read + written <= inputs and reasoning <= outputs
    return {
        "uncached_input": max(0, inputs - read - written),
        "cache_read": read,
        "cache_write_5m": written,
        "output": max(0, outputs - reasoning),
        "reasoning": reasoning,
        "basis": "reported" if sound else "inconsistent",
    }
