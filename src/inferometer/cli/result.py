"""Results on their way out: records become JSON with units in the names, or tables."""

import dataclasses
import datetime as dt
import math
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec

from inferometer.deployment import Deployment
from inferometer.plan.comparison import settings
from inferometer.units import column, convert, units_of


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: fields with their unit in the name, no infinities."""
    if isinstance(value, Deployment):
        return {"summary": str(value), **settings(value), "accelerators": value.accelerators}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, dt.date) else value


def _record(record: Any) -> dict[str, Any]:
    units = units_of(type(record))
    found: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value, unit = getattr(record, field.name), units.get(field.name)
        if unit is None or value is None:
            found[field.name if unit is None else column(field.name, unit)] = plain(value)
        elif isinstance(value, tuple):
            found[column(field.name, unit)] = [plain(convert(item, unit)) for item in value]
        else:
            found[column(field.name, unit)] = plain(convert(float(value), unit))
    return found


def show_json(value: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    text = msgspec.json.format(msgspec.json.encode(plain(value)), indent=1)
    sys.stdout.write(text.decode() + "\n")


def show_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table with a title; nothing for no rows."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        return
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row.values()))
    wide = None if sys.stdout.isatty() else 200
    console = Console(file=sys.stdout, width=wide, highlight=False)
    console.print(table)
    console.print()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
