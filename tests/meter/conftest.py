"""Ledgers that are closed when the test is over."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from inferometer.meter.store.sqlite import SqliteLedger


@pytest.fixture
def opened() -> Iterator[Callable[[Path], SqliteLedger]]:
    """Return a function that opens a ledger file for the length of the test."""
    with ExitStack() as stack:

        def open_ledger(path: Path) -> SqliteLedger:
            ledger = SqliteLedger(path)
            stack.callback(ledger.close)
            return ledger

        yield open_ledger
