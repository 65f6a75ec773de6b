"""Active health checks: a GET now and then at each upstream that has a health path."""

import asyncio
import contextlib
from time import monotonic

import httptools

from inferometer.meter.gateway.core import Core
from inferometer.meter.gateway.servers import Server

TIMEOUT = 5.0
TICK = 0.5
MOST_BYTES = 64 << 10


class _Status:
    """Takes the status off an answer; all else is dropped."""

    def __init__(self) -> None:
        self.done = False

    def on_headers_complete(self) -> None:
        """Note that the status is known."""
        self.done = True


async def watch(core: Core) -> None:
    """Check every upstream at its own pace, for ever."""
    due: dict[str, float] = {}
    while True:
        now = monotonic()
        for name, server in core.world.servers.items():
            if server.pool.upstream.health and now >= due.get(name, 0.0):
                due[name] = now + server.pool.upstream.health_every
                core.spawn(check(server))
        await asyncio.sleep(TICK)


async def check(server: Server) -> None:
    """Set `server.healthy` by one request: any status below 500 is well."""
    try:
        async with asyncio.timeout(TIMEOUT):
            server.healthy = await _status(server) < 500
    except (OSError, TimeoutError, ValueError, httptools.HttpParserError):
        server.healthy = False


async def _status(server: Server) -> int:
    upstream = server.pool.upstream
    parts = upstream.address
    port = parts.port or (443 if parts.scheme == "https" else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=server.pool.context)
    try:
        line = (
            f"GET {upstream.health} HTTP/1.1\r\nhost: {parts.netloc}\r\nconnection: close\r\n\r\n"
        )
        writer.write(line.encode())
        status = _Status()
        parser = httptools.HttpResponseParser(status)
        for _ in range(MOST_BYTES // 4096):
            data = await reader.read(4096)
            if not data:
                break
            parser.feed_data(data)
            if status.done:
                return int(parser.get_status_code())
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    raise ValueError("no status")
