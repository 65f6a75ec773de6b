"""Files of the catalogue: TOML tables and CSV rows become frozen records, strictly.

One table per record, named by its key; `catalog.schema` says how a table becomes a record::

    [h100-sxm]
    source = "NVIDIA H100 data sheet"
    as_of = 2024-05-01
    memory = "80 GB"
    idle_power = {value = "75 W", source = "two H200 readings", evidence = "assumed"}

An overlay is a file of the user or of a calibration with one table of records per kind
("[accelerators.h100-sxm]"). It lies on top of the shipped facts: a known key changes the fields it
gives, a new key must be complete.
"""

import csv
import functools
import io
import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from inferometer.catalog.names import Named, index
from inferometer.catalog.schema import R, Record, build, collecting, refuse, unknown_keys
from inferometer.catalog.sections import sections
from inferometer.errors import CatalogError

DATA = resources.files("inferometer.catalog") / "data"
SECTIONS = (
    *("accelerators", "nodes", "formats", "engines", "models"),
    *("grids", "facilities", "lengths", "diurnal", "clock_laws"),
    *("hour_shapes", "carbon_prices", "embodied"),
    *("efficiencies", "residuals", "basis"),
    *("servers", "colocations", "habits", "depreciations"),
    *("commitments", "egress", "trends", "operations"),
)
"""Kinds of records that an overlay may hold."""


class NamedRecord(Named, Record, Protocol):
    """A dataclass with a key, and aliases if it has other names."""


K = TypeVar("K", bound=NamedRecord)


def read_toml(file: Traversable | Path, record: type[K]) -> dict[str, K]:
    """Return the records of a TOML file by key.

    Raises:
        CatalogError: any fault of the file, all of them in one message.
    """
    return _records(_tables(file), record, {}, _label(file))


@functools.cache
def shipped_texts(name: str) -> Mapping[str, str]:
    """Return what each record of a file of the catalogue's data folder says, by key, unparsed."""
    return sections(_text(shipped(name)))


@functools.cache
def shipped_record(name: str, record: type[K], key: str) -> K:
    """Return one record of such a file; no other is read.

    Raises:
        CatalogError: it is at fault.
    """
    label = _label(shipped(name))
    return _records(_parsed(shipped_texts(name)[key], label), record, {}, label)[key]


def overlaid(base: Mapping[str, K], record: type[K], section: str, overlay: Path) -> dict[str, K]:
    """Return `base` with the records that the file `overlay` changes or adds under `section`.

    Raises:
        CatalogError: any fault of that section, or a section that the catalogue does not know.
    """
    tables = _tables(overlay)
    refuse(unknown_keys(tables, dict.fromkeys(SECTIONS), str(overlay)))
    return _records(tables.get(section, {}), record, base, f"{overlay}: {section}")


def read_csv(file: Traversable | Path, record: type[R]) -> tuple[R, ...]:
    """Return the rows of a CSV file in order; an empty cell is a field left out.

    Raises:
        CatalogError: any fault of the file, all of them in one message.
    """
    faults, rows, label = list[str](), list[R](), _label(file)
    for number, cells in enumerate(csv.DictReader(io.StringIO(_text(file)), strict=True), start=2):
        where = f"{label}: line {number}"
        with collecting(faults):
            if None in cells or None in cells.values():
                raise CatalogError(f"{where}: the number of cells differs from the header's")
            rows.append(build(record, {n: cell for n, cell in cells.items() if cell}, where))
    refuse(faults)
    return tuple(rows)


def shipped(name: str) -> Traversable:
    """Return a file of the catalogue's data folder."""
    return DATA.joinpath(*name.split("/"))


def _records(
    tables: Mapping[str, Any], record: type[K], base: Mapping[str, K], origin: str
) -> dict[str, K]:
    faults, found = list[str](), dict(base)
    for key, raw in tables.items():
        where = f"{origin}: {key}"
        with collecting(faults):
            if not isinstance(raw, dict) or "key" in raw:
                raise CatalogError(f"{where}: a table of fields is wanted, its name is the key")
            found[key] = build(record, {**raw, "key": key}, where, base=base.get(key))
    refuse(faults)
    index(found, origin=origin)  # refuses one name for two records
    return found


def _label(file: Traversable | Path) -> str:
    return f"catalog/data/{file.name}" if _is_shipped(file) else str(file)


def _is_shipped(file: Traversable | Path) -> bool:
    return not isinstance(file, Path) or (isinstance(DATA, Path) and file.is_relative_to(DATA))


def _text(file: Traversable | Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{_label(file)}: cannot be read: {error}") from error


def _tables(file: Traversable | Path) -> dict[str, Any]:
    return _parsed(_text(file), _label(file))


def _parsed(text: str, label: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CatalogError(f"{label}: not valid TOML: {error}") from error
