"""One table of a catalogue file -> one frozen record; the record's annotations are the schema.

Fields with a unit are written as their source prints them ("3.35 TB/s") and arrive in base units.
Everything that does not fit is an error that names the place; all faults of a record are reported
together.
"""

import contextlib
import dataclasses
import datetime as dt
import functools
import math
from collections.abc import Generator, Mapping
from dataclasses import MISSING, dataclass
from enum import Enum
from types import NoneType
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints

from inferometer.catalog.names import nearest
from inferometer.catalog.source import Evidence, Source
from inferometer.errors import CatalogError, UnitError
from inferometer.units import Unit, parse, unit_of

PROVENANCE = ("source", "as_of", "evidence")


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class _Schema:
    hints: Mapping[str, Any]  # annotation of each field that a table may set
    required: frozenset[str]
    provenance: str  # name of the field that holds it: "sources", "source", or "" for none


@contextlib.contextmanager
def collecting(faults: list[str]) -> Generator[None]:
    """Turn a `CatalogError` or `UnitError` of the block into lines of `faults`."""
    try:
        yield
    except (CatalogError, UnitError) as error:
        faults.append(str(error))


def refuse(faults: list[str]) -> None:
    """Raise all faults as one `CatalogError`, if there are any."""
    if faults:
        raise CatalogError("\n".join(faults))


def build(record: type[R], raw: object, where: str, *, base: R | None = None) -> R:
    """Return the record that a table describes.

    Args:
        record: Dataclass to build. If it has a field `sources` (by field name, "" the record's
            own) or `source`, the table must give `source` and `as_of`, may give `evidence`, and
            any field may be a table `{value, source, as_of, evidence}` with a source of its own.
        raw: The table as TOML or CSV gives it.
        where: File and key, for messages.
        base: Record that the table changes; then only the changed fields need to be given.

    Raises:
        CatalogError: unknown key (with the nearest valid one), missing field or source, wrong
            type or dimension, negative or not finite; one line per fault.
    """
    if not isinstance(raw, Mapping):
        raise CatalogError(f"{where}: a table of fields is wanted, not {raw!r}")
    schema, faults = _schema(record), list[str]()
    own: Source | None = None
    if schema.provenance:
        with collecting(faults):
            own = _source(raw, where, None)
        raw = {name: item for name, item in raw.items() if name not in PROVENANCE}
    faults += unknown_keys(raw, schema.hints, where)
    if base is None:
        faults += [f"{where}.{name}: missing" for name in sorted(schema.required - raw.keys())]
    values, sources = dict[str, Any](), dict[str, Source | None]()
    for name in (key for key in raw if key in schema.hints):
        with collecting(faults):
            item, sources[name] = _unwrap(schema, raw[name], own, f"{where}.{name}")
            values[name] = _convert(schema.hints[name], item, f"{where}.{name}")
    refuse(sorted(faults))
    provenance = _provenance(schema, own, sources, base)
    try:
        whole = {**values, **provenance}
        return dataclasses.replace(base, **whole) if base else record(**whole)
    except CatalogError as error:  # a record does not know where it stands
        raise CatalogError(f"{where}: {error}") from None


def unknown_keys(raw: Mapping[str, object], known: Mapping[str, object], where: str) -> list[str]:
    """Return one fault per key of `raw` that is not known, with the nearest valid one."""
    faults: list[str] = []
    for name in (key for key in raw if key not in known):
        near = nearest(name, known) or sorted(known)
        faults.append(f"{where}.{name}: unknown key; nearest: {', '.join(near)}")
    return faults


def _provenance(
    schema: _Schema, own: Source | None, sources: Mapping[str, Source | None], base: Record | None
) -> dict[str, Any]:
    """Return the field that holds the sources: of each field of its own, and "" for the rest."""
    if not schema.provenance:
        return {}
    if schema.provenance == "source":
        return {"source": own}
    if base is None:
        return {"sources": {"": own, **{name: s for name, s in sources.items() if s is not own}}}
    before: Mapping[str, Source] = getattr(base, "sources", {})
    return {"sources": {**before, **{name: s for name, s in sources.items() if name != "key"}}}


