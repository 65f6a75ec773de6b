"""Real traffic as a trace: the meter's ledger, a SQLite file or a server, by its view `attempt`."""

import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from inferometer.errors import WorkloadError
from inferometer.workload.formats.columns import Columns

MAGIC = b"SQLite format 3\0"
LAST = (1 << 63) - 1
"""The last instant that the ledger can hold, Unix nanoseconds."""

FAILED = ("failed", "upstream_error", "timeout", "interrupted")
_ROWS = (
    "SELECT started_ns, uncached_input + cache_read + cache_write_5m + cache_write_1h, "
    "output + reasoning, session, tenant, outcome FROM attempt "
    "WHERE started_ns >= ? AND started_ns < ? ORDER BY started_ns"
)


class Database(Protocol):
    """A ledger to ask: a SQLite connection, or a server's that is made like one."""

    def execute(self, statement: str, values: Sequence[Any], /) -> Iterable[Any]:
        """Return the rows that a statement finds; `?` stands for each value."""
        ...


def read_ledger(path: Path, since: int = 0, until: int = LAST) -> Columns:
    """Return the requests of a ledger file in order of their start; see `columns_of`.

    Raises:
        WorkloadError: not a ledger, or one that cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return columns_of(database, path, since, until)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise WorkloadError(f"{path}: not a ledger that can be read: {error}") from None


def columns_of(database: Database, path: Path, since: int = 0, until: int = LAST) -> Columns:
    """Return the requests of a ledger in order of their start; failed attempts are set aside.

    Args:
        database: The ledger.
        path: Its name in messages and of the trace.
        since: Attempts that started from here on, Unix nanoseconds.
        until: And before this instant.
    """
    columns, sessions, origin = Columns(path=path), dict[str, int](), 0
    for number, row in enumerate(database.execute(_ROWS, (since, until)), 1):
        started, inputs, outputs, session, tenant, outcome = row
        origin = origin or started
        if outcome in FAILED:
            columns.failed += 1
            continue
        columns.add(number, (started - origin) / 1e9, inputs, outputs)
        columns.session.append(sessions.setdefault(session or f"#{number}", len(sessions)))
        columns.tenant.append(tenant)
    if not any(name for name in sessions if not name.startswith("#")):
        columns.session = array("q")  # nobody named one
    return columns
