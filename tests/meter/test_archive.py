"""Closed months as Parquet: every row once, only what changed is written, questions stay inside."""

import datetime as dt
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

import pytest
from meter_cases import attempt, attempts

from inferometer.cli.app import run
from inferometer.errors import LedgerError
from inferometer.meter.archive import Month, archive, ask
from inferometer.meter.record import Attempt
from inferometer.meter.store.sqlite import SqliteLedger, connect

JANUARY = dt.datetime(2026, 1, 31, 23, 59, tzinfo=dt.UTC)
FEBRUARY = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
ROWS = list(attempts(9000))  # 44 days from 1 December 2025
Open = Callable[[Path], SqliteLedger]


def archived(path: Path, folder: Path, now: dt.datetime) -> list[Month]:
    with closing(connect(path, read_only=True)) as database:
        return archive(database, folder, now)


@pytest.fixture
def ledger(opened: Open, tmp_path: Path) -> Path:
    opened(tmp_path / "ledger.db").append(ROWS)
    return tmp_path / "ledger.db"


def test_every_row_of_a_closed_month_once(ledger: Path, tmp_path: Path) -> None:
    (december,) = archived(ledger, tmp_path / "out", JANUARY)
    assert (december.month, december.written) == ("2025-12", True)
    columns = ", ".join(Attempt._fields)
    _, found = ask(tmp_path / "out", f"SELECT {columns} FROM attempts ORDER BY started_ns")  # noqa: S608
    closed = [row for row in ROWS if row.started_ns < 1_767_225_600_000_000_000]
    assert [Attempt._make(row) for row in found] == closed
    assert december.rows == len(closed)
    _, ((nano, month),) = ask(tmp_path / "out", "SELECT sum(nano), max(month) FROM attempts")
    assert (nano, month) == (sum(row.nanos or 0 for row in closed), "2025-12")


def test_only_what_has_changed_is_written(opened: Open, ledger: Path, tmp_path: Path) -> None:
    """The open month waits; a late row has its month written again; the rest is left."""
    archived(ledger, tmp_path / "out", JANUARY)
    found = archived(ledger, tmp_path / "out", FEBRUARY)
    assert [(one.month, one.written) for one in found] == [("2025-12", False), ("2026-01", True)]
    opened(ledger).append([attempt(1, request="late")])
    found = archived(ledger, tmp_path / "out", FEBRUARY)
    assert [(one.month, one.written) for one in found] == [("2025-12", True), ("2026-01", False)]
    _, ((count,),) = ask(tmp_path / "out", "SELECT count(*) FROM attempts")
    assert count == len(ROWS) + 1
    assert not list((tmp_path / "out").rglob("*.new"))


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM read_csv('{place}/secret.csv')",
        "COPY attempts TO '{place}/out.csv'",
        "COPY attempts TO '{place}/out/month=2025-12/attempts.parquet' (FORMAT parquet)",
        "EXPLAIN ANALYZE COPY attempts TO '{place}/out/out.csv'",
        "SELECT 1; COPY attempts TO '{place}/out/out.csv'",
        "ATTACH '{place}/other.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELEC",
    ],
)
def test_a_question_reaches_nothing_else(ledger: Path, tmp_path: Path, question: str) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    ((_, _, file, _),) = map(astuple, archived(ledger, tmp_path / "out", JANUARY))
    before = file.read_bytes()
    with pytest.raises(LedgerError, match="cannot be answered"):
        ask(tmp_path / "out", question.format(place=tmp_path))
    assert not list(tmp_path.rglob("out.csv"))
    assert file.read_bytes() == before


def test_a_damaged_file_is_named(ledger: Path, tmp_path: Path) -> None:
    (december,) = archived(ledger, tmp_path / "out", JANUARY)
    december.file.write_bytes(b"PAR1 and no more")
    with pytest.raises(LedgerError, match=r"attempts\.parquet"):
        ask(tmp_path / "out", "SELECT * FROM attempts")
    with pytest.raises(LedgerError, match=r"attempts\.parquet: cannot be read; remove it"):
        archived(ledger, tmp_path / "out", JANUARY)
    december.file.unlink()
    assert [one.written for one in archived(ledger, tmp_path / "out", JANUARY)] == [True]


def test_commands(ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "it's")
    assert run(["meter", "ask", folder, "SELECT 1"]) == 2
    assert "no archive" in capsys.readouterr().err
    assert run(["meter", "archive", str(ledger), folder, "--format", "json"]) == 0
    question = "SELECT tenant, count(*) AS n FROM attempts GROUP BY 1 ORDER BY 1"
    assert run(["meter", "ask", folder, question, "--format", "json"]) == 0
    assert '"n": 3000' in capsys.readouterr().out
