"""A cluster's ledger to ask, as a SQLite connection is asked: see `opening.Database`.

One that only reads is one transaction from beginning to end, so that all statements of a report
see the same rows; large answers come by the thousand. Whole numbers stay whole: PostgreSQL's sums
of them are `numeric`.
"""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import asyncpg

from inferometer.errors import LedgerError
from inferometer.meter.store.postgres import CONNECT_S, FAULTS, connected, place_of

T = TypeVar("T")
ROUND_TRIP = 5000
"""Rows of one round trip: a megabyte or two of attempts. Our own choice."""


class PostgresDatabase:
    """A connection to ask or to share costs in; for one thread."""

    def __init__(self, address: str, *, read_only: bool = True) -> None:
        self.where = place_of(address)
        self._loop = asyncio.new_event_loop()
        try:
            self._connection: asyncpg.Connection = self._run(connected(address))
        except LedgerError:
            self._loop.close()
            raise
        self._run(
            self._connection.set_type_codec(
                "numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text"
            )
        )
        if read_only:
            self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> "_Rows":
        """Run a statement; what it finds is read as it is asked for.

        Raises:
            LedgerError: the server cannot be reached, or refused it.
        """
        numbered = _numbered(statement)
        if numbered.startswith("SELECT") and self._connection.is_in_transaction():
            return _Rows(self._streamed(numbered, values))
        return _Rows(iter(self._run(self._connection.fetch(numbered, *values))))

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run a statement for each row of values.

        Raises:
            LedgerError: the server cannot be reached, or refused them.
        """
        self._run(self._connection.executemany(_numbered(statement), rows))

    def close(self) -> None:
        """Close the connection."""
        if not self._connection.is_closed():
            self._run(self._connection.close(timeout=CONNECT_S))
        self._loop.close()

    def _streamed(self, statement: str, values: Sequence[Any]) -> Iterator[Any]:
        cursor = self._run(self._connection.cursor(statement, *values))
        while rows := self._run(cursor.fetch(ROUND_TRIP)):
            yield from rows

    def _run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        try:
            return self._loop.run_until_complete(awaited())
        except FAULTS as error:
            what = str(error) or type(error).__name__
            raise LedgerError(f"{self.where}: cannot be read: {what}") from None


class _Rows:
    """What a statement found, as tuples."""

    def __init__(self, found: Iterator[Any]) -> None:
        self._found = map(tuple, found)

    def __iter__(self) -> Iterator[Any]:
        return self._found

    def fetchone(self) -> Any:
        return next(self._found, None)


def _numbered(statement: str) -> str:
    """Return a statement with `$1`, `$2`, ... for its question marks."""
    number = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(number)}", statement)


def _number(text: str) -> int | Decimal:
    return Decimal(text) if "." in text else int(text)
