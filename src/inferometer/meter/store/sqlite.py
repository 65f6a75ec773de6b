"""The embedded ledger: one SQLite file in WAL mode, a table of attempts per month.

Rows, rollups and spend are written in one transaction with `synchronous=FULL`: a crash cannot
part spend from log. Several processes may write in turn and any number may read meanwhile.

A row is stored as one JSON array, and the view `attempt` takes its columns from it: a third of the
time that forty stored columns take, and `SELECT tenant, output FROM attempt` works all the same.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, islice
from pathlib import Path

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt
from inferometer.meter.rollup import Delta, deltas
from inferometer.meter.store.migrations import migrate
from inferometer.meter.store.statements import (
    COLUMNS,
    SUMS,
    add_sums,
    month_of,
)

BUSY_S = 30.0
"""How long a writer waits for another process's transaction. Our own choice: a batch takes under
a second, and rows wait in the spool meanwhile."""
_PAGES = 16_384
"""Pages of the log between checkpoints, 64 MiB: fewer, longer writes. Our own choice."""
_AT_ONCE = 50
"""Rows of one statement: half the time of one by one, and fewer hand-overs of the lock."""
_STORED = ("request", "attempt", "started_ns")
_CHOSEN = ", ".join(
    name if name in _STORED else f"json_extract(row, '$[{position}]') AS {name}"
    for position, name in enumerate(COLUMNS)
)
_encode = msgspec.json.Encoder().encode


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection to a ledger file.

    Raises:
        LedgerError: it cannot be opened, or is no SQLite database.
    """
    target = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    with contextlib.ExitStack() as undo:
        try:
            database = sqlite3.connect(
                target, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            undo.callback(database.close)
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            raise LedgerError(f"{path}: not a ledger that can be opened: {error}") from None
        undo.pop_all()
    return database


class SqliteLedger:
    """A ledger file open for writing; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._database = connect(path)
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(f"PRAGMA wal_autocheckpoint = {_PAGES}")
            migrate(self._database, str(path))
        except sqlite3.Error as error:
            self._database.close()
            raise LedgerError(f"{path}: not a ledger that can be written: {error}") from None
        self._months = set(months(self._database))

    def append(self, rows: Sequence[Attempt]) -> int:
        """Record rows durably; see `Ledger`.

        Raises:
            LedgerError: the database refused them; none was recorded.
        """
        with self._lock:
            try:
                return self._append(rows)
            except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
                raise LedgerError(f"{self.path}: rows not recorded: {error}") from error
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                    self._months &= {*months(self._database)}  # another process may drop some

    def _append(self, rows: Sequence[Attempt]) -> int:
        self._database.execute("BEGIN IMMEDIATE")
        fresh: list[Attempt] = []
        groups = _by_month(rows)
        for month, group in groups.items():
            self._open(month)
            fresh += self._record(f"attempt_{month}", group)
        for name, added in deltas(fresh)._asdict().items():
            _insert(self._database, _adding(name, 1), _adding(name, _AT_ONCE), added)
        self._database.execute("COMMIT")
        self._months.update(groups)  # not before: a table that is made here may go again
        return len(fresh)

    def _record(self, table: str, rows: Sequence[Attempt]) -> Sequence[Attempt]:
        """Insert rows into a month's table; return those that were not there."""
        statement, several = _keeping(table, 1), _keeping(table, _AT_ONCE)
        database, before = self._database, self._database.total_changes
        database.execute("SAVEPOINT batch")
        _insert(database, statement, several, map(_stored, rows))
        if database.total_changes - before == len(rows):
            database.execute("RELEASE batch")
            return rows
        database.execute("ROLLBACK TO batch")  # some were there: find out which, one by one
        fresh = [row for row in rows if database.execute(statement, _stored(row)).rowcount]
        database.execute("RELEASE batch")
        return fresh

    def _open(self, month: str) -> None:
        """Make a month's table; another process may have made it since we looked."""
        if month in self._months:
            return
        names = f"attempt_{month}"
        self._database.execute(
            f"CREATE TABLE IF NOT EXISTS {names} (request TEXT NOT NULL, attempt INTEGER NOT NULL, "
            "started_ns INTEGER NOT NULL, row TEXT NOT NULL, PRIMARY KEY (request, attempt)) "
            "WITHOUT ROWID"
        )
        self._database.execute(
            f"CREATE INDEX IF NOT EXISTS {names}_started ON {names} (started_ns)"
        )
        view(self._database)

    def remember(self, prices: Iterable[tuple[str, str]]) -> None:
        """Keep price rows; see `Ledger`.

        Raises:
            LedgerError: the database refused them.
        """
        with self._lock:
            try:
                self._database.executemany("INSERT OR IGNORE INTO price VALUES (?, ?)", prices)
            except sqlite3.Error as error:
                raise LedgerError(f"{self.path}: prices not kept: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()


def _by_month(rows: Sequence[Attempt]) -> dict[str, Sequence[Attempt]]:
    """Return rows by partition; nearly always one, which the two ends of the batch tell."""
    if not rows:
        return {}
    times = [row.started_ns for row in rows]
    if month_of(min(times)) == month_of(max(times)):
        return {month_of(times[0]): rows}
    groups: dict[str, list[Attempt]] = {}
    for row in rows:
        groups.setdefault(month_of(row.started_ns), []).append(row)
    return {**groups}


@cache
def _keeping(table: str, count: int) -> str:
    """Return the statement that inserts that many rows, but not those that are there."""
    return f"INSERT INTO {table} VALUES {_marks(len(_STORED) + 1, count)} ON CONFLICT DO NOTHING"


@cache
def _adding(name: str, count: int) -> str:
    """Return the statement that adds that many deltas to the table `rollup` or `spend`."""
    return add_sums(name, f"VALUES {_marks(sum(map(len, SUMS[name])), count)}")


def _marks(width: int, count: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * count)


def _insert(database: sqlite3.Connection, one: str, several: str, rows: Iterable[Delta]) -> None:
    """Insert rows, `_AT_ONCE` with the statement `several`, and the rest with `one`."""
    left = iter(rows)
    while len(chunk := list(islice(left, _AT_ONCE))) == _AT_ONCE:
        database.execute(several, list(chain.from_iterable(chunk)))
    database.executemany(one, chunk)


def _stored(row: Attempt) -> tuple[str, int, int, str]:
    return row.request, row.attempt, row.started_ns, _encode(row).decode()


def months(database: sqlite3.Connection) -> list[str]:
    """Return the months that have a table of attempts, in order."""
    found = database.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'attempt_[0-9]*'"
    )
    return sorted(name.removeprefix("attempt_") for (name,) in found)


def view(database: sqlite3.Connection) -> None:
    """Make the view `attempt` over all months again."""
    parts = [f"SELECT {_CHOSEN} FROM attempt_{month}" for month in months(database)]
    database.execute("DROP VIEW IF EXISTS attempt")
    if parts:
        database.execute(f"CREATE VIEW attempt AS {' UNION ALL '.join(parts)}")
