"""One child process that is kept running: started, known to be ready, restarted, stopped."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.errors import EngineError, ScenarioError

GRACE = 8.0
"""Seconds between SIGTERM and SIGKILL."""

PAUSE = 0.05
"""Seconds between two looks at a child that starts or stops."""

TAIL = 2000
"""Characters of a log that a message quotes."""

_PR_SET_PDEATHSIG = 1


@dataclass(slots=True, kw_only=True)
class Service:
    """A child process and how it is kept.

    Attributes:
        name: Name for people.
        words: Its command.
        environment: Variables beside ours.
        ready_url: Address that answers 200 once it serves.
        log: File that its output goes to.
        starts: Times that it was started.
        process: The process, once started.
    """

    name: str
    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    ready_url: str
    log: Path
    starts: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; 0 before it is started."""
        return self.process.pid if self.process is not None else 0


def start(service: Service) -> None:
    """Start the process, in a session of its own so that a signal of the terminal comes to us.

    Raises:
        ScenarioError: its log cannot be written.
    """
    try:
        log = service.log.open("ab")
    except OSError as error:
        raise ScenarioError(f"{service.log}: cannot be written: {error.strerror}") from error
    with log:
        service.process = subprocess.Popen(  # noqa: S603
            list(service.words),
            env={**os.environ, **service.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
    service.starts += 1


def _die_with_parent() -> None:
    """Ask the kernel to end this process when its parent does, however that comes about."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_ready(service: Service, *, timeout: float) -> float:
    """Return the seconds until the service answers its ready address.

    Raises:
        EngineError: it ended, or does not answer in time; its log's end is quoted.
    """
    began = time.monotonic()
    while time.monotonic() - began < timeout:
        if not service.running:
            code = service.process.returncode if service.process is not None else None
            raise EngineError(f"{service.name} ended with {code} before it served\n{tail(service)}")
        if answers(service.ready_url):
            return time.monotonic() - began
        time.sleep(PAUSE)
    raise EngineError(f"{service.name} does not serve after {timeout:g} s\n{tail(service)}")


def answers(url: str, *, timeout: float = 1.0) -> bool:
    """Return whether an address on this machine answers with status 200."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as reply:  # noqa: S310
            return bool(reply.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def stop(services: Sequence[Service]) -> None:
    """End the processes: a request first, force after `GRACE`; none is left.

    What a process started is ended with it, also where the process itself has died before.
    """
    for service in services:
        _signal(service, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while any(s.running for s in services) and time.monotonic() < until:
        time.sleep(PAUSE)
    for service in services:
        _signal(service, signal.SIGKILL)
        if service.process is not None:
            service.process.wait()


def _signal(service: Service, number: int) -> None:
    """Signal the service with whatever it has started, its own session."""
    if service.process is None:
        return
    try:
        os.killpg(service.process.pid, number)
    except ProcessLookupError:
        return


def tail(service: Service) -> str:
    """Return the end of the service's log."""
    try:
        return service.log.read_text(encoding="utf-8", errors="replace")[-TAIL:].strip()
    except OSError:
        return ""
