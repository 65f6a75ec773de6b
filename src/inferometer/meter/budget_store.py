"""Budgets shared by processes: leases in one SQLite file.

Invariant, kept by one immediate transaction at a time: for every account, spent + all leases <=
hard limit, unless a request cost more than was reserved for it. A process that dies keeps its lease
until it runs out; what it had spent but not told is found again in the ledger at the next start.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from inferometer.errors import LedgerError
from inferometer.meter.budget import Account

LEASE_TTL = 30.0
"""Seconds without a word after which a process's lease is free again; it speaks every second."""
BUSY_MS = 2000

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, spent INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS lease (
  account TEXT NOT NULL, owner TEXT NOT NULL, amount INTEGER NOT NULL, until REAL NOT NULL,
  PRIMARY KEY (account, owner)) STRICT, WITHOUT ROWID;
"""


class BudgetStore:
    """One process's handle on the shared file."""

    def __init__(self, path: Path, owner: str) -> None:
        self._owner = owner
        with contextlib.ExitStack() as undo:
            try:
                self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
                undo.callback(self._db.close)
                self._db.executescript(_SCHEMA)
            except sqlite3.Error as error:
                raise LedgerError(f"{path}: budgets cannot be kept there: {error}") from None
            undo.pop_all()

    def exchange(self, account: Account, want: int, now: float) -> tuple[int, int]:
        """Book what an account spent since the last time, and lease up to `want` more.

        Less than `want` is leased if only less is left.

        Raises:
            LedgerError: the file cannot be written; nothing was changed.
        """
        with self._transaction():
            spent = self._spend(account)
            hard = account.rule.hard
            taken = 0
            if hard is not None:
                others = self._leased_by_others(account.id, now)
                taken = max(0, min(want, hard - spent - others - account.held))
                self._lease(account.id, account.held + taken, now)
        return taken, spent

    def names(self) -> list[str]:
        """Return the ids of all accounts."""
        return [name for (name,) in self._db.execute("SELECT id FROM account")]

    def raise_to(self, spent: Mapping[str, int]) -> None:
        """Raise accounts to what the ledger knows; an account is never lowered.

        The ledger's sum holds what other processes have spent and will yet tell: less than a second
        of it counts twice. Leaving accounts out that others lease would lose the dead process's
        last second instead, and a hard limit would be passed by it.
        """
        with self._transaction():
            self._db.executemany(
                "UPDATE account SET spent = max(spent, ?) WHERE id = ?",
                [(amount, name) for name, amount in spent.items()],
            )

    def close(self) -> None:
        """Give the leases back and close."""
        with contextlib.suppress(LedgerError, sqlite3.Error), self._transaction():
            self._db.execute("DELETE FROM lease WHERE owner = ?", (self._owner,))
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise LedgerError(f"budgets cannot be kept: {error}") from None

    def _spend(self, account: Account) -> int:
        rows = self._db.execute(
            "INSERT INTO account (id, spent) VALUES (?, ?)"
            " ON CONFLICT (id) DO UPDATE SET spent = spent + excluded.spent RETURNING spent",
            (account.id, account.unsent),
        ).fetchall()
        return int(rows[0][0])

    def _leased_by_others(self, account: str, now: float) -> int:
        rows = self._db.execute(
            "SELECT coalesce(sum(amount), 0) FROM lease"
            " WHERE account = ? AND owner <> ? AND until > ?",
            (account, self._owner, now),
        ).fetchall()
        return int(rows[0][0])

    def _lease(self, account: str, amount: int, now: float) -> None:
        if amount > 0:
            self._db.execute(
                "INSERT INTO lease VALUES (?, ?, ?, ?) ON CONFLICT (account, owner)"
                " DO UPDATE SET amount = excluded.amount, until = excluded.until",
                (account, self._owner, amount, now + LEASE_TTL),
            )
        else:
            self._db.execute(
                "DELETE FROM lease WHERE account = ? AND owner = ?", (account, self._owner)
            )
