"""Services kept together: ready in order, restarted when they die, ended by a signal."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from inferometer.errors import EngineError
from inferometer.loop.service import Service, start, stop, tail, wait_ready

PAUSE = 0.2
"""Seconds between two looks at the services."""

MOST_DEATHS = 5
"""Deaths of one service within `DEATHS_WITHIN` after which it is given up."""

DEATHS_WITHIN = 60.0

START_TIMEOUT = 180.0
"""Seconds in which an engine must serve: vLLM on a loaded processor takes one minute."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Say = Callable[[str], None]
"""Who is told what is under way, a line at a time."""


@contextmanager
def running(services: Sequence[Service], *, say: Say) -> Iterator[None]:
    """Run `services` for as long as the block lasts; each is ready before the next is started.

    Raises:
        EngineError: one does not become ready; all are ended.
    """
    try:
        for service in services:
            start(service)
            took = wait_ready(service, timeout=START_TIMEOUT)
            say(f"{service.name}: ready after {took:.1f} s (process {service.pid})")
        yield
    finally:
        with _uninterrupted():
            stop(list(reversed(services)))


def keep(services: Sequence[Service], *, say: Say) -> None:
    """Restart what dies, until a signal interrupts it.

    Raises:
        EngineError: a service dies again and again, or does not come back.
    """
    deaths: dict[str, list[float]] = {service.name: [] for service in services}
    while True:
        for service in services:
            if not service.running:
                _again(service, deaths[service.name], say)
        time.sleep(PAUSE)


def _again(service: Service, deaths: list[float], say: Say) -> None:
    deaths.append(time.monotonic())
    recent = [at for at in deaths if deaths[-1] - at < DEATHS_WITHIN]
    if len(recent) > MOST_DEATHS:
        raise EngineError(
            f"{service.name} died {len(recent)} times within {DEATHS_WITHIN:g} s; given up\n"
            f"{tail(service)}"
        )
    say(f"{service.name}: died; starting it again")
    stop([service])  # what it had started may live on, and hold its memory
    start(service)
    took = wait_ready(service, timeout=START_TIMEOUT)
    say(f"{service.name}: ready again after {took:.1f} s (process {service.pid})")


@contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM raise KeyboardInterrupt, as SIGINT does, so that what was started is ended."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold signals off while processes are ended: a second Ctrl-C must not leave one behind."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
