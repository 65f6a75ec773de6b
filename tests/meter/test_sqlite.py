"""The embedded ledger: every row once, sums equal to the rows', nothing half-written."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from meter_cases import attempt, attempts, stored, sums

from inferometer.errors import LedgerError
from inferometer.meter.rollup import KEY
from inferometer.meter.store.migrations import MIGRATIONS
from inferometer.meter.store.opening import open_database
from inferometer.meter.store.sqlite import SqliteLedger, connect

Open = Callable[[Path], SqliteLedger]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_rows_come_back_as_they_were(opened: Open, path: Path) -> None:
    rows = list(attempts(50))
    assert opened(path).append(rows) == 50
    assert stored(path) == rows


def test_a_replay_changes_nothing(opened: Open, path: Path) -> None:
    ledger, rows = opened(path), list(attempts(20))
    ledger.append(rows)
    before = sums(path)
    assert ledger.append(rows[:7]) == 0
    assert ledger.append([rows[3], attempt(99), attempt(99), rows[4]]) == 1
    assert len(stored(path)) == 21
    assert sums(path)["attempts"] == before["attempts"] + 1


def test_retries_are_rows_of_their_own(opened: Open, path: Path) -> None:
    first = attempt(1, outcome="upstream_error", status=502)
    assert opened(path).append([first, first._replace(attempt=2, outcome="ok")]) == 2


@pytest.mark.parametrize("grain", [60, 3600, 86400])
@pytest.mark.parametrize("batch", [1, 7, 500])
def test_rollups_are_the_sums_of_the_rows(opened: Open, path: Path, grain: int, batch: int) -> None:
    ledger, rows = opened(path), list(attempts(500))
    for start in range(0, len(rows), batch):
        ledger.append(rows[start : start + batch])
    found = sums(path, grain)
    assert found["attempts"] == 500
    assert found["output"] == sum(row.output for row in rows)
    assert found["unpriced"] == sum(row.nanos is None for row in rows) > 0
    assert found["failed"] == found["estimated"] == sum(row.outcome != "ok" for row in rows) > 0
    assert found["nano_reasoning"] == sum(row.nano_reasoning or 0 for row in rows)
    assert found["duration_ns"] == sum(row.ended_ns - row.started_ns for row in rows)


def test_a_rollup_is_kept_by_its_key(opened: Open, path: Path) -> None:
    opened(path).append([attempt(0), attempt(0, request="other"), attempt(1)])
    with closing(connect(path, read_only=True)) as database:
        found = database.execute(
            f"SELECT {', '.join(KEY)}, attempts FROM rollup WHERE grain = 60"  # noqa: S608
        ).fetchall()
    first = attempt(0)
    dimensions = ("tenant-0", "feature-0", "model-0", "model-0-2025", "openai", "api")
    assert (60, first.started_ns // 10**9, *dimensions, 2) in found
    assert len(found) == 2


def test_two_writers_on_one_file(opened: Open, path: Path) -> None:
    one, two = opened(path), opened(path)
    rows = list(attempts(40))
    one.append(rows[:30])
    assert two.append(rows[10:]) == 10
    assert len(stored(path)) == sums(path)["attempts"] == 40


def test_a_row_that_cannot_be_stored_leaves_no_trace(opened: Open, path: Path) -> None:
    ledger = opened(path)
    with pytest.raises(LedgerError, match="rows not recorded"):
        ledger.append([attempt(1), attempt(2, output=2**70)])
    assert ledger.append([attempt(1)]) == 1
    assert sums(path)["attempts"] == 1


def test_a_full_disk_leaves_what_was_there(opened: Open, path: Path) -> None:
    ledger = opened(path)
    ledger.append([attempt(0)])
    database = ledger._database  # noqa: SLF001
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(LedgerError, match="full"):
        ledger.append(list(attempts(5000)))
    database.execute("PRAGMA max_page_count = 1000000")
    assert len(stored(path)) == sums(path)["attempts"] == 1
    assert ledger.append(list(attempts(5000))) == 4999


def test_a_newer_schema_may_be_written_if_it_says_so(opened: Open, path: Path) -> None:
    opened(path).close()
    with closing(connect(path)) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    assert opened(path).append([attempt(0)]) == 1
    with closing(connect(path)) as database:
        database.execute("UPDATE meta SET value = '99' WHERE name = 'oldest'")
    with pytest.raises(LedgerError, match="upgrade"):
        opened(path)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 40])
def test_what_is_no_ledger_is_refused(opened: Open, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"ledger\.db"):
        opened(path)
    with pytest.raises(LedgerError, match=r"missing\.db"):
        connect(path.with_name("missing.db"), read_only=True)


def test_commits_are_synced(opened: Open, path: Path) -> None:
    database = opened(path)._database  # noqa: SLF001
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert isinstance(database, sqlite3.Connection)


@pytest.mark.parametrize("statement", ["", "CREATE TABLE bookmark (url TEXT)"])
def test_a_database_of_something_else_is_no_ledger(statement: str, tmp_path: Path) -> None:
    """Nor is an empty file; both had no rows before, and were written to."""
    path = tmp_path / "other.db"
    path.touch()
    with closing(sqlite3.connect(path)) as other:
        other.execute(statement)
    before = path.read_bytes()
    for read_only in (True, False):
        with pytest.raises(LedgerError, match=r"other\.db: no ledger"):
            open_database(str(path), read_only=read_only)
    assert path.read_bytes() == before
