"""The spool: no row lost or doubled by crash, outage, full disk or damage."""

import errno
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from meter_cases import Away, attempt, attempts, stored, sums

from inferometer.errors import LedgerError
from inferometer.meter.frames import frame, frames
from inferometer.meter.record import LONGEST_NAME, Attempt, check
from inferometer.meter.segment import Segment
from inferometer.meter.spool import HELD_ROWS, RECENT_ROWS, SEGMENT_BYTES, Spool
from inferometer.meter.store.sqlite import SqliteLedger, connect

Open = Callable[[Path], SqliteLedger]


def eventually(condition: object, seconds: float = 10.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.005)


def test_rows_reach_the_ledger_and_the_folder_is_left_empty(opened: Open, tmp_path: Path) -> None:
    ledger = opened(tmp_path / "ledger.db")
    spool, rows = Spool(tmp_path / "spool", ledger), list(attempts(300))
    for row in rows:
        spool.append(row)
    spool.close()
    assert stored(tmp_path / "ledger.db") == rows
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_outage_neither_blocks_nor_loses(tmp_path: Path) -> None:
    ledger = Away()
    spool = Spool(tmp_path, ledger, window_s=0.005)
    ledger.away = True
    durable = threading.Event()
    spool.extend(list(attempts(100)))
    spool.when_durable(durable.set)
    assert durable.wait(10), "durable in the spool although the ledger is away"
    eventually(lambda: spool.outage)
    assert spool.backlog > 0
    ledger.away = False
    eventually(lambda: len(ledger.rows) == 100)
    eventually(lambda: not spool.outage)
    spool.close()
    assert spool.backlog == 0


def test_more_rows_than_memory_keeps_are_read_from_the_file(tmp_path: Path) -> None:
    ledger = Away()
    spool = Spool(tmp_path, ledger, window_s=30)
    rows = [attempt(number) for number in range(RECENT_ROWS + 2)]
    spool.extend(rows[:-1])
    spool.append(rows[-1])
    spool.close()
    assert list(ledger.rows.values()) == rows
    assert list(tmp_path.iterdir()) == []


def test_an_outage_over_a_restart(tmp_path: Path) -> None:
    ledger = Away()
    ledger.away = True
    spool = Spool(tmp_path, ledger)
    spool.extend(list(attempts(100)))
    spool.close()
    assert ledger.rows == {}
    ledger.away = False
    Spool(tmp_path, ledger).close()
    assert list(ledger.rows.values()) == list(attempts(100))
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_process_left_can_be_waited_for(tmp_path: Path) -> None:
    ledger, rows = Away(), list(attempts(50))
    ledger.away = True
    first = Spool(tmp_path, ledger)
    first.extend(rows)
    first.close()
    second = Spool(tmp_path, ledger)
    eventually(lambda: second.outage)
    assert not second.wait_recovered(5)  # said at once: the ledger is away
    second.close()
    ledger.away = False
    third = Spool(tmp_path, ledger)
    assert third.wait_recovered(10)
    assert list(ledger.rows.values()) == rows
    third.close()


def test_a_segment_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    ledger, other = Away(), Away()
    ledger.away = True
    first = Spool(tmp_path, ledger)
    first.append(attempt(1))
    Spool(tmp_path, other).close()
    assert other.rows == {}
    ledger.away = False
    first.close()
    assert len(ledger.rows) == 1


