"""Sharing a replica's hour: a naive twin, sums to the nano-dollar, and cases worked by hand."""

import math
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter_cases import START_NS, attempt

from inferometer.errors import LedgerError
from inferometer.meter.attribution import (
    HEADROOM,
    IDLE,
    UNMETERED,
    amounts_of,
    corrected,
    shared,
)
from inferometer.meter.chargeback import HOUR_NS, Replica, attribute, shares
from inferometer.meter.readings import Growth, Reading
from inferometer.meter.record import Attempt
from inferometer.meter.store.sqlite import SqliteLedger, connect
from inferometer.meter.work import Window, Work, phases

WORK = Work(
    prefill_token=2e-5,
    windows=(Window(4096.0, 1e-10, 2e-9), Window(2.0**53, 1e-10, 1e-9)),
    decode_step=((1, 0.010), (2, 0.0105), (4, 0.011), (64, 0.030)),
    kv_tokens=200_000,
)
REPLICA = Replica(
    upstream="gpu", cost=4.0 / 3600, work=WORK, idle_power=200.0, busy_power=900.0, carbon=1e-4
)
SECOND = 10**9
END_NS = START_NS + HOUR_NS


def flight(number: int, start: float, ttft: float, length: float, **changes: object) -> Attempt:
    started = START_NS + round(start * SECOND)
    return attempt(number)._replace(
        **{  # pyrefly: ignore
            "upstream": "gpu",
            "provider": "self-hosted",
            "started_ns": started,
            "ttft_ns": round(ttft * SECOND),
            "ended_ns": started + round(length * SECOND),
            "uncached_input": 1000,
            "cache_read": 0,
            "output": 200,
            "reasoning": 0,
            **changes,
        }
    )


FLIGHTS = st.lists(
    st.builds(
        flight,
        st.integers(0, 10**6),
        st.floats(-20, 3600),
        st.floats(0, 5),
        st.floats(0.001, 60),
        uncached_input=st.integers(0, 20_000),
        cache_read=st.integers(0, 20_000),
        output=st.integers(0, 2000),
        prefill_ns=st.none() | st.integers(0, SECOND),
        decode_ns=st.none() | st.integers(0, 10 * SECOND),
    ),
    max_size=12,
    unique_by=lambda row: row.request,
)


def naive(rows: list[Attempt]) -> tuple[dict[tuple[str, int], float], dict[tuple[str, int], float]]:
    """The definition: between any two events, weights of all phases then running, one by one."""
    parts = [((row.request, row.attempt), phase) for row in rows for phase in phases(row, WORK)]
    times = {START_NS, END_NS} | {t for _, p in parts for t in (p.start_ns, p.end_ns)}
    ordered = sorted(t for t in times if START_NS <= t <= END_NS)
    allocation, usage = {IDLE: 0.0}, {IDLE: 0.0, HEADROOM: 0.0}
    for first, last in pairwise(ordered):
        seconds = (last - first) / SECOND
        now = [(k, p) for k, p in parts if p.start_ns <= first and p.end_ns >= last]
        batch = sum(p.token_rate > 0 for _, p in now)
        busy = [p.own + (p.token_rate * WORK.step(batch) / batch if batch else 0) for _, p in now]
        weights = [time + p.kv for time, (_, p) in zip(busy, now, strict=True)]
        if not sum(weights) > 0:
            allocation[IDLE] += seconds
            usage[IDLE] += seconds
            continue
        used = min(1.0, max(sum(busy), sum(p.kv for _, p in now)))
        usage[HEADROOM] += seconds * (1 - used)
        for weight, (key, _) in zip(weights, now, strict=True):
            share = seconds * weight / sum(weights)
            allocation[key] = allocation.get(key, 0.0) + share
            usage[key] = usage.get(key, 0.0) + share * used
    return allocation, usage


