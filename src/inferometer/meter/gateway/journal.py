"""From the gateway to the spool, as durable as configured before a caller is told the end.

`window`: the row is in a file before the caller's last byte, so the process may die at any moment;
a power cut may take the last milliseconds, at most the window. An attempt that is still open after
a window is noted, so that a crash leaves it booked as interrupted; a crash within its first window
leaves nothing of it. `strict`: it is noted before it is sent, and its row is synced first.

What ends in one turn of the event loop is written at once in the next, and then the callers are
told: each write lets go of the interpreter's lock, which the thread that fills the ledger takes.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt
from inferometer.meter.spool import WINDOW_S, Spool

_Key = tuple[str, int]


@dataclass(slots=True)
class SpoolJournal:
    """Rows of one process on their way into its spool.

    Attributes:
        spool: Where they go.
        strict: Whether everything is synced before it is acted on.
        window_s: Seconds after which an attempt that is still open is noted.
        on_failure: Called for every row that cannot be written, or noted.
        failed: Whether the last row could not be written.
    """

    spool: Spool
    strict: bool
    window_s: float = WINDOW_S
    on_failure: Callable[[], None] = lambda: None
    failed: bool = False
    _young: dict[_Key, tuple[float, Callable[[], Attempt]]] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None
    _rows: list[Attempt] = field(default_factory=list)
    _untold: deque[Callable[[], None]] = field(default_factory=deque)
    _turn: asyncio.Handle | None = None

    def begin(self, request: str, attempt: int, row: Callable[[], Attempt]) -> None:
        """Take note of an attempt that is about to be sent; `row` makes its row as of then."""
        if self.strict:
            self._note(row)
            return
        loop = asyncio.get_running_loop()
        self._young[request, attempt] = loop.time(), row
        if self._timer is None:
            self._timer = loop.call_later(self.window_s, self._note_old)

    def append(self, row: Attempt) -> None:
        """Record an attempt; it survives the death of the process once `when_told` tells."""
        self._young.pop((row.request, row.attempt), None)
        self._rows.append(row)
        if self.strict:
            self.flush()
        else:
            self._soon()

    def when_told(self, tell: Callable[[], None]) -> None:
        """Call `tell`, in order, once everything appended is written, in strict mode on disk."""
        if not self.strict:
            self._untold.append(tell)
            self._soon()
            return
        loop = asyncio.get_running_loop()

        def from_writer() -> None:
            loop.call_soon_threadsafe(tell)

        self.spool.when_durable(from_writer)

    def _soon(self) -> None:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what was appended, then tell who waits for it."""
        self._turn = None
        rows = self._rows
        self._rows = []
        if rows:
            self._write(rows)
        untold = self._untold
        self._untold = deque()
        try:
            while untold:
                untold.popleft()()
        finally:
            if untold:  # one of them failed, which is no reason not to tell the others
                self._untold.extendleft(reversed(untold))
                self._soon()

    def _write(self, rows: list[Attempt]) -> None:
        """Write rows at once, or if that fails one by one: a faulty one takes no other along."""
        try:
            self.spool.extend(rows)
            self.failed = False
        except LedgerError:
            self.failed = True
            if len(rows) == 1:
                self.on_failure()
                return
            for row in rows:
                self._write([row])

    def _note_old(self) -> None:
        """Note what has been open for a window, and come back when the next one will have been."""
        loop, self._timer = asyncio.get_running_loop(), None
        until = loop.time() - self.window_s / 2  # half a window late at most, and fewer timers
        while self._young:
            key, (began, row) = next(iter(self._young.items()))
            if began > until:
                self._timer = loop.call_later(began - until, self._note_old)
                return
            del self._young[key]
            self._note(row)

    def _note(self, row: Callable[[], Attempt]) -> None:
        try:
            self.spool.begin(row())
        except LedgerError:
            self.on_failure()
