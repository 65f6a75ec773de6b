"""The spool: rows go to a local file at once and to the ledger soon after.

A row survives the death of the process as soon as `append` returns, and the loss of power once it
is synced, within the window (50 ms unless told otherwise). The ledger may be away for as long as
the disk has room: traffic goes on and rows are shipped when it is back, each once, since
(request, attempt) tells a replay. What cannot be shipped is kept and counted, never dropped.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.frames import Frame, frame
from inferometer.meter.record import Attempt, Ledger, check
from inferometer.meter.segment import SUFFIX, Segment, orphans

WINDOW_S = 0.05
SEGMENT_BYTES, SMALL_BYTES = 16 << 20, 1 << 20
"""Sizes at which a segment gives way to the next, while the ledger is away and when all is shipped:
a restart reads no more than that again."""
RETRY_S = 1.0
"""Pause after the ledger refused. All of these are our own choice, each within what an operator can
see: one beat of a dashboard, a tenth of a second of reading, one health probe."""
LOOK_S = 0.005
HELD_ROWS = 10_000
"""Rows kept in memory while the disk is full; beyond that `append` refuses."""
SPILLED_ROWS = 100
"""Rows that go from memory to the disk with one write, once it may have room. Our own choice: each
write is whole or nothing."""
RECENT_ROWS = 1_000
"""Rows kept in memory beside the file until they are shipped, so that nobody reads them back in the
usual case: under 2 MB, reached only while the ledger lags. Our own choice."""
log = logging.getLogger(__name__)


class Spool:
    """The way into a ledger for one process: `append` from any thread, a writer thread ships."""

    def __init__(self, folder: Path, ledger: Ledger, *, window_s: float = WINDOW_S) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{folder}: cannot be made: {error.strerror}") from None
        self.folder = folder
        self.outage = ""
        """Why the ledger cannot be written at present; empty while it can."""
        self.refused = 0
        """Rows that no ledger would take, kept in `refused.jsonl`."""
        self._ledger, self._window = ledger, window_s
        self._lock = threading.Lock()
        self._wake, self._closing = threading.Event(), False
        self._orphans, self._full = deque(orphans(folder)), deque[Segment]()
        self._begun: dict[tuple[str, int], Attempt] = {}
        self._number = 0
        self._current = self._next_segment()
        self._open: dict[tuple[str, int], bytes] = {}
        self._held: deque[Attempt] = deque()
        self._recent: list[Attempt] | None = []
        self._waiting: deque[tuple[Segment, int, Callable[[], None]]] = deque()
        self._thread = threading.Thread(target=self._run, name="ledger-spool", daemon=True)
        self._thread.start()

    def begin(self, row: Attempt) -> None:
        """Note an attempt that has begun: if a crash cuts it off, it is booked as interrupted.

        Without room on the disk there is no note, and `outage` says so.

        Raises:
            LedgerError: the row is at fault.
        """
        data = frame(b"B", row)
        with self._lock:
            self._open[row.request, row.attempt] = data
            try:
                self._current.write(data)
            except LedgerError as error:
                self.outage = str(error)

    def append(self, row: Attempt) -> None:
        """Record an attempt that has ended.

        Raises:
            LedgerError: the row cannot be written; or the disk is full and memory too.
        """
        self.extend((row,))

    def extend(self, rows: Sequence[Attempt]) -> None:
        """Record several attempts with one write; see `append`."""
        data = b"".join([frame(b"A", row) for row in rows])
        with self._lock:
            try:
                self._current.write(data)
            except LedgerError as error:
                if len(self._held) + len(rows) > HELD_ROWS:
                    raise
                self.outage = str(error)
                self._held.extend(rows)
            else:
                self._remember(rows)
            if self._open:
                for row in rows:
                    self._open.pop((row.request, row.attempt), None)

    def _remember(self, rows: Sequence[Attempt]) -> None:
        if self._recent is None or len(self._recent) + len(rows) > RECENT_ROWS:
            self._recent = None
        else:
            self._recent += rows

    def when_durable(self, done: Callable[[], None]) -> None:
        """Call `done` from the writer thread once all that was appended so far is durable."""
        with self._lock:
            self._waiting.append((self._current, self._current.size, done))
        self._wake.set()

    @property
    def backlog(self) -> int:
        """Bytes that are not in the ledger yet."""
        segments = (*self._orphans, *self._full, self._current)
        return sum(segment.size - segment.shipped for segment in segments)

    def wait_recovered(self, patience: float) -> bool:
        """Wait until the rows of dead processes are in the ledger; not while it is away.

        Args:
            patience: Most seconds to wait.

        Returns:
            Whether they all are.
        """
        until = time.monotonic() + patience
        while self._orphans and not self.outage and time.monotonic() < until:
            time.sleep(LOOK_S)
        return not self._orphans

    def close(self) -> None:
        """Ship what can be shipped and stop; the rest stays in the folder for the next start."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        if self._held:
            log.error("ledger: %d rows are lost: the disk is full and the ledger away",
                      len(self._held))  # fmt: skip
        for segment in (*self._orphans, *self._full, self._current):
            open_here = segment in self._orphans or (segment is self._current and self._open)
            if segment.shipped == segment.size and not open_here:
                segment.remove()
            else:
                segment.close()

    def _run(self) -> None:
        retry_at = 0.0
        while True:
            last = self._closing
            try:
                self._spill()
                self._sync()
                if last or time.monotonic() >= retry_at:
                    self._ship()
                    self.outage = ""
            except LedgerError as error:
                if str(error) != self.outage:
                    log.warning("ledger: %s", error)
                self.outage, retry_at = str(error), time.monotonic() + RETRY_S
            if last:
                return
            self._wake.wait(self._window)
            self._wake.clear()

    def _spill(self) -> None:
        """Write what memory holds to the file, as far as the disk has room again."""
        with self._lock:
            while self._held:
                some = list(islice(self._held, SPILLED_ROWS))
                try:
                    self._current.write(b"".join([frame(b"A", row) for row in some]))
                except LedgerError:
                    return
                self._remember(some)
                for _ in some:
                    self._held.popleft()

    def _sync(self) -> None:
        for segment in (*self._full, self._current):
            segment.sync()
        while self._waiting and not self._held:
            segment, size, done = self._waiting[0]
            if size > segment.synced:
                return
            self._waiting.popleft()
            done()

    def _ship(self) -> None:
        """Move rows from files and memory to the ledger, oldest first."""
        self._recover()
        while self._full:
            deque(self._ship_segment(self._full[0]), maxlen=0)
            self._full.popleft().remove()
        self._ship_current()
        self._ship_held()
        shipped = self._current.shipped == self._current.size
        if self._current.size >= (SMALL_BYTES if shipped else SEGMENT_BYTES):
            self._rotate()

    def _recover(self) -> None:
        """Ship what dead processes left, then book what they had begun and never ended."""
        for segment in list(self._orphans):
            for one in self._ship_segment(segment):
                key = one.row.request, one.row.attempt
                if one.kind == b"B":
                    ended = max(one.row.started_ns, segment.modified_ns)
                    self._begun[key] = one.row._replace(outcome="interrupted", ended_ns=ended)
                else:
                    self._begun.pop(key, None)
        if self._begun:
            self._deliver(list(self._begun.values()))
            self._begun.clear()
        while self._orphans:
            self._orphans.popleft().remove()

    def _ship_segment(self, segment: Segment, end: int | None = None) -> Iterator[Frame]:
        """Deliver a segment's rows, up to `end` if given; return its frames as they are shipped.

        A damaged rest is kept in a file of its own for a person to look at.
        """
        while True:
            found, damage = segment.unshipped(segment.size if end is None else end)
            self._deliver([one.row for one in found if one.kind == b"A"])
            yield from found
            if damage:
                log.error("ledger: %s; the rest is kept as .damaged", damage)
                segment.set_aside()
            if damage or not found:
                return
            segment.shipped = found[-1].end

    def _ship_current(self) -> None:
        """Deliver what is new, from memory or, if that had no room for it, from the file."""
        with self._lock:
            recent, end = self._recent, self._current.size
            self._recent = []
        try:
            if recent is None:
                deque(self._ship_segment(self._current, end), maxlen=0)
            else:
                self._deliver(recent)
        except LedgerError:
            with self._lock:
                self._recent = None
            raise
        self._current.shipped = end

    def _ship_held(self) -> None:
        with self._lock:
            held = list(self._held)
        self._deliver(held)
        with self._lock:
            for _ in held:
                self._held.popleft()

    def _deliver(self, rows: Sequence[Attempt]) -> None:
        """Append rows; if they are refused, put the faulty ones aside and append the others."""
        if not rows:
            return
        try:
            self._ledger.append(rows)
        except LedgerError:
            faults = {
                position: fault for position, row in enumerate(rows) if (fault := _fault(row))
            }
            if not faults:
                raise
            self._ledger.append([row for at, row in enumerate(rows) if at not in faults])
            self._refuse((rows[at], fault) for at, fault in faults.items())

    def _refuse(self, faulty: Iterable[tuple[Attempt, str]]) -> None:
        with (self.folder / "refused.jsonl").open("ab") as file:
            for row, fault in faulty:
                self.refused += 1
                log.error("ledger: row refused: %s", fault)
                file.write(msgspec.json.encode({"fault": fault, "row": row}) + b"\n")

    def _rotate(self) -> None:
        """Start a new segment, which also holds what is still open."""
        with self._lock:
            before, self._current = self._current, self._next_segment()
            self._full.append(before)  # first, so that no failure below can lose it
            self._recent = []  # what it held is in the segment before, which is read
            for data in self._open.values():
                self._current.write(data)
        self._sync()

    def _next_segment(self) -> Segment:
        self._number += 1
        name = f"{time.time_ns():020d}-{os.getpid()}-{self._number:06d}{SUFFIX}"
        try:
            return Segment(self.folder / name, create=True)
        except OSError as error:
            raise LedgerError(f"{self.folder / name}: cannot be made: {error.strerror}") from None


def _fault(row: Attempt) -> str:
    try:
        check(row)
    except LedgerError as error:
        return str(error)
    return ""
