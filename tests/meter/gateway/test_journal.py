"""What a crash finds of attempts that were open: noted once they are a window old."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from gateway_cases import run
from meter_cases import Away, attempt

from inferometer.meter.gateway.journal import SpoolJournal
from inferometer.meter.spool import Spool

WINDOW_S = 0.02


@pytest.mark.parametrize("strict", [False, True])
def test_an_attempt_that_a_crash_cuts_off_is_booked(tmp_path: Path, strict: bool) -> None:
    """One is short, one ends after its note, one is cut off, one is too young for a note."""

    async def scenario(spool: Spool) -> None:
        journal = SpoolJournal(spool, strict, WINDOW_S)
        for number in (1, 2, 3):
            row = attempt(number)
            journal.begin(row.request, row.attempt, partial(attempt, number))
        journal.append(attempt(1))
        await asyncio.sleep(3 * WINDOW_S)
        journal.append(attempt(2))
        journal.begin(attempt(4).request, 1, partial(attempt, 4))

    ledger = Away()
    spool = Spool(tmp_path, ledger)
    run(scenario(spool))
    spool.close()
    Spool(tmp_path, ledger).close()
    outcomes = {row.request: row.outcome for row in ledger.rows.values()}
    expected = {1: "ok", 2: "ok", 3: "interrupted"} | ({4: "interrupted"} if strict else {})
    assert outcomes == {attempt(number).request: outcome for number, outcome in expected.items()}


def test_a_note_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    failures: list[int] = []

    async def scenario(spool: Spool) -> None:
        journal = SpoolJournal(spool, False, WINDOW_S, lambda: failures.append(1))
        journal.begin("x", 1, partial(attempt, 1, tenant="\ud800"))
        await asyncio.sleep(3 * WINDOW_S)

    spool = Spool(tmp_path, Away())
    run(scenario(spool))
    spool.close()
    assert failures == [1]


def test_callers_are_told_after_one_write_of_what_ended_together(tmp_path: Path) -> None:
    """Also if one of them fails to be told, and with rows at fault among the others."""
    failures: list[int] = []
    events: list[str] = []

    def broken() -> None:
        events.append("broken")
        raise OSError

    async def scenario(spool: Spool) -> bool:
        asyncio.get_running_loop().set_exception_handler(lambda *_: events.append("handled"))
        journal = SpoolJournal(spool, False, WINDOW_S, lambda: failures.append(1))
        for number in (1, 2):
            journal.append(attempt(number))
            journal.when_told(lambda: events.append(f"told with {spool.backlog > 0}"))
        journal.append(attempt(3, tenant="\ud800"))
        journal.when_told(broken)
        journal.append(attempt(4))
        journal.when_told(lambda: events.append("last"))
        assert not events
        assert not spool.backlog
        await asyncio.sleep(0.01)
        return journal.failed

    ledger = Away()
    ledger.away = True
    spool = Spool(tmp_path, ledger)
    failed = asyncio.run(scenario(spool))
    ledger.away = False
    spool.close()
    Spool(tmp_path, ledger).close()
    assert events == ["told with True", "told with True", "broken", "handled", "last"]
    assert {row.request for row in ledger.rows.values()} == {
        attempt(number).request for number in (1, 2, 4)
    }
    assert failures == [1]
    assert not failed  # the last one was written