def test_segments_rotate_and_are_removed(tmp_path: Path) -> None:
    ledger = Away()
    spool = Spool(tmp_path, ledger)
    spool.begin(attempt(0))
    size = len(frame(b"A", attempt(1)))
    many = [attempt(number) for number in range(1, 3 + 3 * SEGMENT_BYTES // 16 // size)]
    for start in range(0, len(many), 1000):
        spool.extend(many[start : start + 1000])
        time.sleep(0.06)
    eventually(lambda: len(ledger.rows) == len(many))
    spool.append(attempt(0))
    spool.close()
    assert len(ledger.rows) == len(many) + 1
    assert list(tmp_path.iterdir()) == []


def test_an_attempt_that_was_cut_off_is_booked_as_interrupted(tmp_path: Path) -> None:
    ledger = Away()
    spool = Spool(tmp_path, ledger)
    spool.begin(attempt(1))
    spool.begin(attempt(2))
    spool.append(attempt(2))
    spool.close()  # the first is still open, as after a crash
    Spool(tmp_path, ledger).close()
    assert {row.request: row.outcome for row in ledger.rows.values()} == {
        attempt(1).request: "interrupted",
        attempt(2).request: "ok",
    }
    assert list(tmp_path.iterdir()) == []


def test_a_beginning_and_its_end_in_two_segments_of_a_crash(tmp_path: Path) -> None:
    for name, data in (("1", frame(b"B", attempt(1))), ("2", frame(b"A", attempt(1)))):
        (tmp_path / f"{name}.spool").write_bytes(data)
    ledger = Away()
    Spool(tmp_path, ledger).close()
    assert [row.outcome for row in ledger.rows.values()] == ["ok"]


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 100])
def test_a_torn_tail_loses_only_itself(tmp_path: Path, cut: int) -> None:
    whole = frame(b"A", attempt(1)) + frame(b"A", attempt(2))
    (tmp_path / "1.spool").write_bytes(whole + frame(b"A", attempt(3))[:cut])
    ledger = Away()
    Spool(tmp_path, ledger).close()
    assert [row.request for row in ledger.rows.values()] == ["req-00000001", "req-00000002"]
    assert list(tmp_path.iterdir()) == []


def test_damage_keeps_the_file(tmp_path: Path) -> None:
    second = bytearray(frame(b"A", attempt(2)))
    second[20] ^= 1
    (tmp_path / "1.spool").write_bytes(frame(b"A", attempt(1)) + second)
    ledger = Away()
    Spool(tmp_path, ledger).close()
    assert [row.request for row in ledger.rows.values()] == ["req-00000001"]
    assert [path.name for path in tmp_path.iterdir()] == ["1.damaged"]


def test_a_frame_of_an_absurd_length_is_damage() -> None:
    with pytest.raises(LedgerError, match="byte 0"):
        list(frames(b"\xff" * 64))


def test_the_longest_rows_that_are_sound_are_read_back(tmp_path: Path) -> None:
    """From a file: the ledger is away at first."""
    longest = {
        name: "\U0001d11e" * LONGEST_NAME
        for name, kind in Attempt.__annotations__.items()
        if kind is str
    }
    rows = [attempt(n, **{**longest, "request": f"{n}" * LONGEST_NAME}) for n in range(1, 9)]
    for row in rows:
        check(row)
    ledger = Away()
    ledger.away = True
    spool = Spool(tmp_path, ledger)
    spool.extend(rows)
    spool.close()
    ledger.away = False
    Spool(tmp_path, ledger).close()
    assert sorted(ledger.rows.values()) == rows  # by request


def test_rows_of_an_older_version_take_defaults() -> None:
    row = attempt(1, flags="", source="gateway")
    old = msgspec.msgpack.encode(list(row)[:-2])
    payload = b"A" + old
    data = struct.pack("<II", len(payload), zlib.crc32(payload)) + payload
    assert [one.row for one in frames(data)] == [row]


def test_a_row_that_no_ledger_takes_is_put_aside_and_stops_no_other(tmp_path: Path) -> None:
    ledger = Away()
    spool = Spool(tmp_path, ledger)
    spool.extend([attempt(1), attempt(2, output=-1), attempt(3)])
    spool.close()
    assert [row.request for row in ledger.rows.values()] == ["req-00000001", "req-00000003"]
    assert spool.refused == 1
    assert b"output" in (tmp_path / "refused.jsonl").read_bytes()


