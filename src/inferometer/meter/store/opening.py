"""A ledger by its name, a SQLite file or a PostgreSQL address: opened to write rows, or to read.

Readers and `chargeback` speak one SQL that both stores know, with values bound by `?`. A SQLite
connection is a `Database` as it is; that of PostgreSQL is made like one.
"""

import importlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from inferometer.errors import LedgerError
from inferometer.meter.store import sqlite
from inferometer.meter.store.statements import COLUMNS, month_span

if TYPE_CHECKING:
    from inferometer.meter.store.postgres import PostgresLedger

SCHEMES = ("postgres://", "postgresql://")


class Found(Protocol):
    """Rows that a statement found, to be read once."""

    def __iter__(self) -> Iterator[Any]:
        """Yield rows, as tuples."""
        ...

    def fetchone(self) -> Any:
        """Return the next row; None after the last."""
        ...


class Database(Protocol):
    """A ledger to ask: one statement at a time, `?` for each value."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Found:
        """Run a statement.

        Raises:
            sqlite3.Error: the file cannot answer.
            LedgerError: the server cannot.
        """
        ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run a statement for each row of values."""
        ...

    def close(self) -> None:
        """Let go of file or connection."""
        ...


def is_server(ledger: str) -> bool:
    """Return whether a ledger's name is a server's address and not a file's."""
    return ledger.startswith(SCHEMES)


def open_ledger(ledger: str) -> "sqlite.SqliteLedger | PostgresLedger":
    """Return a ledger to write rows into, made or brought up to date if need be.

    Args:
        ledger: A SQLite file, or a postgresql:// address.

    Raises:
        LedgerError: it cannot be opened.
    """
    if not is_server(ledger):
        return sqlite.SqliteLedger(Path(ledger))
    found: PostgresLedger = _module("postgres").PostgresLedger(ledger)
    return found


def open_database(ledger: str, *, read_only: bool = True) -> Database:
    """Return a ledger to ask; one that only reads sees a server as it was when it was opened.

    Raises:
        LedgerError: it is not there, cannot be opened, or is a database of something else.
    """
    if is_server(ledger):
        opened: Database = _module("postgres_reading").PostgresDatabase(ledger, read_only=read_only)
        return opened
    if not Path(ledger).is_file():
        raise LedgerError(f"{ledger}: no such ledger")
    database = sqlite.connect(Path(ledger), read_only=read_only)
    if database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'rollup'").fetchone() is None:
        database.close()
        raise LedgerError(f"{ledger}: no ledger: it has none of its tables")
    return database


def months(database: Database) -> list[str]:
    """Return the months that have a table of attempts, in order."""
    if isinstance(database, sqlite3.Connection):
        return sqlite.months(database)
    found = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    names = (str(name) for (name,) in found)
    return sorted(name.removeprefix("attempt_") for name in names if name.startswith("attempt_"))


def rows_of_month(database: Database, month: str) -> Iterator[str]:
    """Yield the attempts of a month as JSON arrays, fields in the order of `Attempt`."""
    if isinstance(database, sqlite3.Connection):  # as they are stored
        yield from (row for (row,) in database.execute(f"SELECT row FROM attempt_{month}"))
        return
    array = f"SELECT json_build_array({', '.join(COLUMNS)})::text FROM attempt"
    found = database.execute(f"{array} WHERE started_ns >= ? AND started_ns < ?", month_span(month))
    yield from (row for (row,) in found)


@contextmanager
def exclusive(database: Database, table: str) -> Iterator[None]:
    """Hold a table for one transaction: whoever else would write to it waits."""
    if isinstance(database, sqlite3.Connection):
        database.execute("BEGIN IMMEDIATE")
    else:
        database.execute("BEGIN")
        database.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"inferometer.meter.store.{name}")
    except ImportError as error:
        raise LedgerError(
            f"a ledger on PostgreSQL needs {error.name}: pip install 'inferometer[postgres]'"
        ) from None
