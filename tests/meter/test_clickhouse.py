"""Raw rows in ClickHouse: whatever is sent again, each row is there once, on a real server."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_cases import PASSWORD, USER, ClickHouse, DeafProxy, why_not
from gateway_cases import COMPLETION, answer, ask, run
from meter_cases import attempt, attempts, stored, sums
from process_cases import ended, started, upstream, write

from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt
from inferometer.meter.spool import Spool
from inferometer.meter.store.clickhouse import ClickHouseRows, LedgerWithRows
from inferometer.meter.store.sqlite import SqliteLedger

needs_server = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def running() -> Iterator[ClickHouse]:
    server = ClickHouse.made()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def server(running: ClickHouse) -> ClickHouse:
    """The server, without tables."""
    running.ask("DROP TABLE IF EXISTS attempt")
    running.ask("DROP TABLE IF EXISTS attempt_row")
    return running


def opened(port: int, password: str = PASSWORD) -> ClickHouseRows:
    return ClickHouseRows(f"http://127.0.0.1:{port}", "default", USER, password)


def rows_of(server: ClickHouse) -> list[Attempt]:
    text = server.ask("SELECT * FROM attempt ORDER BY request, attempt FORMAT JSONEachRow")
    kinds = Attempt.__annotations__
    rows = []
    for line in text.splitlines():
        found = json.loads(line)  # 64-bit integers come as text
        for name, kind in kinds.items():
            if kind is not str and isinstance(found[name], str) and found[name].isdecimal():
                found[name] = int(found[name])
        rows.append(Attempt(**found)._replace(stream=bool(found["stream"])))
    return rows


@needs_server
def test_each_row_is_there_once_however_often_it_is_sent(
    server: ClickHouse, tmp_path: Path
) -> None:
    """The same batch twice, split otherwise, twice within a batch, and other rows by old names."""
    rows = [row._replace(session="é\t\\\"'\n", stream=True) for row in attempts(7000)]  # months
    changed = [row._replace(output=row.output + 1, ttft_ns=None) for row in rows[:10]]
    batches = [rows[:4000], rows[:4000], rows[3000:], rows[10:20] * 2, changed, rows[:10], rows[:0]]
    ledger = LedgerWithRows(SqliteLedger(tmp_path / "ledger.db"), opened(server.port))
    assert [ledger.append(batch) for batch in batches] == [4000, 0, 3000, 0, 0, 0, 0]
    ledger.close()
    assert int(server.ask("SELECT count() FROM attempt_row")) > len(rows), "nothing was sent again"
    assert rows_of(server) == stored(tmp_path / "ledger.db") == rows
    server.ask("OPTIMIZE TABLE attempt_row FINAL")
    server.ask("OPTIMIZE TABLE attempt_row PARTITION 202512 FINAL")
    assert rows_of(server) == rows, "a merge kept another row than was read before"
    assert int(server.ask("SELECT uniqExact(partition) FROM system.parts WHERE active")) > 1


@needs_server
def test_a_batch_that_was_kept_but_not_acknowledged_counts_once(
    server: ClickHouse, tmp_path: Path
) -> None:
    """The answer is lost twice after the insert; the spool gives the rows again meanwhile."""
    rows = list(attempts(200))
    with DeafProxy(server.port).running() as proxy:
        ledger = LedgerWithRows(SqliteLedger(tmp_path / "ledger.db"), opened(proxy.port))
        spool = Spool(tmp_path / "spool", ledger, window_s=0.002)
        proxy.deaf = True
        spool.extend(rows[:100])
        deadline = time.monotonic() + 20
        while proxy.lost < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert spool.backlog, "rows were given up before they were acknowledged"
        spool.extend(rows[100:])
        proxy.deaf = False
        spool.close()
        ledger.close()
    assert proxy.lost >= 2
    assert int(server.ask("SELECT count() FROM attempt_row")) > len(rows), "nothing was sent again"
    assert rows_of(server) == stored(tmp_path / "ledger.db") == rows
    assert sums(tmp_path / "ledger.db")["attempts"] == len(rows)


@needs_server
def test_a_server_that_is_killed_and_comes_back_loses_nothing(
    server: ClickHouse, tmp_path: Path
) -> None:
    rows = list(attempts(300))
    ledger = LedgerWithRows(SqliteLedger(tmp_path / "ledger.db"), opened(server.port))
    spool = Spool(tmp_path / "spool", ledger, window_s=0.002)
    for number, row in enumerate(rows):
        spool.append(row)
        if number == 100:
            server.kill()
        if number == 200:
            server.start()
        time.sleep(0.001)
    spool.close()
    ledger.close()
    assert rows_of(server) == stored(tmp_path / "ledger.db") == rows


@needs_server
def test_the_gateway_writes_to_ledger_and_rows(
    server: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROWS_PASSWORD", PASSWORD)

    async def scenario() -> set[str]:
        async with upstream([answer(COMPLETION)]) as fake:
            config = write(tmp_path, fake.port, lb_window=0.0)
            table = f'\n[rows]\nurl = "{server.url}"\nuser = "{USER}"\n'
            with config.open("a", encoding="utf-8") as file:
                file.write(table + 'password = "env:ROWS_PASSWORD"\n')
            async with started(config) as running:
                caller = await running.caller()
                told = {(await caller.post(ask())).headers["x-request-id"] for _ in range(20)}
                assert await ended(running) == 0
        return told

    told = run(scenario(), limit=60)
    assert {row.request for row in rows_of(server)} == told
    assert {row.request for row in stored(tmp_path / "ledger.db")} == told


@needs_server
def test_what_the_server_cannot_promise_is_said(
    server: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """Debian's server of 2018 cannot sync an insert."""
    knows = server.ask("SELECT count() FROM system.merge_tree_settings WHERE name LIKE 'fsync%'")
    with caplog.at_level(logging.WARNING):
        opened(server.port)
    assert ("power loss" in caplog.text) == (int(knows) < 2)


@needs_server
def test_a_wrong_password_is_refused_and_not_shown(server: ClickHouse) -> None:
    with pytest.raises(LedgerError, match=r"status (401|403|500|516)") as error:
        opened(server.port, "very-wrong")
    assert "very-wrong" not in str(error.value)
    assert str(error.value).startswith(f"127.0.0.1:{server.port}/default: ")


def test_no_server_is_an_error_that_names_the_place() -> None:
    with pytest.raises(LedgerError, match=r"^127\.0\.0\.1:1/default: .*refused"):
        opened(1)


@needs_server
def test_what_no_ledger_takes_is_in_neither_store(server: ClickHouse, tmp_path: Path) -> None:
    ledger = LedgerWithRows(SqliteLedger(tmp_path / "ledger.db"), opened(server.port))
    spool = Spool(tmp_path / "spool", ledger)
    spool.extend([attempt(1), attempt(2, output=2**63), attempt(3)])
    spool.close()
    ledger.close()
    assert rows_of(server) == stored(tmp_path / "ledger.db") == [attempt(1), attempt(3)]
    assert spool.refused == 1
