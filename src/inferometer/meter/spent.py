"""What was spent since an instant, on one value of one dimension: a budget's state at start."""

import sqlite3

from inferometer.errors import LedgerError
from inferometer.meter.rollup import DIMENSIONS, GRAINS, NS
from inferometer.meter.store.opening import Database, months
from inferometer.meter.store.statements import NANO

_DAY = GRAINS[-1]


def spent(database: Database, dimension: str, value: str, since_ns: int) -> int:
    """Return nano-dollars of priced attempts that started at `since_ns` or later.

    Read from sums where the instant is the start of one of theirs, else from the rows since then,
    which are found by their time.

    Args:
        database: A connection to a ledger file.
        dimension: key, session, run, or a dimension of the rollups (tenant, model, ...).
        value: The value of it.
        since_ns: Unix nanoseconds.

    Raises:
        LedgerError: an unknown dimension, or a file that is no ledger.
    """
    if dimension not in {"key", "session", "run", *DIMENSIONS}:
        raise LedgerError(f"nothing is summed by {dimension!r}")
    since, rest = divmod(since_ns, NS)
    grain = next((grain for grain in reversed(GRAINS) if not rest and since % grain == 0), 0)
    try:
        if dimension in DIMENSIONS and grain:
            where = f"grain = {grain} AND start >= ? AND {dimension} = ?"
            return _sum(database, f"SELECT sum({NANO}) FROM rollup WHERE {where}", since, value)
        if dimension in {"key", "run"} and grain == _DAY:
            where = f"dimension = '{dimension}' AND day >= ? AND value = ?"
            return _sum(database, f"SELECT sum(nano) FROM spend WHERE {where}", since, value)
        if not months(database):
            return 0
        where = f"started_ns >= ? AND {dimension} = ?"
        return _sum(database, f"SELECT sum({NANO}) FROM attempt WHERE {where}", since_ns, value)
    except sqlite3.Error as error:
        raise LedgerError(f"spending cannot be read: {error}") from None


def _sum(database: Database, statement: str, since: int, value: str) -> int:
    return database.execute(statement, (since, value)).fetchone()[0] or 0
