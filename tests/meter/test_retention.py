"""Months are partitions: old ones can go, their sums stay, and a writer that runs goes on."""

import datetime as dt
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from meter_cases import attempt, stored, sums

from inferometer.errors import LedgerError
from inferometer.meter.retention import Dropped, expire
from inferometer.meter.store.opening import open_database
from inferometer.meter.store.sqlite import SqliteLedger

NOW = dt.datetime(2026, 2, 15, tzinfo=dt.UTC)
LATER = attempt(1, started_ns=1_768_000_000 * 10**9, ended_ns=1_768_000_001 * 10**9)
Open = Callable[[Path], SqliteLedger]


def dropped(path: Path, before: str, now: dt.datetime = NOW) -> list[Dropped]:
    with closing(open_database(str(path), read_only=False)) as database:
        return expire(database, before, now)


def test_attempts_go_and_sums_stay(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = opened(path)
    ledger.append([attempt(0), LATER])
    assert dropped(path, "2025-12") == []
    assert dropped(path, "2026-01") == [Dropped("2025-12", 1)]
    assert stored(path) == [LATER]
    assert sums(path)["attempts"] == 2, "the bill outlives the rows"


def test_a_writer_that_runs_opens_the_month_again(opened: Open, tmp_path: Path) -> None:
    """Its first try finds no table, as the spool's next one does not."""
    path = tmp_path / "ledger.db"
    ledger = opened(path)
    ledger.append([attempt(0), LATER])
    dropped(path, "2026-01")
    with pytest.raises(LedgerError, match="no such table"):
        ledger.append([attempt(2)])
    assert ledger.append([attempt(2)]) == 1
    assert {row.request for row in stored(path)} == {attempt(2).request, LATER.request}


@pytest.mark.parametrize("before", ["", "2026", "2026-13", "january", "2026-03", "2026_01"])
def test_what_is_no_month_that_can_go_is_refused(opened: Open, tmp_path: Path, before: str) -> None:
    path = tmp_path / "ledger.db"
    opened(path).append([attempt(0)])
    with pytest.raises(LedgerError, match=r"no month|to come"):
        dropped(path, before)
    assert stored(path) == [attempt(0)]
