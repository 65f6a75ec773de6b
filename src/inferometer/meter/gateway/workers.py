"""Several gateway processes on one port: one a core, each replaced if it dies.

The kernel spreads connections over them (SO_REUSEPORT). The parent holds no connection: it passes
signals on and starts again what ended without being asked to. Worker n has its control listener at
the configured port plus n.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

PAUSE = 0.1
RESTART_AFTER = 1.0
"""Seconds before a worker that died is started again, so that a wrong file does not spin."""


def supervise(path: Path, workers: int) -> int:
    """Run so many workers until a signal ends them; return 0 if all ended well."""
    children = [_start(path, index) for index in range(workers)]
    asked: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        if number != signal.SIGHUP:
            asked.append(number)
        for child in children:
            if child.poll() is None:
                child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    while not asked or any(child.poll() is None for child in children):
        time.sleep(PAUSE)
        if not asked:
            _replace_dead(path, children)
    return int(any(child.returncode for child in children))


def _replace_dead(path: Path, children: list["subprocess.Popen[bytes]"]) -> None:
    for index, child in enumerate(children):
        if child.poll() is not None:
            time.sleep(RESTART_AFTER)
            children[index] = _start(path, index)


def _start(path: Path, index: int) -> "subprocess.Popen[bytes]":
    command: Sequence[str] = (
        *(sys.executable, "-m", "inferometer", "gateway"),
        *("--config", str(path), "--worker", str(index)),
    )
    return subprocess.Popen(command)  # noqa: S603
