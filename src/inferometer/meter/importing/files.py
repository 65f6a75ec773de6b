"""Log files into a ledger: the format told by its fields, each row once, faults by line."""

import csv
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.importing import langfuse, litellm, otel
from inferometer.meter.importing.fields import Record
from inferometer.meter.prices import PriceTable, priced
from inferometer.meter.record import Attempt, Ledger, check
from inferometer.workload.formats.packed import unpacked

FORMATS: Mapping[str, tuple[set[str], Callable[[Record], Iterator[Attempt]]]] = {
    "litellm": (litellm.SIGNS, litellm.attempts),
    "langfuse": (langfuse.SIGNS, langfuse.attempts),
    "otel": (otel.SIGNS, otel.attempts),
}
BATCH = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Where the rows of a file went: rows = new + known.

    Attributes:
        format: Name of the format.
        rows: Calls of a model in the file.
        new: Of these, recorded now.
        known: Of these, in the ledger already.
        unpriced: Of these, rows without a price.
    """

    format: str
    rows: int
    new: int
    known: int
    unpriced: int


def import_file(
    path: Path,
    ledger: Ledger,
    *,
    log: str = "auto",
    table: PriceTable | None = None,
) -> Imported:
    """Record the model calls of a log file; a second time changes nothing.

    Args:
        path: JSON, JSON lines or CSV, also gzip.
        ledger: Where to.
        log: litellm, langfuse or otel; "auto" tells it by the fields.
        table: Prices for rows that came without.

    Raises:
        LedgerError: a row at fault, by its place; rows before its batch are recorded.
    """
    source = _numbered(path)
    first = next(source, None)
    if first is None:
        raise LedgerError(f"{path}: empty")
    name = _format(path, first[1]) if log == "auto" else log
    if name not in FORMATS:
        raise LedgerError(f"log {name!r}: one of {', '.join(FORMATS)} is wanted")
    rows = _rows(path, _chain(first, source), name, table)
    total = new = without = 0
    while batch := list(islice(rows, BATCH)):
        total, new = total + len(batch), new + ledger.append(batch)
        without += sum(row.nanos is None for row in batch)
    return Imported(format=name, rows=total, new=new, known=total - new, unpriced=without)


def _chain(
    first: tuple[int, Record], rest: Iterator[tuple[int, Record]]
) -> Iterator[tuple[int, Record]]:
    yield first
    yield from rest


def _rows(
    path: Path, records: Iterator[tuple[int, Record]], name: str, table: PriceTable | None
) -> Iterator[Attempt]:
    for number, record in records:
        try:
            for row in FORMATS[name][1](record):
                if row.nanos is None and table is not None:
                    table.prepare({(row.provider, row.served), (row.provider, row.model)})
                    row = priced(row, table)  # noqa: PLW2901
                check(row)
                yield row
        except LedgerError as error:
            raise LedgerError(f"{path}: record {number}: {error}") from None


def _format(path: Path, record: Record) -> str:
    for name, (signs, _) in FORMATS.items():
        if signs <= set(record):
            return name
    found = ascii(", ".join(sorted(map(str, record)))[:200])
    raise LedgerError(f"{path}: no known log has the fields {found}; name it (--log)")


def _numbered(path: Path) -> Iterator[tuple[int, Record]]:
    """Yield (number, record) of a JSON array, JSON lines, or CSV."""
    try:
        if not path.is_file():
            raise LedgerError(f"{path}: no such file")
        with path.open("rb") as opened:
            plain = unpacked(opened) if path.suffix == ".gz" else opened
            text = io.TextIOWrapper(plain, encoding="utf-8-sig", newline="")
            yield from enumerate(_records(text), 1)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise LedgerError(f"{path}: cannot be read: {error}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise LedgerError(f"{path}: damaged JSON: {error}") from None


def _records(file: TextIO) -> Iterator[Record]:
    start = file.readline()
    if start.lstrip().startswith("["):
        yield from _objects(msgspec.json.decode(start + file.read()))
    elif start.lstrip().startswith("{"):
        if start.strip() == "{":  # a document over several lines
            yield from _objects([msgspec.json.decode(start + file.read())])
            return
        yield from _objects([msgspec.json.decode(start)])
        yield from _objects(msgspec.json.decode(line) for line in file if line.strip())
    elif start.strip():
        yield from csv.DictReader(file, next(csv.reader([start])))


def _objects(values: Any) -> Iterator[Record]:
    for value in values:
        if not isinstance(value, dict):
            raise LedgerError("a record is no JSON object")
        yield value
