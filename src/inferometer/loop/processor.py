"""Processor time of the process behind a port of this machine, with that of its children."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from inferometer.units import Seconds

PROC = Path("/proc")
LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""


HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def is_local(url: str) -> bool:
    """Return whether an address is surely one of this machine."""
    return urlsplit(url).hostname in HERE


def pid_behind(url: str) -> int | None:
    """Return the process that listens at an address of this machine; None where that is unknown.

    Unknown are other machines, other systems than Linux, and processes of other users.
    """
    port = urlsplit(url).port
    if not is_local(url) or port is None:
        return None
    inodes = set(_listening(port))
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if any(_inode(link) in inodes for link in (folder / "fd").iterdir()):
                return int(folder.name)
    return None


def _listening(port: int) -> Iterator[str]:
    """Yield the inodes of sockets that listen on a port."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / name).read_text().splitlines()[1:]:
                cells = line.split()
                if cells[3] == LISTENING and int(cells[1].rsplit(":", 1)[1], 16) == port:
                    yield cells[9]


def _inode(link: Path) -> str:
    with suppress(OSError):
        return str(link.readlink()).removeprefix("socket:[").removesuffix("]")
    return ""


def processor_seconds(pid: int) -> Seconds | None:
    """Return the processor time that a process and its living children took; None once it is gone.

    Children that ended are counted by their parent.
    """
    own = _own_seconds(pid)
    if own is None:
        return None
    return own + sum(processor_seconds(child) or 0.0 for child in _children(pid))


def _own_seconds(pid: int) -> Seconds | None:
    try:
        cells = (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return sum(map(int, cells[11:15])) / os.sysconf("SC_CLK_TCK")  # utime stime cutime cstime


def _children(pid: int) -> list[int]:
    found = list[int]()
    for task in (PROC / str(pid) / "task").glob("*"):
        with suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found
