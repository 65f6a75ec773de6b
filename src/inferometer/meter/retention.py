"""What a ledger may forget: attempts, by the month; its sums stay, so the bill outlives the rows.

A row that comes again after its month has gone is counted again, since
what would tell it has gone with it: keep months for longer than any spool may lag.
"""

import datetime as dt
import sqlite3
from dataclasses import dataclass

from inferometer.errors import LedgerError
from inferometer.meter.store import sqlite
from inferometer.meter.store.opening import Database, exclusive, months


@dataclass(frozen=True, slots=True)
class Dropped:
    """A month whose attempts are gone.

    Attributes:
        month: As 2026-10.
        rows: Attempts that it held.
    """

    month: str
    rows: int


def expire(database: Database, before: str, now: dt.datetime) -> list[Dropped]:
    """Drop the attempts of all months before one; return what was dropped, oldest first.

    Args:
        database: A ledger, open to write.
        before: First month that stays, as 2026-10.
        now: The present, in a month that must stay.

    Raises:
        LedgerError: no month, one that is to come, or the ledger cannot be written.
    """
    first_kept = _month(before, now)
    try:
        old = [month for month in months(database) if month < first_kept]
        found = [Dropped(month.replace("_", "-"), _count(database, month)) for month in old]
        with exclusive(database, "attempt"):
            for month in old:
                _drop(database, month)
    except sqlite3.Error as error:
        raise LedgerError(f"nothing was dropped: {error}") from None
    return found


def _month(text: str, now: dt.datetime) -> str:
    try:
        month = dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC)
    except ValueError:
        raise LedgerError(f"{text!r:.40} is no month: write it as 2026-10") from None
    if month > now:
        raise LedgerError(f"{text} is to come; the month that runs has to stay")
    return f"{month:%Y_%m}"


def _count(database: Database, month: str) -> int:
    return int(database.execute(f"SELECT count(*) FROM attempt_{month}").fetchone()[0])


def _drop(database: Database, month: str) -> None:
    if isinstance(database, sqlite3.Connection):
        database.execute("DROP VIEW IF EXISTS attempt")  # it names the table
    database.execute(f"DROP TABLE attempt_{month}")
    if isinstance(database, sqlite3.Connection):
        sqlite.view(database)
