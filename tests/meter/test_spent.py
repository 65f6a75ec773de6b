"""Spending since an instant: from sums or rows, it is what the rows say."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from meter_cases import START_NS, attempt, attempts

from inferometer.errors import LedgerError
from inferometer.meter.spent import spent
from inferometer.meter.store.sqlite import SqliteLedger, connect

DAY_NS = 86_400 * 10**9


@pytest.mark.parametrize("since_ns", [0, START_NS + DAY_NS, START_NS + 60 * 10**9, START_NS + 1])
@pytest.mark.parametrize(
    ("dimension", "value"),
    [("tenant", "tenant-1"), ("model", "model-0"), ("key", "key-2"), ("run", "run-60")],
)
def test_equals_the_rows(
    opened: Callable[[Path], SqliteLedger],
    tmp_path: Path,
    dimension: str,
    value: str,
    since_ns: int,
) -> None:
    rows = list(attempts(400))
    opened(tmp_path / "l.db").append(rows)
    expected = sum(
        row.nanos or 0
        for row in rows
        if row.started_ns >= since_ns and getattr(row, dimension) == value
    )
    with closing(connect(tmp_path / "l.db", read_only=True)) as database:
        assert spent(database, dimension, value, since_ns) == expected > 0
        assert spent(database, dimension, "nobody", since_ns) == 0


def test_session_from_rows(opened: Callable[[Path], SqliteLedger], tmp_path: Path) -> None:
    ledger = opened(tmp_path / "l.db")
    with closing(connect(tmp_path / "l.db")) as database:
        assert spent(database, "session", "s", 0) == 0
        ledger.append([attempt(0, session="s"), attempt(1, session="t")])
        assert spent(database, "session", "s", 0) == attempt(0).nanos
        with pytest.raises(LedgerError, match="colour"):
            spent(database, "colour", "red", 0)
