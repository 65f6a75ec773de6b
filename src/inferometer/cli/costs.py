"""`inferometer costs`: what was spent, by tenant, model, feature, run or hour."""

import datetime as dt
from contextlib import closing
from decimal import Decimal
from typing import Any

from inferometer.cli.options import Format
from inferometer.cli.result import show_json, show_rows
from inferometer.errors import LedgerError
from inferometer.meter.costs import PERIODS, Cost
from inferometer.meter.costs import costs as costs_of
from inferometer.meter.rollup import NS
from inferometer.meter.store.opening import open_database

FOREVER = 7_258_118_400 * NS
"""2200-01-01 in Unix nanoseconds: the last day that 64 bits can tell safely."""


def costs(
    ledger: str,
    /,
    *,
    by: str = "tenant,model",
    since: str = "",
    until: str = "",
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Show what was spent: charges of providers and shares of our own replicas.

    Idle capacity, head-room and tokens that no row shows are lines of their own, so that the lines
    add up to the bill. Attempts without a price are counted as unpriced, never as free.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address.
        by: Groups, joined by commas: tenant, feature, model, served, provider, upstream, key,
            session, run, hour, day.
        since: First day or instant (UTC), as 2026-11-01 or 2026-11-01T06:00.
        until: End, exclusive.
        format: A table for people, or JSON.
    """
    names = [name.strip() for name in by.split(",") if name.strip()]
    first, last = instant(since, "since", 0), instant(until, "until", FOREVER)
    if last <= first:
        raise LedgerError(f"until {until} is not after since {since}")
    with closing(open_database(ledger)) as database:
        lines = costs_of(database, names, first, last)
    rows = [_named(names, line) for line in lines]
    total = sum(line.nano for line in lines)
    if format == "json":
        show_json({"by": names, "costs": rows, "nano_usd": total, "usd": usd(total)})
    else:
        show_rows("Costs, allocation basis", [_shown(row) for row in rows])
        show_rows("Total", [{"USD": usd(total), "unpriced": sum(one.unpriced for one in lines)}])


def instant(text: str, what: str, default: int) -> int:
    """Return an ISO day or instant, UTC unless it says otherwise, as Unix nanoseconds.

    Raises:
        LedgerError: it is neither.
    """
    if not text:
        return default
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise LedgerError(f"{what}: {text!r:.40} is no day or instant such as 2026-11-01") from None
    found = int(moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()) * NS
    if not 0 <= found <= FOREVER:
        raise LedgerError(f"{what}: {text} is not between 1970 and 2200")
    return found


def usd(nano: int) -> str:
    """Return nano-dollars as dollars, exactly."""
    return f"{Decimal(nano).scaleb(-9):f}"


def _named(names: list[str], line: Cost) -> dict[str, Any]:
    groups = {
        name: dt.datetime.fromtimestamp(int(value), dt.UTC).isoformat()
        if name in PERIODS
        else value
        for name, value in zip(names, line.group, strict=True)
    }
    return groups | {
        "bucket": line.bucket,
        "attempts": line.attempts,
        "unpriced": line.unpriced,
        "estimated": line.estimated,
        "input_tokens": line.input_tokens,
        "cached_tokens": line.cached_tokens,
        "output_tokens": line.output_tokens,
        "api_nano_usd": line.api_nano,
        "allocation_nano_usd": line.allocation_nano,
        "usage_nano_usd": line.usage_nano,
        "usd": usd(line.nano),
        "energy_wh": line.energy_uj / 3.6e9,
        "carbon_g": line.carbon_ug / 1e6,
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    hidden = {"estimated", "api_nano_usd", "allocation_nano_usd", "usage_nano_usd"}
    return {name: value for name, value in row.items() if name not in hidden}