@settings(deadline=None)
@given(FLIGHTS)
def test_equals_the_naive_twin_and_fills_the_window(rows: list[Attempt]) -> None:
    found, (allocation, usage) = shared(rows, WORK, START_NS, END_NS), naive(rows)
    for one, twin in ((found.allocation, allocation), (found.usage, usage)):
        assert sum(one.values()) == pytest.approx(3600)
        for key in {**one, **twin}:
            assert one.get(key, 0.0) == pytest.approx(twin.get(key, 0.0), rel=1e-6, abs=1e-5)


@settings(deadline=None)
@given(FLIGHTS, st.floats(0, 100), st.none() | st.integers(0, 10**13))
def test_every_column_adds_up_to_the_unit(
    rows: list[Attempt], usd_per_hour: float, measured: int | None
) -> None:
    replica = Replica(
        upstream="gpu",
        cost=usd_per_hour / 3600,
        work=WORK,
        idle_power=200.0,
        busy_power=900.0,
        carbon=1e-4,
    )
    growth = (
        None if measured is None else Growth(fresh=0, generated=0, energy_uj=measured, power="rapl")
    )
    found = shares(rows, replica, START_NS, END_NS, growth=growth)
    bill = round(usd_per_hour / 3600 * 3600 * 1e9)
    assert abs(sum(one.allocation for one in found) - bill) <= 1
    assert sum(one.allocation for one in found) == sum(one.usage for one in found)
    energy = sum(one.energy_uj for one in found)
    assert measured is None or energy == measured
    assert energy + 1 >= 200 * 3600e6 or measured is not None
    assert sum(one.carbon_ug or 0 for one in found) == round(energy * 1e-4)


def test_an_hour_with_nothing_in_flight_is_idle() -> None:
    (only,) = [one for one in shares([], REPLICA, START_NS, END_NS) if one.allocation]
    assert (only.bucket, only.allocation, only.energy_uj) == ("idle", 4 * 10**9, 720 * 10**9)


def test_one_request_alone_pays_for_its_time_and_uses_less() -> None:
    row = flight(1, 600, 0.5, 10.5)
    found = shared([row], WORK, START_NS, END_NS)
    assert found.allocation["req-00000001", 1] == pytest.approx(10.5)
    assert found.allocation[IDLE] == pytest.approx(3600 - 10.5)
    prefill = 1000 * (2e-5 + 2 * 500 * 1e-10)  # modelled, in half a second
    context = 1000 + 100
    decode = 200 * (0.010 + 3e-9 * context)
    assert prefill < 0.5
    assert found.usage["req-00000001", 1] == pytest.approx(prefill + decode, rel=1e-9)
    assert found.usage[HEADROOM] == pytest.approx(10.5 - prefill - decode)


def test_of_two_alike_each_pays_half() -> None:
    found = shared([flight(1, 600, 0.5, 10.5), flight(2, 600, 0.5, 10.5)], WORK, START_NS, END_NS)
    assert found.allocation["req-00000001", 1] == pytest.approx(10.5 / 2)


def test_a_longer_context_pays_more_of_a_shared_batch() -> None:
    rows = [flight(1, 600, 0, 10), flight(2, 600, 0, 10, cache_read=60_000)]
    found = shared(rows, WORK, START_NS, END_NS).allocation
    small, large = found["req-00000001", 1], found["req-00000002", 1]
    assert large > 1.5 * small
    assert small + large == pytest.approx(10)


def test_the_engines_own_times_are_believed() -> None:
    row = flight(1, 600, 5, 20, prefill_ns=SECOND, decode_ns=10 * SECOND)
    prefill, decode = phases(row, WORK)
    assert prefill.end_ns - prefill.start_ns == SECOND, "four seconds of queue hold nothing"
    assert decode.end_ns - decode.start_ns == 10 * SECOND


