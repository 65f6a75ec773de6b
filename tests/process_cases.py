"""A gateway as a process of its own: configured, started, asked, ended."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway_cases import SECRET, Answer, Caller, Step, Upstream, hashed

KEY_TABLE = '[[key]]\nid = "{id}"\nhash = "{hash}"\ntenant = "acme"\n'


@dataclass(slots=True)
class Running:
    """A gateway process and where it listens."""

    process: asyncio.subprocess.Process
    port: int
    control: int
    log: bytearray
    callers: list[Caller] = field(default_factory=list)

    async def caller(self, port: int = 0) -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", port or self.port))
        self.callers.append(caller)
        return caller

    async def get(self, path: str) -> Answer:
        caller = await self.caller(self.control)
        await caller.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        return await caller.read()


def write(
    folder: Path,
    port: int,
    *,
    keys: tuple[str, ...] = ("sk-alice",),
    url: str = "http://127.0.0.1:{port}/v1",
    **more: object,
) -> Path:
    file = folder / "gateway.toml"
    settings = {
        "secret": "env:INFEROMETER_TEST_SECRET",
        "listen": "127.0.0.1:0",
        "control": "127.0.0.1:0",
        "ledger": str(folder / "ledger.db"),
        **more,
    }
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    rows = "".join(KEY_TABLE.format(id=f"k{n}", hash=hashed(key)) for n, key in enumerate(keys))
    upstream = f'[[upstream]]\nname = "u"\nurl = "{url.format(port=port)}"\nmodels = {{m = "m"}}\n'
    file.write_text(f"[gateway]\n{lines}\n{upstream}\n{rows}", encoding="utf-8")
    return file


@contextlib.asynccontextmanager
async def upstream(*scripts: list[Step]) -> AsyncIterator[Upstream]:
    found = Upstream(scripts)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


@contextlib.asynccontextmanager
async def started(config: Path, **environment: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inferometer", "gateway", "--config", str(config)),
        env={**os.environ, "INFEROMETER_TEST_SECRET": SECRET, **environment},
        stderr=asyncio.subprocess.PIPE,
        cwd=config.parent,  # budgets of a ledger that is a server lie where the gateway starts
        start_new_session=True,  # so that the workers can be ended with it
    )
    assert process.stderr is not None
    log = bytearray()
    while not (found := re.search(rb"port (\d+), control on port (\d+)", log)):
        line = await process.stderr.readline()
        assert line, log.decode()
        log += line
    running = Running(process, int(found[1]), int(found[2]), log)
    try:
        yield running
    finally:
        for caller in running.callers:
            await caller.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        log += await process.stderr.read()
        await process.wait()


async def ended(running: Running) -> int:
    running.process.terminate()
    return await running.process.wait()


def rows_of(folder: Path) -> list[tuple[str, int, str, str]]:
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as database:
        found = database.execute("SELECT request, attempt, outcome, basis FROM attempt")
        return [(str(a), int(b), str(c), str(d)) for a, b, c, d in found]
