"""A gateway and its upstreams in one event loop: real sockets, scripted answers, rows in a list."""

import asyncio
import contextlib
import functools
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from inferometer.meter import config
from inferometer.meter.budget import Budgets, compiled
from inferometer.meter.budget_store import BudgetStore
from inferometer.meter.gateway import serve
from inferometer.meter.gateway.client import ClientConnection
from inferometer.meter.gateway.core import Core
from inferometer.meter.gateway.entrance import handle
from inferometer.meter.gateway.keys import digest
from inferometer.meter.gateway.measures import Measures
from inferometer.meter.gateway.waiting import Queue
from inferometer.meter.gateway.world import build
from inferometer.meter.record import CLASSES, Attempt

SECRET = "a-secret-of-the-tests"  # noqa: S105
TOKEN = "sk-alice"  # noqa: S105
OTHER = "sk-bob"
NANO_INPUT, NANO_OUTPUT = 1_000, 2_000
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 64,
    "total_tokens": 164,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 16},
}
T = TypeVar("T")
Step = bytes | float | str  # bytes to write, seconds to wait, or "close", "reset", "hang"


def run(scenario: Coroutine[Any, Any, T], limit: float = 30.0) -> T:
    """Run a scenario to its end, within a time."""

    async def bounded() -> T:
        return await asyncio.wait_for(scenario, limit)

    return asyncio.run(bounded())


def hashed(token: str) -> str:
    return digest(SECRET.encode(), token.encode()).hex()


@dataclass(slots=True)
class Rows:
    """A journal in memory; while it is `slow`, nothing is durable before a flush."""

    failed: bool = False
    slow: bool = False
    untold: list[Callable[[], None]] = field(default_factory=list)
    begun: list[Attempt] = field(default_factory=list)
    rows: list[Attempt] = field(default_factory=list)

    def begin(self, request: str, attempt: int, row: Callable[[], Attempt]) -> None:
        self.begun.append(row())

    def append(self, row: Attempt) -> None:
        self.rows.append(row)

    def when_told(self, tell: Callable[[], None]) -> None:
        self.untold.append(tell)
        if not self.slow:
            self.flush()

    def flush(self) -> None:
        while self.untold:
            self.untold.pop(0)()


@dataclass(frozen=True, slots=True)
class FlatPrices:
    """One price for all inputs and one for all outputs, except for unpriced models."""

    unpriced: frozenset[str] = frozenset()

    def price(self, row: Attempt, own: str) -> Attempt:
        if row.model in self.unpriced:
            return row
        rates = dict.fromkeys(CLASSES, NANO_INPUT) | dict.fromkeys(CLASSES[-2:], NANO_OUTPUT)
        nanos = {f"nano_{name}": getattr(row, name) * rates[name] for name in CLASSES}
        return row._replace(price="flat", priced_from="2026-01-01", **nanos)

    def bound(
        self, provider: str, model: str, inputs: int, outputs: int, tier: str = ""
    ) -> int | None:
        if model in self.unpriced:
            return None
        return inputs * NANO_INPUT + outputs * NANO_OUTPUT

    def prepare(self, upstreams: Iterable[config.Upstream]) -> None:
        """All models have prices."""

    def remember(self) -> None:
        """There is nothing to keep."""


@dataclass(slots=True)
class Seen:
    """A request that an upstream got."""

    head: bytes
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.body)
        return fields

    def header(self, name: str) -> str | None:
        found = re.search(rf"(?im)^{re.escape(name)}: ([^\r\n]*)", self.head.decode("latin-1"))
        return found.group(1) if found else None


@dataclass(slots=True)
class Upstream:
    """A server that plays one script per request, the last one again and again."""

    scripts: Sequence[Iterable[Step]]
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?im)^content-length: (\d+)", head)
                body = await reader.readexactly(int(length.group(1))) if length else b""
                script = self.scripts[min(len(self.seen), len(self.scripts) - 1)]
                self.seen.append(Seen(head, body))
                if not await _played(script, writer):
                    break
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()


async def _played(script: Iterable[Step], writer: asyncio.StreamWriter) -> bool:
    for step in script:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, float):
            await asyncio.sleep(step)
        elif step == "hang":
            await asyncio.sleep(3600)
        else:
            if step == "reset":
                writer.transport.abort()
            return False
    return True


