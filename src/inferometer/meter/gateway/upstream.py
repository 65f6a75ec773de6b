"""The upstream's side: connections that are kept, and the answers that come over them.

A kept connection is retired before the server would close it (llama.cpp's closes after about five
idle seconds and after a hundred requests). If one dies all the same before the first byte of an
answer, nothing was served on it: the exchange is told so and sends again, once.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import Any, cast

import httptools
import msgspec

from inferometer.meter.config import Upstream
from inferometer.meter.gateway.routes import METERED

LARGEST_HEAD = 256 << 10
Headers = list[tuple[bytes, bytes]]


class UpstreamConnection:
    """One connection to one upstream; `exchange` is told what arrives.

    The exchange gets `upstream_head(status, headers)`, `upstream_body(data)`..., and one of
    `upstream_done()` or `upstream_failed(reason, unanswered)`.
    """

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.parser: Any = None
        self.exchange: Any = None
        self.used = 0
        self.idle_since = 0.0
        self._answered = False
        self._status = 0
        self._headers: Headers = []
        self._head_size = 0
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # called for every piece: the list itself is quickest
        self._head_done = False
        self._complete = False
        self._keep = True
        self._paused = False

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the exchange, unless the answer is one that ends with the connection."""
        self.pool.forget(self)
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if self._head_done and not self._framed() and exc is None:
            exchange.upstream_done()
        else:
            exchange.upstream_failed("connection lost", unanswered=not self._answered)

    def eof_received(self) -> None:
        """Close; `connection_lost` follows and knows what it means."""

    def pause_writing(self) -> None:
        """Nothing: a request is written whole, its body is already in memory."""

    def resume_writing(self) -> None:
        """Nothing, as above."""

    def pause(self, *, paused: bool) -> None:
        """Stop reading, or go on."""
        if paused != self._paused:
            self._paused = paused
            if paused:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def send(self, exchange: Any, data: bytes) -> None:
        """Send a request; the connection is the exchange's until its answer ends."""
        self.exchange = exchange
        self.used += 1
        self.parser = self.parser or httptools.HttpResponseParser(self)
        self._answered = self._head_done = self._complete = False
        self._headers = []
        self._head_size = 0
        self._keep = True
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Parse, and tell the exchange once for all that one read brought."""
        exchange = self.exchange
        if exchange is None:  # bytes that nobody asked for
            self.transport.abort()
            return
        self._answered = True
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break("malformed answer")
            return
        if self._pieces and self.exchange is not None:
            pieces = self._pieces
            if len(pieces) == 1:
                data = pieces.pop()
            else:
                data = b"".join(pieces)
                pieces.clear()
            exchange.upstream_body(data)
        if self._complete and self.exchange is not None:
            self._release(exchange)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are dropped."""
        if self._head_done:
            return
        self._head_size += len(name) + len(value)
        if self._head_size > LARGEST_HEAD:
            raise ValueError("headers too large")
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Pass the head on; an interim answer is not one."""
        self._status = self.parser.get_status_code()
        if self._status < 200:
            return
        self._head_done = True
        self._keep = self.parser.should_keep_alive()
        self.exchange.upstream_head(self._status, self._headers)

    def on_message_complete(self) -> None:
        """Note the end; the exchange hears of it after the body."""
        if self._status < 200:
            self._headers = []
            if self._status == 101:
                raise ValueError("switching protocols was not asked for")
            return
        self._complete = True

    def abandon(self) -> None:
        """Close: the exchange does not want the rest."""
        self.exchange = None
        self._pieces.clear()
        self.pool.forget(self)
        self.transport.abort()

    def _framed(self) -> bool:
        """Whether the answer has an end of its own."""
        return any(name in {b"content-length", b"transfer-encoding"} for name, _ in self._headers)

    def _break(self, reason: str) -> None:
        exchange, self.exchange = self.exchange, None
        self._pieces.clear()
        self.pool.forget(self)
        self.transport.abort()
        if exchange is not None:
            exchange.upstream_failed(reason, unanswered=False)

    def _release(self, exchange: Any) -> None:
        self.exchange = None
        if self._keep:
            self.pause(paused=False)
            self.pool.put(self)
        else:
            self.pool.forget(self)
            self.transport.close()
        exchange.upstream_done()


class Pool:
    """Connections to one upstream, and the parts of a request that do not change.

    Attributes:
        upstream: Configuration.
        heads: First lines of a request by route, up to the variable headers.
        models: The upstream's own name as JSON, by public name.
        context: TLS of its connections; None for plain ones.
    """

    def __init__(self, upstream: Upstream, key: str, context: ssl.SSLContext | None) -> None:
        self.upstream = upstream
        self.heads = _heads(upstream, key)
        self.models = {public: msgspec.json.encode(own) for public, own in upstream.models.items()}
        self.open: set[UpstreamConnection] = set()
        self._idle: deque[UpstreamConnection] = deque()
        self.context = context

    def take(self) -> UpstreamConnection | None:
        """Return a kept connection that is young enough, the last used first."""
        while self._idle:
            connection = self._idle.pop()
            young = monotonic() - connection.idle_since < self.upstream.retire_after
            if young and not connection.transport.is_closing():
                return connection
            connection.transport.close()
        return None

    async def connect(self, limit: float) -> UpstreamConnection:
        """Return a new connection.

        Raises:
            OSError: it cannot be had.
            TimeoutError: not within `limit` seconds.
        """
        parts = self.upstream.address
        port = parts.port or (443 if parts.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(limit):
            _, connection = await cast("Any", loop.create_connection)(
                lambda: UpstreamConnection(self), parts.hostname, port, ssl=self.context
            )
        self.open.add(connection)
        return connection

    def put(self, connection: UpstreamConnection) -> None:
        """Keep a connection for the next request."""
        if len(self._idle) >= self.upstream.idle_connections:
            connection.transport.close()
            return
        connection.idle_since = monotonic()
        self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """Drop a closed connection."""
        self.open.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def retire(self, now: float) -> None:
        """Close what has been idle too long; called by the sweep."""
        while self._idle and now - self._idle[0].idle_since >= self.upstream.retire_after:
            self._idle.popleft().transport.close()

    def close(self) -> None:
        """Close all kept connections."""
        while self._idle:
            self._idle.pop().transport.close()


def _heads(upstream: Upstream, key: str) -> Mapping[str, bytes]:
    parts = upstream.address
    host = parts.netloc.encode()
    base = parts.path.rstrip("/").encode()
    auth = b""
    if key and upstream.provider == "anthropic":
        auth = b"x-api-key: %b\r\n" % key.encode()
    elif key:
        auth = b"authorization: Bearer %b\r\n" % key.encode()
    return {
        route.name: b"POST %b%b HTTP/1.1\r\nhost: %b\r\n%bcontent-type: application/json\r\n"
        b"accept-encoding: identity\r\n" % (base, route.path.encode(), host, auth)
        for route in METERED.values()
    }
