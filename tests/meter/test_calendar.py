"""M10: days of 23 and 25 hours, leap days, month ends, a leap second, a clock that steps back."""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gateway_cases import COMPLETION, answer, ask, run, standing
from meter_cases import attempt

from inferometer.cli.costs import instant
from inferometer.errors import LedgerError
from inferometer.meter.costs import costs
from inferometer.meter.gateway import attempt as attempts
from inferometer.meter.rollup import NS
from inferometer.meter.store.sqlite import SqliteLedger, connect, months

HOUR_NS = 3600 * NS
Open = Callable[[Path], SqliteLedger]


@pytest.fixture(params=["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """A machine whose local time is not UTC and knows summer."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def at(*parts: int) -> int:
    return int(dt.datetime(*parts, tzinfo=dt.UTC).timestamp()) * NS  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("day", [(2026, 3, 29), (2026, 10, 25), (2026, 3, 8), (2028, 2, 29)])
def test_every_day_has_24_hours_and_all_of_its_rows(
    opened: Open, tmp_path: Path, zone: str, day: tuple[int, int, int]
) -> None:
    """Summer time begins and ends on these days somewhere; the last is a leap day."""
    start = at(*day)
    rows = [
        attempt(n, started_ns=start + n * HOUR_NS // 2, ended_ns=start + n * HOUR_NS // 2)
        for n in range(48)
    ]
    opened(tmp_path / "l.db").append(rows)
    with closing(connect(tmp_path / "l.db", read_only=True)) as database:
        by_hour = costs(database, ("hour",), start, start + 24 * HOUR_NS)
        by_day = costs(database, ("day",), start, start + 24 * HOUR_NS)
    assert [line.attempts for line in by_hour] == [2] * 24
    assert [(line.group, line.attempts) for line in by_day] == [((start // NS,), 48)]
    assert instant(dt.date(*day).isoformat(), "since", 0) == start


def test_months_end_at_midnight_utc(opened: Open, tmp_path: Path, zone: str) -> None:
    edges = [at(2028, 3, 1), at(2027, 1, 1), at(2026, 11, 1)]
    rows = [
        attempt(2 * n + k, started_ns=edge - 1 + k, ended_ns=edge)
        for n, edge in enumerate(edges)
        for k in (0, 1)
    ]
    opened(tmp_path / "l.db").append(rows)
    with closing(connect(tmp_path / "l.db", read_only=True)) as database:
        found = months(database)
    assert found == ["2026_10", "2026_11", "2026_12", "2027_01", "2028_02", "2028_03"]


def test_a_leap_second_repeats_a_second_and_loses_no_row(opened: Open, tmp_path: Path) -> None:
    """Unix time has no 23:59:60: it says the last second twice, and no id is made of it alone."""
    last = at(2017, 1, 1) - NS
    rows = [attempt(n, started_ns=last + n % 2, ended_ns=last + n % 2) for n in range(4)]
    assert opened(tmp_path / "l.db").append(rows) == 4
    with pytest.raises(LedgerError, match="no day or instant"):
        instant("2016-12-31T23:59:60", "since", 0)


def test_a_clock_that_steps_back_makes_no_negative_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour back between a request and the end of its answer; ids stay apart all the same."""

    async def scenario() -> list[tuple[int, int, str]]:
        async with standing(tmp_path, [[0.05, answer(COMPLETION)]]) as stand:
            assert (await stand.post(ask())).status == 200
            real = time.time_ns
            monkeypatch.setattr(attempts, "time_ns", lambda: real() - HOUR_NS)
            assert (await stand.post(ask())).status == 200
            rows = await stand.settled(2)
            return [(row.started_ns, row.ended_ns, row.request) for row in rows]

    (_, _, one), (started, ended, other) = run(scenario())
    assert started == ended
    assert one != other
