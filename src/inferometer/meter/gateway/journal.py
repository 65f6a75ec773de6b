"""From the gateway to the spool, as durable as configured before a caller is told the end.

`window`: the row is in a file before the caller's last byte, so the process may die at any moment;
a power cut may take the last milliseconds, at most the window. An attempt that is still open after
a window is noted, so that a crash leaves it booked as interrupted; a crash within its first window
leaves nothing of it. `strict`: it is noted before it is sent, and its row is synced first.
"""

import asyncio
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
        on_failure: Called when it cannot be noted.
    """

    spool: Spool
    strict: bool
    window_s: float = WINDOW_S
    on_failure: Callable[[], None] = lambda: None
    _young: dict[_Key, tuple[float, Callable[[], Attempt]]] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None

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
        """Record an attempt; it survives the death of the process from here on.

        Raises:
            LedgerError: neither disk nor memory has room.
        """
        self._young.pop((row.request, row.attempt), None)
        self.spool.append(row)

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

    def when_told(self, tell: Callable[[], None]) -> None:
        """Call `tell` now, or in strict mode once everything appended is on disk."""
        if not self.strict:
            tell()
            return
        loop = asyncio.get_running_loop()

        def from_writer() -> None:
            loop.call_soon_threadsafe(tell)

        self.spool.when_durable(from_writer)
