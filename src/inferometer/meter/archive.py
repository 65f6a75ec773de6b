"""Closed months of the ledger as Parquet, one file a month, and questions about them in SQL.

A month is closed when the next one has begun (UTC). Its file is written beside its name and moved
there whole; a file that holds as many rows as the ledger is left as it is, so that a second run
writes only what has changed: rows that came late, or a month that has closed since.
"""

import contextlib
import datetime as dt
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, get_type_hints

from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt
from inferometer.meter.store.opening import Database, months, rows_of_month
from inferometer.meter.store.statements import NANO

if TYPE_CHECKING:
    import duckdb

_KINDS = {int: "BIGINT", int | None: "BIGINT", bool: "BOOLEAN"}
_FILE = "attempts.parquet"


@dataclass(frozen=True, slots=True)
class Month:
    """One month's file.

    Attributes:
        month: As 2026-10.
        rows: Attempts that began in it.
        file: Where it is.
        written: Whether this run wrote it.
    """

    month: str
    rows: int
    file: Path
    written: bool


def archive(database: Database, folder: Path, now: dt.datetime) -> list[Month]:
    """Write the months that are closed as Parquet files, `folder/month=2026-10/attempts.parquet`.

    Columns are those of `Attempt`, and `nano`, the whole amount, NULL where there is no price.

    Raises:
        LedgerError: the ledger cannot be read, or a file not written.
    """
    closed = [month for month in months(database) if month < f"{now:%Y_%m}"]
    try:
        return [_written(database, month, folder) for month in closed]
    except sqlite3.Error as error:
        raise LedgerError(f"rows cannot be read: {error}") from None
    except OSError as error:
        raise LedgerError(f"{folder}: cannot be written: {error.strerror}") from None


def _written(database: Database, month: str, folder: Path) -> Month:
    name = month.replace("_", "-")
    file = folder / f"month={name}" / _FILE
    (count,) = database.execute(f"SELECT count(*) FROM attempt_{month}").fetchone()
    if file.exists() and _count(file) == count:
        return Month(name, count, file, written=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as lines:
        _copy_rows(database, month, lines)
        fresh = file.with_suffix(".new")
        with _duck(f"{fresh}: cannot be written") as duck:
            taken = f"SELECT {_columns()} FROM read_ndjson_objects({_quoted(lines.name)})"
            duck.execute(
                f"COPY (SELECT *, {NANO} AS nano FROM ({taken}) "
                f"ORDER BY started_ns, request, attempt) TO {_quoted(str(fresh))} (FORMAT parquet)"
            )
        fresh.replace(file)
    return Month(name, count, file, written=True)


def _copy_rows(database: Database, month: str, file: IO[str]) -> None:
    """Write rows as the ledger holds them: each is one JSON array already."""
    for row in rows_of_month(database, month):
        file.write(row + "\n")
    file.flush()


def _columns() -> str:
    kinds = get_type_hints(Attempt)
    return ", ".join(
        f"(json ->> '$[{place}]')::{_KINDS.get(kinds[name], 'VARCHAR')} AS {name}"
        for place, name in enumerate(Attempt._fields)
    )


def _count(file: Path) -> int:
    with _duck(f"{file}: cannot be read; remove it to have it written again") as duck:
        found = duck.execute("SELECT count(*) FROM read_parquet(?)", [str(file)]).fetchone()
    return int(found[0]) if found else 0


@contextlib.contextmanager
def _duck(fault: str) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open a database in memory; what it cannot do is a `LedgerError` that begins with `fault`."""
    import duckdb  # noqa: PLC0415 - only the archive needs it

    try:
        with duckdb.connect() as duck:
            yield duck
    except duckdb.Error as error:
        raise LedgerError(f"{fault}: {error}") from None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def ask(folder: Path, question: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return column names and rows of a SQL question about the view `attempts`.

    The view is all months of an archive, with a column `month`. Nothing else can be read: no other
    file, no network, no extension. Nothing can be written, as only one SELECT is taken.

    Raises:
        LedgerError: no archive, or a question that cannot be answered.
    """
    if not any(folder.glob(f"month=*/{_FILE}")):
        raise LedgerError(f"{folder}: no archive: make one with `inferometer meter archive`")
    pattern = _quoted(str(folder / "month=*" / _FILE))
    with _duck("the question cannot be answered") as duck:
        duck.execute(
            f"CREATE VIEW attempts AS SELECT * FROM read_parquet({pattern}, hive_partitioning=true)"
        )
        duck.execute(f"SET allowed_directories = [{_quoted(str(folder))}]")
        duck.execute("SET enable_external_access = false")
        duck.execute("SET lock_configuration = true")
        if [one.type.name for one in duck.extract_statements(question)] != ["SELECT"]:
            raise LedgerError("the question cannot be answered: one SELECT is wanted")
        found = duck.execute(question)
        return [column[0] for column in found.description or []], found.fetchall()
