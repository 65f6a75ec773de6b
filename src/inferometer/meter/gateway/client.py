"""The client's side of a connection: requests in, answers out, one at a time.

Framing is llhttp's (`httptools`) in its strict mode: it refuses a length given twice, a length
beside chunked coding, bare line ends and control characters in headers. What it does not limit is
limited here: the size and number of headers, the body, the time a client may take.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

import httptools

from inferometer.meter.config import Settings
from inferometer.meter.gateway import replies

MOST_PIPELINED = 16
LINGER = 2.0
LOG = logging.getLogger("inferometer.gateway")
_SINGLE = frozenset({b"authorization", b"x-api-key", b"host", b"x-request-id", b"content-encoding"})
"""Headers that decide something here: given twice, the request is refused."""


@dataclass(slots=True)
class Request:
    """One request as it came; filled by the parser.

    Attributes:
        method: Verb.
        target: Path and query, undecoded.
        headers: By lower-case name; the last of those given twice.
        body: Whole body.
        keep_alive: Whether the connection may serve another one.
        chunked: Whether the client understands chunked coding (HTTP/1.1).
        began: Monotonic seconds at the first byte.
    """

    began: float
    method: bytes = b""
    target: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    keep_alive: bool = True
    chunked: bool = True


class Answering:
    """What a connection tells the one who answers; replaced by an exchange while it lasts."""

    def client_gone(self) -> None:
        """The client closed."""

    def client_paused(self, *, paused: bool) -> None:
        """The client reads slower than we write, or keeps up again."""


_IDLE = Answering()
Handler = Callable[["ClientConnection", Request], None]


class ClientConnection:
    """One accepted connection.

    `handler(connection, request)` must end in `reply`, or in `begin`, `send`..., `finish`.
    """

    def __init__(
        self, handler: Handler, settings: Settings, connections: "set[ClientConnection]"
    ) -> None:
        self.handler = handler
        self.settings = settings
        self.connections = connections
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.parser: Any = httptools.HttpRequestParser(self)
        self.request = Request(0.0)
        self.answering: Any = _IDLE
        self.deadline = monotonic() + settings.header_timeout
        self.busy = False
        self.closing = False
        self.draining = False
        self.peer = ""
        self._waiting: deque[Request] = deque()
        self._body: list[bytes] = []
        self._size = 0
        self._header_size = 0
        self._headers = 0
        self._header_bytes = 0
        self._in_headers = True
        self._keep = True

    # --- transport ---

    def connection_made(self, transport: Any) -> None:
        """Register; refuse if there are too many."""
        self.transport = transport
        self.connections.add(self)
        if len(self.connections) > self.settings.max_connections:
            self._refuse(503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the exchange that nobody listens any more."""
        self.closing = True
        self.connections.discard(self)
        answering, self.answering = self.answering, _IDLE
        answering.client_gone()

    def eof_received(self) -> None:
        """Close: whoever says nothing more wants no answer either."""

    def pause_writing(self) -> None:
        """Stop the upstream: the client's buffer is full."""
        self.answering.client_paused(paused=True)

    def resume_writing(self) -> None:
        """Let the upstream go on."""
        self.answering.client_paused(paused=False)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self.closing:
            return
        if self._in_headers:
            self._header_size += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "no protocol but HTTP/1.1 is spoken here")
        except httptools.HttpParserError as error:
            self._failed(error.__context__)
        else:
            if self._in_headers and self._header_size > self.settings.max_header:
                self._refuse(431, "headers too large")

    def _failed(self, cause: BaseException | None) -> None:
        """Refuse what the parser or one of its callbacks ended with."""
        if isinstance(cause, _RefusedError):
            self._refuse(*cause.args)
            return
        if cause is not None:  # a fault of ours; only its type, as its text may quote the request
            LOG.error("a request failed: %s", type(cause).__name__)
        self._refuse(400, "malformed HTTP")

    # --- parser ---

    def on_message_begin(self) -> None:
        """Start a request; `Request.began` is its first byte's time."""
        self.request = Request(monotonic())
        self._body.clear()
        self._size = self._headers = self._header_bytes = 0
        self._in_headers = True
        if not self.busy:
            self.deadline = self.request.began + self.settings.header_timeout

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self.request.target += url
        if len(self.request.target) > self.settings.max_header:
            raise _RefusedError(414, "target too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are dropped."""
        if not self._in_headers:
            return
        headers = self.request.headers
        lower = name.lower()
        if lower in headers and lower in _SINGLE:
            raise _RefusedError(400, "a header that may stand once is given twice")
        headers[lower] = value
        self._headers += 1
        self._header_bytes += len(name) + len(value)
        limits = self.settings
        if self._headers > limits.max_headers or self._header_bytes > limits.max_header:
            raise _RefusedError(431, "headers too large or too many")

    def on_headers_complete(self) -> None:
        """Check what the headers announce before the body is read."""
        self._in_headers = False
        self._header_size = 0
        request, settings = self.request, self.settings
        request.method = self.parser.get_method()
        request.chunked = self.parser.get_http_version() != "1.0"
        self._keep = self.parser.should_keep_alive()
        if b"content-encoding" in request.headers:
            raise _RefusedError(415, "compressed bodies are not read")
        length = request.headers.get(b"content-length", b"")
        if len(length) > 12 or int(length or b"0") > settings.max_body:
            raise _RefusedError(413, "body too large")
        if not self.busy:
            self.deadline = monotonic() + settings.body_timeout
            if request.headers.get(b"expect", b"").lower() == b"100-continue":
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._size += len(data)
        if self._size > self.settings.max_body:
            raise _RefusedError(413, "body too large")
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Answer the request now, or after those before it."""
        request = self.request
        body = self._body
        request.body = body[0] if len(body) == 1 else b"".join(body)
        request.keep_alive = self._keep
        body.clear()
        self._in_headers = True
        if not self.busy:
            self._answer(request)
            return
        self._waiting.append(request)
        self.transport.pause_reading()
        if len(self._waiting) > MOST_PIPELINED:
            raise _RefusedError(400, "too many pipelined requests")

    def _answer(self, request: Request) -> None:
        self.busy = True
        self.deadline = float("inf")
        self.current = request
        self.handler(self, request)

    # --- answers ---

    def reply(self, status: int, headers: bytes, body: bytes) -> None:
        """Write a whole answer; `headers` are complete lines."""
        if self.closing:
            return
        head = b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n%b\r\n" % (
            replies.status_line(status),
            headers,
            len(body),
            self._connection(),
        )
        self.transport.write(head + body if self.current.method != b"HEAD" else head)
        self._done()

    def begin(self, status: int, headers: bytes, data: bytes) -> None:
        """Write the head of an answer of unknown length, and its first bytes."""
        if self.closing:
            return
        framing = b"transfer-encoding: chunked\r\n"
        if not self.current.chunked:
            framing, self.current.keep_alive = b"", False
        head = b"HTTP/1.1 %b\r\n%b%b%b\r\n" % (
            replies.status_line(status),
            headers,
            framing,
            self._connection(),
        )
        self.transport.write(head + self._framed(data))

    def send(self, data: bytes) -> None:
        """Write more of the body, at least a byte."""
        if self.closing:
            return
        if self.current.chunked:
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self.transport.write(data)

    def finish(self, data: bytes = b"") -> None:
        """Write the last of the body and end the answer."""
        if self.closing:
            return
        end = b"0\r\n\r\n" if self.current.chunked else b""
        self.transport.write(self._framed(data) + end)
        self._done()

    def abort(self) -> None:
        """Close without an end, so that the client sees a broken answer and not a short one."""
        self.answering = _IDLE
        self.closing = True
        self.transport.abort()

    def _framed(self, data: bytes) -> bytes:
        if not data or not self.current.chunked:
            return data
        return b"%x\r\n%b\r\n" % (len(data), data)

    def _connection(self) -> bytes:
        if self.draining or not self.current.keep_alive:
            self.current.keep_alive = False
            return b"connection: close\r\n"
        return b"" if self.current.chunked else b"connection: keep-alive\r\n"

    def _done(self) -> None:
        self.answering = _IDLE
        self.busy = False
        if not self.current.keep_alive:
            self.closing = True
            self.transport.close()
        elif self._waiting:
            self._answer(self._waiting.popleft())
        else:
            self.deadline = monotonic() + self.settings.keep_alive
            self.transport.resume_reading()

    def _refuse(self, status: int, text: str) -> None:
        """Answer what cannot be served and close; nothing after it on the connection is read."""
        self._waiting.clear()
        if self.busy:  # an answer is under way: it cannot be followed by another
            self.abort()
            return
        self.current = Request(monotonic())
        error = replies.body("openai", text, "invalid_request", status=status)
        head = b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\nconnection: close\r\n\r\n" % (
            replies.status_line(status),
            replies.JSON,
            len(error),
        )
        self.transport.write(head + error)
        self.closing = True
        if self.transport.can_write_eof():
            # What still arrives is dropped for a moment: closing at once would reset the
            # connection, and a client that is still sending would not see the answer.
            self.transport.write_eof()
            self.deadline = monotonic() + LINGER
        else:
            self.transport.close()

    def expire(self, now: float) -> None:
        """Close if the client took too long; called by the sweep."""
        if self.closing and now > self.deadline:
            self.transport.close()
        elif now > self.deadline and not self.busy:
            started = bool(self._body) or self._header_size > 0 or not self._in_headers
            if started:
                self._refuse(408, "the request did not arrive in time")
            else:
                self.transport.close()


class _RefusedError(Exception):
    """Raised in a callback of the parser: status and text of the refusal."""
