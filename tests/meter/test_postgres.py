"""The cluster's ledger, on a real server that the tests start, stop and crash."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_cases import COMPLETION, answer, ask, run
from meter_cases import attempt, attempts, stored, sums
from postgres_cases import Server, why_not
from process_cases import ended, started, upstream, write

from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt
from inferometer.meter.rollup import MEASURES
from inferometer.meter.spool import Spool
from inferometer.meter.store.sqlite import SqliteLedger

asyncpg = pytest.importorskip("asyncpg", reason="no asyncpg: pip install 'inferometer[postgres]'")
from inferometer.meter.store.postgres import PostgresLedger  # noqa: E402

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server.made()
    server.start()
    try:
        yield server
    finally:
        server.stop("fast")
        server.remove()


@pytest.fixture
def server(running: Server) -> Server:
    """The server, without tables."""
    asked(running, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return running


def asked(server: Server, *statements: str) -> list[Any]:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(server.address)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return list(await connection.fetch(statements[-1]))
        finally:
            await connection.close()

    return asyncio.run(ask())


def rows_of(server: Server) -> list[Attempt]:
    found = asked(server, "SELECT * FROM attempt ORDER BY request, attempt")
    rows = [Attempt._make(tuple(row)) for row in found]
    return [row._replace(stream=bool(row.stream)) for row in rows]


def sums_of(server: Server) -> Counter[str]:
    measures = ", ".join(f"sum({name})::bigint AS {name}" for name in MEASURES)
    (found,) = asked(server, f"SELECT {measures} FROM rollup WHERE grain = 86400")  # noqa: S608
    return Counter(dict(found))


def test_rows_and_sums_are_those_of_sqlite(server: Server, tmp_path: Path) -> None:
    """An oracle: the same rows, with repeats within and across batches, into both stores."""
    rows = list(attempts(7000))  # several months
    batches = [rows[:4000], rows[3000:], rows[:10] + rows[:10]]
    embedded, ledger = SqliteLedger(tmp_path / "ledger.db"), PostgresLedger(server.address)
    for batch in batches:
        assert ledger.append(batch) == embedded.append(batch)
    ledger.close()
    embedded.close()
    assert rows_of(server) == stored(tmp_path / "ledger.db") == rows
    assert sums_of(server) == sums(tmp_path / "ledger.db")
    assert len(asked(server, "SELECT FROM pg_tables WHERE tablename ~ 'attempt_\\d{4}_\\d\\d'")) > 1


def test_two_gateways_on_one_store_lose_and_double_nothing(server: Server, tmp_path: Path) -> None:
    """Each has rows of its own and some of the other's, and both start at once."""
    rows = list(attempts(900))

    def write(number: int) -> None:
        ledger = PostgresLedger(server.address)
        spool = Spool(tmp_path / str(number), ledger, window_s=0.002)
        for first in range(300 * number, 300 * number + 600, 20):
            spool.extend(rows[first : first + 20])
            time.sleep(0.002)
        spool.close()
        ledger.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert rows_of(server) == rows
    assert sums_of(server)["attempts"] == 900


@pytest.mark.parametrize("seconds", [1.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_a_server_that_crashes_and_comes_back_loses_nothing(
    server: Server, tmp_path: Path, seconds: float
) -> None:
    """(e) of the acceptance list: rows keep coming while it is away, none waits for it."""
    ledger = PostgresLedger(server.address)
    spool, slowest, number = Spool(tmp_path, ledger), 0.0, 0
    outage = threading.Thread(target=_outage, args=(server, seconds))
    outage.start()
    while outage.is_alive():
        before = time.monotonic()
        spool.append(attempt(number))
        slowest = max(slowest, time.monotonic() - before)
        number += 1
        time.sleep(0.002)
    deadline = time.monotonic() + 30
    while spool.backlog and time.monotonic() < deadline:
        time.sleep(0.05)
    spool.close()
    ledger.close()
    assert [row.request for row in rows_of(server)] == [attempt(n).request for n in range(number)]
    assert sums_of(server)["attempts"] == number
    assert slowest < 1.0, "an append waited for the server"


def _outage(server: Server, seconds: float) -> None:
    time.sleep(0.3)
    server.stop()
    time.sleep(seconds)
    server.start()
    time.sleep(0.3)


def test_a_gateway_writes_into_it_and_outlives_its_crash(server: Server, tmp_path: Path) -> None:
    """Every answer that was told has its row, though the server was away half of the time."""

    async def scenario() -> list[str]:
        told: list[str] = []
        async with upstream([answer(COMPLETION)]) as fake:
            config = write(tmp_path, fake.port, ledger=server.address, lb_window=0.0)
            async with started(config) as running:
                caller = await running.caller()
                for number in range(60):
                    if number in {20, 40}:
                        await asyncio.to_thread(server.stop if number == 20 else server.start)
                    got = await caller.post(ask())
                    assert got.status == 200
                    told.append(got.headers["x-request-id"])
                assert await ended(running) == 0
        return told

    told = run(scenario(), limit=60)
    assert Counter(row.request for row in rows_of(server)) == Counter(told)


def test_a_row_that_the_server_cannot_hold_is_put_aside(server: Server, tmp_path: Path) -> None:
    ledger = PostgresLedger(server.address)
    spool = Spool(tmp_path, ledger)
    spool.extend([attempt(1), attempt(2, session="a\0b"), attempt(3)])
    spool.close()
    ledger.close()
    assert [row.request for row in rows_of(server)] == ["req-00000001", "req-00000003"]
    assert spool.refused == 1


def test_a_newer_schema_is_left_alone(server: Server) -> None:
    PostgresLedger(server.address).close()
    asked(server, "INSERT INTO meta VALUES (99)", "SELECT 1")
    with pytest.raises(LedgerError, match="version 99"):
        PostgresLedger(server.address)


def test_prices_are_kept_once(server: Server) -> None:
    ledger = PostgresLedger(server.address)
    for _ in range(2):
        ledger.remember([("a", "{}")])
    ledger.close()
    assert [tuple(row) for row in asked(server, "SELECT * FROM price")] == [("a", "{}")]


def test_no_server_is_an_error_that_names_the_place_and_no_password() -> None:
    with pytest.raises(LedgerError, match=r"^127\.0\.0\.1:1/x: ") as error:
        PostgresLedger("postgresql://user:secret@127.0.0.1:1/x")
    assert "secret" not in str(error.value)
