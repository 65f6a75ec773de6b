"""`inferometer catalog`: what the catalogue knows, each fact with unit, source and date."""

import dataclasses
import datetime as dt
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from cyclopts import App

from inferometer.catalog import tables
from inferometer.catalog.names import nearest, normalise, spellings_of
from inferometer.catalog.source import Source
from inferometer.cli.options import Format
from inferometer.errors import CatalogError
from inferometer.units import Unit, column, convert, units_of

app = App(
    name="catalog",
    help="Look facts up: accelerators, models, prices, grids, lengths, each with its source.",
)

Row = Mapping[str, Any]
Tables = Mapping[str, Mapping[str, Any]]


def _models(overlay: Path | None) -> Mapping[str, Any]:
    """Return all models; an overlay file holds none, a path names one in `show`."""
    from inferometer.catalog.models import models

    return models()


_KINDS: Mapping[str, Callable[[Path | None], Mapping[str, Any]]] = {
    "accelerators": tables.accelerators,
    "models": _models,
    "nodes": tables.nodes,
    "formats": tables.formats,
    "engines": tables.engines,
    "grids": tables.grids,
    "facilities": tables.facilities,
    "lengths": tables.lengths,
    "diurnal": tables.diurnal,
    "hour-shapes": tables.hour_shapes,
    "carbon-prices": tables.carbon_prices,
    "embodied": tables.embodied,
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "accelerators": (
        "name",
        "memory",
        "memory_bandwidth",
        "peak_bf16",
        "peak_fp8",
        "peak_fp4",
        "tdp",
    ),
    "models": ("name", "family", "max_context"),
    "nodes": ("accelerator", "accelerators", "host_power", "all_in_power"),
    "formats": ("bytes_per_element", "compute", "quality"),
    "engines": ("memory_rule", "memory_fraction", "reserve", "max_num_seqs", "max_batched_tokens"),
    "grids": ("name", "carbon", "price"),
    "facilities": ("name", "pue"),
    "lengths": ("name", "input_mean", "output_mean", "correlation", "requests"),
    "diurnal": ("name",),
    "hour-shapes": ("name", "grids"),
    "carbon-prices": ("name", "price"),
    "embodied": ("accelerator", "host", "life"),
}
Kind = Literal[
    "accelerators", "models", "nodes", "formats", "engines", "prices",
    "grids", "facilities", "lengths", "diurnal", "hour-shapes", "carbon-prices", "embodied",
]  # fmt: skip


