"""What is under way, on stderr: lines that say so, and how far a run is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.simulate.supply import Watch


def say(text: str) -> None:
    """Write a line to stderr now."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextmanager
def progress(span: float | None) -> "Iterator[Watch | None]":
    """Yield who shows how far a run is; None where nobody looks.

    Args:
        span: Time that will be played, s; None if it is not known.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("played {task.completed:,.0f} s"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("playing", total=span)
        yield lambda now: shown.update(task, completed=now)
