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