@app.command(name="list")
def list_(
    kind: Kind = "accelerators",
    /,
    *,
    overlay: Path | None = None,
    at: dt.date | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """List the records of one kind.

    Args:
        kind: What to list.
        overlay: TOML file whose records lie on top of the shipped ones.
        at: Day whose prices are listed; all rows of the history without it.
        format: A table for people, or JSON.
    """
    rows = _price_rows(at) if kind == "prices" else _summaries(kind, overlay)
    _show(rows, format)


@app.command
def show(
    name: str,
    /,
    *,
    overlay: Path | None = None,
    at: dt.date | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Show every fact about a name, with its unit, source, date and how it came to be known.

    Args:
        name: Key or alias of anything in the catalogue, in any spelling; or the path of a model's
            config.json, GGUF file or folder.
        overlay: TOML file whose records lie on top of the shipped ones.
        at: Day whose prices are shown; today without it.
        format: A table for people, or JSON.
    """
    day = at or dt.datetime.now(dt.UTC).date()
    found = _named(name, overlay)
    rows = [row for kind, record in found for row in _facts(kind, record)]
    for kind, record in found:
        if kind == "accelerators":
            rows += _accelerator_price_facts(record.key, day)
    rows += _token_price_facts(
        name, [record.key for kind, record in found if kind == "models"], day
    )
    if not rows:
        raise CatalogError(_unknown(name, overlay))
    _show(rows, format)


def _named(name: str, overlay: Path | None) -> list[tuple[str, Any]]:
    """Return (kind, record) of all records that a name spells."""
    model = _model_named(name)
    short, found = normalise(name), [("models", model)] if model else list[tuple[str, Any]]()
    for kind, read in _KINDS.items():
        for record in read(overlay).values():
            if kind != "models" and short in {normalise(n) for n in spellings_of(record)}:
                found.append((kind, record))
    keys = {record.key for kind, record in found if kind == "accelerators"}
    known = {record.key for kind, record in found if kind == "nodes"}
    return found + [("nodes", tables.node(key, overlay)) for key in sorted(keys - known)]


def _model_named(name: str) -> Any:
    """Return the model of that name or path, None if no model is called so.

    Raises:
        CatalogError: it is the path of a file at fault.
    """
    from inferometer.catalog.model_files import is_path
    from inferometer.catalog.models import model

    try:
        return model(name)
    except CatalogError:
        if is_path(name):
            raise
        return None


def _unknown(name: str, overlay: Path | None) -> str:
    names = [n for read in _KINDS.values() for r in read(overlay).values() for n in spellings_of(r)]
    return f"nothing in the catalogue is named {name!r}; nearest: {', '.join(nearest(name, names))}"


def _summaries(kind: str, overlay: Path | None) -> list[Row]:
    return [_summary(kind, record) for record in _KINDS[kind](overlay).values()]


def _summary(kind: str, record: Any) -> Row:
    units = units_of(type(record))
    row: dict[str, Any] = {"key": record.key}
    for name in _COLUMNS[kind]:
        unit, value = units.get(name), getattr(record, name)
        shown = name if unit is None else column(name, unit)
        row[shown] = _plain(value if unit is None or value is None else _converted(value, unit))
    return {**row, **_model_counts(record)} if kind == "models" else row


def _model_counts(record: Any) -> Row:
    """Return what the architecture of a model amounts to, counted."""
    from inferometer.perf.counts import kv_bytes_per_token, parameters, state_bytes

    counted = parameters(record)
    return {
        "parameters_total": counted.total,
        "parameters_active": counted.active,
        "kv_bytes_per_token_bf16": kv_bytes_per_token(record, 2.0),
        "state_bytes": state_bytes(record),
        "checkpoints": [checkpoint.name for checkpoint in record.checkpoints],
    }


def _facts(kind: str, record: Any) -> list[Row]:
    """Return one row per field of a record."""
    units, rows = units_of(type(record)), list[Row]()
    own: Source = record.sources[""]
    if kind == "models":
        rows = _count_facts(record, replace(own, source=f"counted from {own.source}"))
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        unstated = field.name.startswith("published_") and not value
        if field.name in {"key", "sources"} or value is None or unstated:
            continue
        unit, source = units.get(field.name), record.sources.get(field.name, own)
        number = _plain(value if unit is None else _converted(value, unit))
        symbol = "" if unit is None else unit.shown or unit.symbol
        rows.append(_fact(f"{kind}/{record.key}", field.name, number, symbol, source))
    return rows


def _converted(value: float | tuple[float, ...], unit: Unit) -> float | tuple[float, ...]:
    if isinstance(value, tuple):
        return tuple(convert(each, unit) for each in value)
    return convert(value, unit)


def _count_facts(record: Any, source: Source) -> list[Row]:
    place = f"models/{record.key}"
    return [
        _fact(place, name, _plain(value), "B" if "bytes" in name else "", source)
        for name, value in _model_counts(record).items()
        if name != "checkpoints"
    ]


def _fact(record: str, field: str, value: Any, unit: str, source: Source) -> Row:
    return {
        "record": record,
        "field": field,
        "value": value,
        "unit": unit,
        "source": source.source,
        "as_of": source.as_of.isoformat(),
        "evidence": source.evidence.value,
    }


def _accelerator_price_facts(key: str, at: dt.date) -> list[Row]:
    from inferometer.catalog.prices import COMMITMENTS, accelerator_price

    rows: list[Row] = []
    for commitment in COMMITMENTS:
        price = accelerator_price(key, at=at, commitment=commitment)
        if price is not None:
            place = f"prices/{key}/{commitment}"
            rows.append(_fact(place, price.provider, price.price * 3600, "USD/h", price.source))
    if not rows:
        rows = [{"record": f"prices/{key}", "field": "price", "value": "unpriced"}]
    return rows


def _token_price_facts(name: str, models: Sequence[str], at: dt.date) -> list[Row]:
    from inferometer.catalog.tokens import token_prices

    rows: list[Row] = []
    for price in (price for model in models or [name] for price in token_prices(model, at=at)):
        place = f"tokens/{price.provider}/{price.model}/{price.tier}"
        for field in ("input", "cached", "output"):
            amount = getattr(price, field)
            if amount is not None:
                rows.append(_fact(place, field, amount * 1e6, "USD/Mtok", price.source))
    return rows


def _price_rows(at: dt.date | None) -> list[Row]:
    from inferometer.catalog.prices import accelerator_prices

    return [
        {
            "accelerator": row.accelerator,
            "provider": row.provider,
            "commitment": row.commitment,
            "usd_per_h": round(row.price * 3600, 4),
            "valid_from": row.valid_from.isoformat(),
            "source": row.source.source,
        }
        for row in accelerator_prices()
        if at is None or row.valid_from <= at
    ]


def _plain(value: Any) -> Any:
    """Return a field's value as JSON can hold it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dt.date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _show(rows: Sequence[Row], format: Format) -> None:  # noqa: A002
    if format == "json":
        import json

        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    _table(rows)


def _table(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    names: Iterable[str] = dict.fromkeys(name for row in rows for name in row)
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    wide = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=wide, highlight=False, markup=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):  # a nested record: what it has, not what it lacks
        return " ".join(f"{name} {_cell(item)}" for name, item in value.items() if item)
    return ", ".join(_cell(item) for item in value) if isinstance(value, list) else str(value)
