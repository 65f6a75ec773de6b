"""Steps of the SQLite schema, run once each, in order; a step is never edited once released.

Steps only add, so that the version before goes on writing while a cluster is upgraded, and so that
a downgrade needs no step back. `oldest` in the table `meta` is the oldest version that may write.
"""

import sqlite3
from collections.abc import Callable

from inferometer.errors import LedgerError
from inferometer.meter.store.statements import shares_table, sums_table


def m001_rollups(database: sqlite3.Connection) -> None:
    """Rollups, spend, prices that rows refer to, and what is known about the file itself."""
    database.execute(sums_table("rollup", integer="INTEGER") + " WITHOUT ROWID")
    database.execute(sums_table("spend", integer="INTEGER") + " WITHOUT ROWID")
    database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    database.execute("INSERT INTO meta VALUES ('oldest', '1')")
    database.execute("CREATE TABLE price (id TEXT PRIMARY KEY, row TEXT NOT NULL)")


def m002_shares(database: sqlite3.Connection) -> None:
    """What replicas of our own cost, shared over requests: a row per hour, bucket and request."""
    database.execute(shares_table(integer="INTEGER", real="REAL") + " WITHOUT ROWID")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (m001_rollups, m002_shares)


def migrate(database: sqlite3.Connection, where: str) -> None:
    """Bring a database up to date, in one transaction that several processes may race for.

    Raises:
        LedgerError: a newer version of the program wrote it and this one may not.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        for number, step in enumerate(MIGRATIONS[version:], version + 1):
            step(database)
            database.execute(f"PRAGMA user_version = {number}")
        (oldest,) = database.execute("SELECT value FROM meta WHERE name = 'oldest'").fetchone()
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
    if int(oldest) > len(MIGRATIONS):
        raise LedgerError(
            f"{where}: written by a newer version; version {oldest} of the schema is needed, "
            f"this program knows {len(MIGRATIONS)}: upgrade it"
        )
