"""A disk that is really full: a small file system of memory, filled to the last byte."""

import contextlib
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_cases import COMPLETION, answer, ask, run
from process_cases import Running, ended, rows_of, started, upstream, write

BUDGET = '\n[[budget]]\nname = "month"\nby = "key"\nhard_usd = "1000"\n'
OWN_PRICE = """[[price]]
provider = "self-hosted"
model = "m"
valid_from = 2026-01-01
source = "made up for the test"
input = "1.00"
output = "2.00"
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB of its own, or no test: only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if not mount or os.geteuid() or not done(command):
        pytest.skip("a small file system needs root and mount")
    try:
        yield folder
    finally:
        assert done(["umount", "--lazy", str(folder)])


def done(command: list[str]) -> bool:
    """Run a command; return whether it succeeded."""
    return not subprocess.run(command, capture_output=True, check=False).returncode  # noqa: S603


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return filler


async def answered(running: Running, count: int) -> list[str]:
    """Ask some times; return the ids of the rows that each answer must have."""
    caller = await running.caller()
    told = []
    for _ in range(count):
        got = await caller.post(ask())
        assert got.status == 200, got.body
        told.append(got.headers["x-request-id"])
    return told


@pytest.mark.parametrize("restarted", [False, True])
def test_a_full_disk_fails_no_request_and_loses_no_row(disk: Path, restarted: bool) -> None:
    """Ledger, spool and budgets lie on it. With a restart after room was made, or without."""

    async def scenario() -> list[str]:
        async with upstream([answer(COMPLETION)]) as server:
            prices = disk.parent / "prices.toml"
            prices.write_text(OWN_PRICE, encoding="utf-8")
            config = write(disk, server.port, lb_window=0.0, prices=str(prices))
            with config.open("a", encoding="utf-8") as file:
                file.write(BUDGET)
            async with started(config) as running:
                told = await answered(running, 20)
                filler = fill(disk)
                told += await answered(running, 300)
                log = running.log
                filler.unlink()
                if not restarted:
                    told += await answered(running, 20)
                assert await ended(running) == 0
            assert b"disk full" in log or b"No space" in log or b"is full" in log, log.decode()
            if restarted:
                async with started(config) as running:
                    told += await answered(running, 20)
                    assert await ended(running) == 0
        return told

    told = run(scenario(), limit=60)
    assert Counter(request for request, _, _, _ in rows_of(disk)) == Counter(told)
    assert not list((disk / "ledger.db.spool").glob("*.spool"))