def test_a_row_that_cannot_be_encoded_is_refused_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Away())
    with pytest.raises(LedgerError, match="cannot be written"):
        spool.append(attempt(1, tenant="\ud800"))
    spool.close()


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_rows_that_memory_held_go_to_the_file_as_soon_as_it_has_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the process ends at once, and the ledger is away all the while."""
    ledger, rows = Away(), list(attempts(250))
    spool = Spool(tmp_path, ledger, window_s=10.0)
    ledger.away = True
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        spool.extend(rows)
    spool.close()
    ledger.away = False
    Spool(tmp_path, ledger).close()
    assert list(ledger.rows.values()) == rows


def test_rows_that_a_full_disk_never_took_are_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Away()
    spool = Spool(tmp_path, ledger, window_s=10.0)
    ledger.away = True
    monkeypatch.setattr(os, "pwrite", full)
    spool.extend(list(attempts(3)))
    spool.close()
    assert "3 rows are lost" in caplog.text


def test_a_full_disk_holds_rows_in_memory_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Away()
    spool = Spool(tmp_path, ledger, window_s=0.005)
    ledger.away = True
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        durable = threading.Event()
        spool.extend(list(attempts(10)))
        spool.when_durable(durable.set)
        assert "No space" in spool.outage
        with pytest.raises(LedgerError, match="No space"):
            spool.extend(list(attempts(HELD_ROWS)))
        assert not durable.wait(0.1), "what is only in memory is not durable"
    ledger.away = False
    eventually(lambda: len(ledger.rows) == 10)
    assert durable.wait(10)
    spool.close()


def test_a_short_write_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment(tmp_path / "1.spool", create=True)
    segment.write(frame(b"A", attempt(1)))
    write = os.pwrite

    def short(file: int, data: bytes, at: int) -> int:
        return write(file, data[:9], at)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", short)
        with pytest.raises(LedgerError, match="disk full"):
            segment.write(frame(b"A", attempt(2)))
    segment.write(frame(b"A", attempt(3)))
    assert [one.row.request for one in segment.unshipped(segment.size)[0]] == [
        "req-00000001",
        "req-00000003",
    ]


WRITER = """
import sys
from pathlib import Path
from meter_cases import attempt
from inferometer.meter.spool import Spool
from inferometer.meter.store.sqlite import SqliteLedger
folder, start = Path(sys.argv[1]), int(sys.argv[2])
spool = Spool(folder / "spool", SqliteLedger(folder / "ledger.db"), window_s=0.002)
for number in range(start, start + 10**9):
    spool.begin(attempt(number))
    spool.append(attempt(number))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def kill_in_the_middle(folder: Path, start: int, pause: float) -> int:
    """Run a writer, kill it -9, return the last row that it was told is recorded."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", WRITER, str(folder), str(start)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    told = process.communicate()[0].split()
    return int(told[-2]) if len(told) > 1 else start


@pytest.mark.parametrize("rounds", [3, pytest.param(200, marks=pytest.mark.soak)])
def test_kill_9_loses_and_doubles_nothing(opened: Open, tmp_path: Path, rounds: int) -> None:
    """Each round is checked by its own rows; all of them, with the sums, at the end."""
    ledger, start = tmp_path / "ledger.db", 0
    for number in range(rounds):
        last = kill_in_the_middle(tmp_path, start, 0.02 + number % 7 * 0.013)
        Spool(tmp_path / "spool", opened(ledger)).close()
        expected = {attempt(n).request for n in range(start, last + 1)}
        assert expected <= set(ended_since(ledger, attempt(start).request))
        start = last + 1000
    found = ended_since(ledger, "")
    assert len(found) == len(set(found))
    with closing(connect(ledger, read_only=True)) as database:
        (count,) = database.execute("SELECT count(*) FROM attempt").fetchone()
    assert sums(ledger)["attempts"] == count
    assert list((tmp_path / "spool").iterdir()) == []


def ended_since(path: Path, request: str) -> list[str]:
    """Ids of the attempts that ended, from an id on; ids here are in the order of time."""
    with closing(connect(path, read_only=True)) as database:
        found = database.execute(
            "SELECT request FROM attempt WHERE request >= ? AND outcome = 'ok'", (request,)
        )
        return [request for (request,) in found]


def test_a_segment_that_cannot_be_synced_as_it_gives_way_is_shipped_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows reach the ledger, and whoever waits for them is told."""
    ledger, sync, failing = Away(), os.fdatasync, threading.Event()

    def refuse_if_failing(file: int) -> None:
        if failing.is_set():
            raise OSError(errno.EIO, "refused")
        sync(file)

    monkeypatch.setattr(os, "fdatasync", refuse_if_failing)
    spool = Spool(tmp_path, ledger, window_s=30)
    durable = threading.Event()
    rows = list(attempts(100))
    spool.extend(rows)
    failing.set()
    spool.when_durable(durable.set)
    eventually(lambda: "cannot be synced" in spool.outage)
    with pytest.raises(LedgerError, match="cannot be synced"):
        spool._rotate()  # noqa: SLF001 - at its worst moment
    assert not durable.is_set()
    failing.clear()
    spool.close()
    assert durable.is_set()
    assert list(ledger.rows.values()) == rows
    assert list(tmp_path.iterdir()) == []