def test_what_the_engine_served_beyond_the_rows_is_a_bucket() -> None:
    found = shared([flight(1, 600, 0.5, 10.5)], WORK, START_NS, END_NS)
    fixed = corrected(found, metered=1.0, counted=4.0)
    assert fixed.allocation[UNMETERED] == pytest.approx(10.5 * 0.75)
    assert sum(fixed.allocation.values()) == pytest.approx(3600)
    assert sum(fixed.usage.values()) == pytest.approx(3600)
    assert corrected(found, metered=4.0, counted=4.0) == found
    with pytest.raises(LedgerError, match="backwards"):
        corrected(found, metered=1.0, counted=-1.0)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(LedgerError, match="empty"):
        shared([], WORK, END_NS, START_NS)
    with pytest.raises(LedgerError, match="weight"):
        amounts_of(5, {})


def test_a_step_between_and_beyond_the_table() -> None:
    assert WORK.step(2) == 0.0105
    assert WORK.step(3) == pytest.approx(0.01075)
    assert WORK.step(128) == pytest.approx(0.060)
    assert math.isfinite(WORK.step(1))


def test_shares_are_kept_per_hour_and_can_be_made_anew(
    opened: Callable[[Path], SqliteLedger], tmp_path: Path
) -> None:
    ledger = opened(tmp_path / "l.db")
    ledger.append([flight(1, 3595, 0.5, 10), flight(2, 100, 0.5, 10), attempt(3)])
    with closing(connect(tmp_path / "l.db")) as database:
        for _ in range(2):
            assert attribute(database, REPLICA, START_NS, START_NS + 2 * HOUR_NS) == 8 * 10**9
        found = database.execute(
            "SELECT start, bucket, sum(allocation), sum(usage) FROM share GROUP BY 1, 2"
        ).fetchall()
        per_hour = [
            sum(row[2] for row in found if row[0] == START_NS // SECOND + 3600 * h) for h in (0, 1)
        ]
        assert per_hour == [4 * 10**9] * 2
        assert {row[1] for row in found} == {"request", "idle", "headroom"}
        (tenants,) = database.execute(
            "SELECT count(DISTINCT tenant) FROM share WHERE bucket = 'request'"
        ).fetchone()
        assert tenants == 2


def test_readings_bring_measured_energy_and_unmetered_work(
    opened: Callable[[Path], SqliteLedger], tmp_path: Path
) -> None:
    """The first hour is covered by readings, the second is not."""
    opened(tmp_path / "l.db").append([flight(1, 600, 60.0, 1000)])
    (row,) = [flight(1, 600, 60.0, 1000)]
    served = row.output + row.reasoning
    fresh = row.uncached_input
    watched = [
        Reading(START_NS + minute * 60 * SECOND, *counts, "rapl", (minute * 10**9,), (0,))
        for minute, counts in (
            (0, (0, 0, 0)),
            *((m, (3 * fresh, 0, 3 * served)) for m in (14, 28, 42, 56, 70)),
        )
    ]
    with closing(connect(tmp_path / "l.db")) as database:
        total = attribute(database, REPLICA, START_NS, START_NS + 2 * HOUR_NS, watched)
        assert total == 8 * 10**9
        found = database.execute(
            "SELECT start, bucket, power, sum(allocation), sum(usage), sum(energy_uj) FROM share "
            "GROUP BY 1, 2, 3"
        ).fetchall()
    first = {row[1]: row for row in found if row[0] == START_NS // SECOND}
    second = {row[1]: row for row in found if row[0] != START_NS // SECOND}
    assert {row[2] for row in first.values()} == {"rapl"}
    assert {row[2] for row in second.values()} == {"declared"}
    assert "unmetered" not in second
    # the engine served three times what the row shows: two thirds of the work are nobody's
    assert first["unmetered"][4] == pytest.approx(2 * first["request"][4], rel=1e-6)
    assert sum(row[5] for row in first.values()) == 60 * 10**9
    assert sum(row[4] for row in first.values()) == 4 * 10**9
