"""A scenario written as TOML again: file, options and defaults as one text that repeats it."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from inferometer.units import units_of


def toml(record: Any) -> str:
    """Return a TOML text that `read_scenario` reads as `record`; defaults are left out."""
    return "\n".join(_lines(record, ())).strip() + "\n"


def _lines(record: Any, path: tuple[str, ...]) -> Iterator[str]:
    units = units_of(type(record))
    tables: list[tuple[str, Any]] = []
    if path:
        yield f"\n[{'.'.join(path)}]"
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if value is None or value == _default(field):
            continue
        if dataclasses.is_dataclass(value):
            tables.append((field.name, value))
        elif field.name in units and units[field.name].symbol != "1":
            yield f'{field.name} = "{value!r} {units[field.name].symbol}"'
        else:
            yield f"{field.name} = {_literal(value)}"
    for name, value in tables:
        yield from _lines(value, (*path, name))


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(name)} = {_literal(item)}" for name, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_literal(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