def answer(
    body: bytes | dict[str, Any],
    status: str = "200 OK",
    kind: str = "application/json",
    **more: str,
) -> bytes:
    """Return an HTTP answer of known length."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in more.items())
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{lines}content-length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"
COMPLETION = {"id": "c", "model": "served-x", "choices": [{"index": 0}], "usage": USAGE}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(data: dict[str, Any] | str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return f"data: {text}\n\n".encode()


def delta(text: str, **more: Any) -> bytes:
    return event({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}], **more})


REPORT = event({"id": "c", "choices": [], "usage": USAGE})
DONE = event("[DONE]")


def streamed(*events: bytes) -> list[Step]:
    return [STREAM_HEAD, *(chunk(one) for one in events), LAST_CHUNK]


@dataclass(slots=True)
class Stand:
    """A running gateway with its upstreams."""

    core: Core
    port: int
    rows: Rows
    upstreams: list[Upstream]
    folder: Path
    callers: list["Caller"] = field(default_factory=list)

    async def connect(self) -> "Caller":
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port))
        self.callers.append(caller)
        return caller

    async def post(
        self, body: Any, path: str = "/v1/chat/completions", token: str = TOKEN, **headers: str
    ) -> "Answer":
        caller = await self.connect()
        return await caller.post(body, path, token, **headers)

    async def settled(self, rows: int) -> list[Attempt]:
        """Wait for so many rows and for nothing to be in flight; return all rows."""
        while len(self.rows.rows) < rows or self.core.live:
            await asyncio.sleep(0.01)
        return self.rows.rows


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as a client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Code of an error."""
        code: str = self.json["error"]["code"]
        return code


@dataclass(slots=True)
class Caller:
    """One client connection, written and read by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def post(
        self, body: Any, path: str = "/v1/chat/completions", token: str = TOKEN, **headers: str
    ) -> Answer:
        await self.send(post(body, path, token, **headers))
        return await self.read()

    async def read_head(self) -> tuple[int, dict[str, str]]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        pairs = (line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in pairs}

    async def read(self) -> Answer:
        status, headers = await self.read_head()
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
            return Answer(status, headers, body)
        body, whole = b"", True
        try:
            while data := await self.read_chunk():
                body += data
        except asyncio.IncompleteReadError:
            whole = False
        return Answer(status, headers, body, whole)

    async def read_chunk(self) -> bytes:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def post(
    body: Any, path: str = "/v1/chat/completions", token: str = TOKEN, **headers: str
) -> bytes:
    """Return the bytes of a request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"host": "gateway", "content-length": str(len(raw))}
    if token:
        lines["authorization"] = f"Bearer {token}"
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + raw


def ask(model: object = "m", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}


def document(ports: Sequence[int], **changes: Any) -> dict[str, Any]:
    """Return a configuration; `changes` replace or add to tables."""
    os.environ["INFEROMETER_TEST_SECRET"] = SECRET
    raw: dict[str, Any] = {
        "gateway": {"secret": "env:INFEROMETER_TEST_SECRET", "connect_timeout": 2.0},
        "upstream": [
            {
                "name": f"u{n}",
                "url": f"http://127.0.0.1:{port}/v1",
                "models": {"m": "own-m", "n": "own-n"},
                "routes": ["chat", "completions", "embeddings", "responses", "messages"],
            }
            for n, port in enumerate(ports)
        ],
        "key": [
            {"id": "alice", "hash": hashed(TOKEN), "tenant": "acme"},
            {"id": "bob", "hash": hashed(OTHER), "tenant": "other", "models": ["n"]},
        ],
    }
    for table, change in changes.items():
        if isinstance(change, dict) and table in raw and isinstance(raw[table], dict):
            raw[table] |= change
        else:
            raw[table] = change
    return raw


@contextlib.asynccontextmanager
async def standing(
    folder: Path,
    *scripts: Sequence[Iterable[Step]],
    prices: FlatPrices | None = None,
    each: dict[str, Any] | None = None,
    rows: Any = None,
    **changes: Any,
) -> AsyncIterator[Stand]:
    """Run a gateway in front of one upstream per script list.

    Args:
        folder: For the budget file.
        scripts: What each upstream answers.
        prices: Prices; flat ones unless given.
        each: Settings added to every upstream.
        rows: The journal; a list unless given.
        changes: Tables of the configuration.
    """
    upstreams = [Upstream(script) for script in scripts]
    servers = []
    for upstream in upstreams:
        server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, limit=1 << 26)
        upstream.port = server.sockets[0].getsockname()[1]
        servers.append(server)
    raw = document([upstream.port for upstream in upstreams], **changes)
    raw["upstream"] = [{**table, **(each or {})} for table in raw["upstream"]]
    settings = config.parse(raw, "test")
    store = BudgetStore(folder / "budget.db", "test")
    budgets = Budgets(compiled(settings.budget), store, 60.0, lambda _: None)
    core = Core(
        build(settings),
        rows or Rows(),
        prices or FlatPrices(),
        budgets,
        Measures(),
        Queue(settings.gateway.queue),
    )
    clients: set[ClientConnection] = set()
    listener = await serve.listen(
        "127.0.0.1:0", core.settings, functools.partial(handle, core), clients, None
    )
    sweep = asyncio.create_task(serve.sweep(core, (clients,), every=0.05))
    port = listener.sockets[0].getsockname()[1]
    stand = Stand(core, port, core.ledger, upstreams, folder)  # type: ignore[arg-type]
    try:
        yield stand
    finally:
        for caller in stand.callers:
            await caller.close()
        sweep.cancel()
        listener.close()
        for client in list(clients):
            client.transport.abort()
        for server in servers:
            server.close()
        for state in core.world.servers.values():
            for connection in list(state.pool.open):
                connection.transport.abort()
        store.close()
        await asyncio.sleep(0.01)
