"""The ledger of a cluster: PostgreSQL, one partition of attempts per month, sums beside them.

Rows, rollups and spend are written in one transaction with `synchronous_commit = on`. Several
gateways may write at once: sums are taken in the order of their keys, so that no two writers wait
for each other. A lost connection is opened again by the next `append`; meanwhile rows wait in the
spool. Needs `asyncpg` (the extra `postgres`).
"""

import asyncio
import re
import threading
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import asyncpg

from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt
from inferometer.meter.rollup import deltas
from inferometer.meter.store.statements import (
    COLUMNS,
    SUMS,
    add_sums,
    attempts_table,
    month_of,
    month_span,
    shares_table,
    sums_table,
)

T = TypeVar("T")
CONNECT_S, COMMAND_S = 5.0, 60.0
"""How long a connection and a statement may take. Our own choice: rows wait in the spool."""
_LOCK = 0x1F0_CA57
"""Names the advisory lock under which tables are made; any number that is ours alone."""
FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, OverflowError)
_PLACE = re.compile(r"(\[[^\]]*\]|[^:/]*)(:\d+)?(/[^:]*)?")
"""Host, port and database; what looks otherwise may be a user and a password."""
_STREAM = COLUMNS.index("stream")
_MARKS = {
    name: f"VALUES ({', '.join(f'${n + 1}' for n in range(sum(map(len, SUMS[name]))))})"
    for name in SUMS
}
_INSERT = "INSERT INTO attempt SELECT * FROM incoming ON CONFLICT DO NOTHING"
STEPS: tuple[tuple[str, ...], ...] = (
    (
        attempts_table("attempt", "request, attempt, started_ns")
        + " PARTITION BY RANGE (started_ns)",
        sums_table("rollup"),
        sums_table("spend"),
        "CREATE TABLE price (id TEXT PRIMARY KEY, row TEXT NOT NULL)",
    ),
    (shares_table(),),
)
"""Steps of the schema, run once each, in order; a step only adds and is never edited."""


class PostgresLedger:
    """A ledger on a server; safe to share between threads."""

    def __init__(self, address: str) -> None:
        self.where = place_of(address)
        self._address = address
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection | None = None
        self._months: set[str] = set()
        try:
            self._run(self._connected())
        except LedgerError:
            self.close()
            raise

    def append(self, rows: Sequence[Attempt]) -> int:
        """Record rows durably; see `Ledger`.

        Raises:
            LedgerError: the server cannot be reached or refused them; none was recorded.
        """
        return self._run(self._append(rows))

    def remember(self, prices: Iterable[tuple[str, str]]) -> None:
        """Keep price rows; see `Ledger`.

        Raises:
            LedgerError: the server cannot be reached or refused them.
        """
        self._run(self._remember(list(prices)))

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None and not self._connection.is_closed():
                self._loop.run_until_complete(self._connection.close(timeout=CONNECT_S))
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            try:
                return self._loop.run_until_complete(work)
            except FAULTS as error:
                if self._connection is not None and not isinstance(error, asyncpg.DataError):
                    self._connection.terminate()
                    self._connection = None
                what = str(error) or type(error).__name__
                raise LedgerError(f"{self.where}: not recorded: {what}") from error

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        fresh = await connected(self._address, synchronous_commit="on")
        self._connection = fresh
        await _migrate(fresh, self.where)
        await fresh.execute("CREATE TEMP TABLE incoming (LIKE attempt) ON COMMIT DELETE ROWS")
        self._months = set()
        return fresh

    async def _append(self, rows: Sequence[Attempt]) -> int:
        connection = await self._connected()
        wanted = {month_of(row.started_ns) for row in rows}
        for month in sorted(wanted - self._months):
            await _open(connection, month)
            self._months.add(month)
        async with connection.transaction():
            fresh = await _record(connection, rows)
            for name, added in deltas(fresh)._asdict().items():
                await connection.executemany(add_sums(name, _MARKS[name]), added)
        return len(fresh)

    async def _remember(self, prices: list[tuple[str, str]]) -> None:
        connection = await self._connected()
        await connection.executemany(
            "INSERT INTO price VALUES ($1, $2) ON CONFLICT DO NOTHING", prices
        )


async def connected(address: str, **settings: str) -> asyncpg.Connection:
    """Return a fresh connection.

    Raises:
        LedgerError: no address of a server; the fault's own text may hold a part of a password.
    """
    try:
        return await asyncpg.connect(
            address, timeout=CONNECT_S, command_timeout=COMMAND_S,
            server_settings={"application_name": "inferometer", **settings},
        )  # fmt: skip
    except ValueError:
        raise LedgerError(f"{place_of(address)}: no address of a PostgreSQL server") from None


def place_of(address: str) -> str:
    """Return where an address points, fit to be shown: no user, password or option."""
    place = re.split(r"[?#]", address.partition("://")[2].rpartition("@")[2])[0]
    return place if _PLACE.fullmatch(place) else "PostgreSQL"


async def _migrate(connection: asyncpg.Connection, where: str) -> None:
    """Bring the schema up to date; processes that start at once take turns.

    Raises:
        LedgerError: a newer version of the program made it.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute("CREATE TABLE IF NOT EXISTS meta (version BIGINT PRIMARY KEY)")
        version = int(await connection.fetchval("SELECT max(version) FROM meta") or 0)
        if version > len(STEPS):
            raise LedgerError(f"{where}: version {version} of the schema is newer: upgrade")
        for number, step in enumerate(STEPS[version:], version + 1):
            for statement in step:
                await connection.execute(statement)
            await connection.execute("INSERT INTO meta VALUES ($1)", number)


async def _open(connection: asyncpg.Connection, month: str) -> None:
    """Make a month's partition, unless another process has."""
    first, last = month_span(month)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS attempt_{month} PARTITION OF attempt "
            f"FOR VALUES FROM ({first}) TO ({last})"
        )


async def _record(connection: asyncpg.Connection, rows: Sequence[Attempt]) -> Sequence[Attempt]:
    """Insert rows; return those that were not there, each once."""
    await connection.copy_records_to_table("incoming", records=map(_stored, rows))
    savepoint = connection.transaction()
    await savepoint.start()
    status = await connection.execute(_INSERT)
    if int(status.rpartition(" ")[2]) == len(rows):
        await savepoint.commit()
        return rows
    await savepoint.rollback()  # some are there already: find out which are new
    found = await connection.fetch(f"{_INSERT} RETURNING request, attempt")
    named = {(row.request, row.attempt): row for row in reversed(rows)}
    return [named[request, attempt] for request, attempt in found]


def _stored(row: Attempt) -> tuple[object, ...]:
    return (*row[:_STREAM], int(row.stream), *row[_STREAM + 1 :])
