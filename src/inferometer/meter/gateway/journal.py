"""From the gateway to the spool, as durable as configured before a caller is told the end.

`window`: the row is in a file before the caller's last byte, so the process may die at any moment;
a power cut may take the last milliseconds, at most the window. `strict`: the row is synced first.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from inferometer.meter.record import Attempt
from inferometer.meter.spool import Spool


@dataclass(frozen=True, slots=True)
class SpoolJournal:
    """Rows of one process on their way into its spool."""

    spool: Spool
    strict: bool

    def begin(self, row: Attempt) -> None:
        """Note an attempt, so that a crash leaves it booked as interrupted."""
        self.spool.begin(row)

    def append(self, row: Attempt) -> None:
        """Record an attempt; it survives the death of the process from here on.

        Raises:
            LedgerError: neither disk nor memory has room.
        """
        self.spool.append(row)

    def when_told(self, tell: Callable[[], None]) -> None:
        """Call `tell` now, or in strict mode once everything appended is on disk."""
        if not self.strict:
            tell()
            return
        loop = asyncio.get_running_loop()

        def from_writer() -> None:
            loop.call_soon_threadsafe(tell)

        self.spool.when_durable(from_writer)