@functools.cache
def _schema(record: type[Record]) -> _Schema:
    hints = get_type_hints(record, include_extras=True)
    fields = dataclasses.fields(record)
    required = {f.name for f in fields if f.default is MISSING and f.default_factory is MISSING}
    provenance = (
        "sources" if "sources" in hints else "source" if hints.get("source") is Source else ""
    )
    hints.pop(provenance, None)
    return _Schema(hints, frozenset(required & hints.keys()), provenance)


def _source(raw: Mapping[str, Any], where: str, default: Source | None) -> Source:
    """Return the source that a table states, completed from `default`."""
    faults: list[str] = []
    given: dict[str, Any] = {}
    hints = {"source": str, "as_of": dt.date, "evidence": Evidence}
    for name in PROVENANCE:
        if name in raw:
            with collecting(faults):
                given[name] = _convert(hints[name], raw[name], f"{where}.{name}")
        elif default is None and name != "evidence":
            faults.append(f"{where}.{name}: missing; every fact states where and when it was read")
    if given.get("source", "x").strip() == "":
        faults.append(f"{where}.source: empty")
    refuse(faults)
    return dataclasses.replace(default, **given) if default else Source(**given)


def _unwrap(
    schema: _Schema, item: object, own: Source | None, where: str
) -> tuple[object, Source | None]:
    """Return value and source of a field, which may be a table with a source of its own."""
    if not (schema.provenance == "sources" and isinstance(item, Mapping) and "value" in item):
        return item, own
    refuse(unknown_keys(item, dict.fromkeys(("value", *PROVENANCE)), where))
    return item["value"], _source(item, where, own)


def _convert(hint: Any, raw: object, where: str) -> Any:
    """Return `raw` as the annotation `hint` wants it."""
    hint = _without_none(hint)
    if get_origin(hint) is tuple:
        return _sequence(get_args(hint)[0], raw, where)
    if get_origin(hint) is Mapping:
        return _mapping(get_args(hint)[1], raw, where)
    unit = unit_of(hint)
    if unit is not None:
        return _quantity(raw, unit, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, raw, where)
    return _plain(hint, raw, where)


def _without_none(hint: Any) -> Any:
    options = [option for option in get_args(hint) if option is not NoneType]
    return options[0] if NoneType in get_args(hint) and len(options) == 1 else hint


def _sequence(hint: Any, raw: object, where: str) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise CatalogError(f"{where}: a list is wanted, not {raw!r}")
    items, faults = list[Any](), list[str]()
    for position, item in enumerate(raw):
        with collecting(faults):
            items.append(_convert(hint, item, f"{where}[{position}]"))
    refuse(faults)
    return tuple(items)


def _mapping(hint: Any, raw: object, where: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise CatalogError(f"{where}: a table is wanted, not {raw!r}")
    items, faults = dict[str, Any](), list[str]()
    for name, item in raw.items():
        with collecting(faults):
            items[name] = _convert(hint, item, f"{where}.{name}")
    refuse(faults)
    return items


def _quantity(raw: object, unit: Unit, where: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise CatalogError(f"{where}: a quantity in {unit.symbol} is wanted, not {raw!r}")
    try:
        value = parse(raw if isinstance(raw, str) else repr(raw), unit)
    except UnitError as error:
        raise CatalogError(f"{where}: {error}") from error
    if value < 0:
        raise CatalogError(f"{where}: {raw!r} is negative")
    return value


def _member(hint: type[Enum], raw: object, where: str) -> Enum:
    try:
        return hint(raw)
    except ValueError:
        known = ", ".join(str(member.value) for member in hint)
        raise CatalogError(f"{where}: {raw!r} is not one of {known}") from None


def _plain(hint: Any, raw: object, where: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(hint, raw, where)
    if hint is dt.date and isinstance(raw, str):
        try:
            return dt.date.fromisoformat(raw)
        except ValueError:
            raise CatalogError(f"{where}: {raw!r} is not a date such as 2026-01-31") from None
    if hint is float and type(raw) is int:
        return float(raw)
    if type(raw) is not hint:  # exact: True is no number, a time of day is no date
        raise CatalogError(f"{where}: {raw!r} is not of type {getattr(hint, '__name__', hint)}")
    if isinstance(raw, float) and not math.isfinite(raw):
        raise CatalogError(f"{where}: {raw!r} is not finite")
    return raw
