"""One attempt at an upstream: what was sent, what came back, and the row it becomes."""

import re
from dataclasses import dataclass, field
from time import monotonic, time_ns

from inferometer.meter import usage
from inferometer.meter.gateway import answer, replies
from inferometer.meter.gateway.answer import LARGEST_WHOLE, Account
from inferometer.meter.gateway.routes import Route
from inferometer.meter.gateway.servers import Server
from inferometer.meter.gateway.tap import Tap
from inferometer.meter.gateway.ticket import Ticket
from inferometer.meter.gateway.upstream import Headers
from inferometer.meter.record import Attempt, Outcome
from inferometer.meter.rollup import NS
from inferometer.meter.usage import NOTHING

_UNPRICED = Attempt("-", 1, 0, 0, "-")[Attempt._fields.index("price") :]
_LONGEST_ERROR = 64 << 10
_KEPT_END = 64 << 10
_ENDS = {
    "openai": re.compile(rb"^data: ?\[DONE\]", re.MULTILINE),
    "anthropic": re.compile(rb"^event: ?message_stop", re.MULTILINE),
    "responses": re.compile(rb"^event: ?response\.(?:completed|incomplete|failed)", re.MULTILINE),
}
"""Last events; inside JSON text no raw line can start."""
_HINTS = {"openai": b"[DONE]", "anthropic": b"message_stop", "responses": b"event: response."}
_INTERNALS = re.compile(
    rb"https?://[^\s\"'<>\\]+|0x[0-9a-fA-F]{6,}|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    rb"|(?<![\w/])/(?:[\w.@-]+/)+[\w.@-]+|\b(?:sk|pk|key)-[A-Za-z0-9_-]{8,}"
)
"""Addresses, paths and keys that an engine's error text may give away."""
_NO_ACCOUNT = Account(NOTHING)


@dataclass(slots=True)
class Sent:
    """An attempt in flight.

    Attributes:
        server: Where it was sent.
        number: 1 for the first of its request.
        started_ns: Unix time.
        queued: Seconds it waited with us.
        at: Monotonic seconds at which it was written.
        body_size: Bytes of its body.
        written: Whether it was written to a connection.
        status: HTTP status; 0 until it came.
        streaming: Whether the answer is a stream of events.
        unfit: Whether the answer cannot be passed on: a redirect, or coded though not asked to be.
        ended: Whether the last event of a stream was seen.
    """

    server: Server
    number: int
    started_ns: int
    queued: float
    at: float
    body_size: int = 0
    written: bool = False
    status: int = 0
    streaming: bool = False
    unfit: bool = False
    ended: bool = False
    _tap: Tap | None = None
    _first: float = 0.0
    _size: int = 0
    _held: list[bytes] = field(default_factory=list)
    _passing: bool = False
    _family: str = ""
    _hint: bytes = b""

    @classmethod
    def to(
        cls, ticket: Ticket, server: Server, number: int, started_ns: int, queued: float
    ) -> "Sent":
        """Return an attempt that is about to be sent."""
        return cls(
            server,
            number,
            started_ns,
            queued,
            monotonic(),
            body_size=ticket.call.size,
            _family=ticket.call.route.family,
            _hint=_HINTS[ticket.call.route.family],
        )

    def head(self, status: int, headers: Headers, ticket: Ticket) -> None:
        """Take status and headers."""
        self.status = status
        kind = coding = b""
        for name, value in headers:
            if name == b"content-type":
                kind = value
            elif name == b"content-encoding":
                coding = value
        self.unfit = status in {401, 403} or 300 <= status < 400
        self.unfit |= coding.strip().lower() not in {b"", b"identity"}
        if kind.lower().startswith(b"text/event-stream") and status < 400:
            self.streaming = True
            self._tap = Tap(hides=ticket.call.hides_usage)

    def body(self, data: bytes) -> bytes:
        """Take a piece of the body; return what can be passed on already."""
        if not self._first:
            self._first = monotonic()
        if self._tap is None:
            return self._hold(data)
        if self._hint in data and _ENDS[self._family].search(data):
            self.ended = True
        return self._tap.feed(data)

    def _hold(self, data: bytes) -> bytes:
        self._size += len(data)
        self._held.append(data)
        if self._passing:  # keep the last part only: usage stands at the end
            self._held = [b"".join(self._held)[-_KEPT_END:]]
            return data
        if self._size <= LARGEST_WHOLE or self.status >= 400:
            return b""
        self._passing = True
        out = b"".join(self._held)
        self._held = [out[-_KEPT_END:]]
        return out

    def close(self) -> bytes:
        """Return what was held back at the end of a stream."""
        return self._tap.close() if self._tap is not None else b""

    @property
    def is_whole(self) -> bool:
        """Whether the answer is no stream and all of it is held here."""
        return not self.streaming and not self._passing

    def whole(self) -> bytes:
        """Return the body of an answer that is no stream, or its end if it was passed on."""
        return self._held[0] if len(self._held) == 1 else b"".join(self._held)

    def error(self, route: Route, lines: bytes) -> tuple[int, bytes, bytes]:
        """Return status, headers and body of an upstream's error, without its internals.

        A fault of the caller is passed on, as its text tells what to do; a fault of the upstream
        is ours to explain.
        """
        body = self.whole()[:_LONGEST_ERROR]
        if self.status < 500 and body.lstrip()[:1] == b"{":
            return self.status, lines, _INTERNALS.sub(b"[removed]", body)
        status = self.status if self.status < 500 or self.status in {503, 529} else 502
        text = "the upstream refused the request" if status < 500 else "the upstream failed"
        kept = [x for x in lines.splitlines(keepends=True) if not x.startswith(b"content-type:")]
        failed = replies.body(route.family, text, "upstream_error", status=status)
        return status, b"".join(kept) + replies.JSON, failed

    def account(self, route: Route, outcome: Outcome, *, whole: bool) -> Account:
        """Return what the attempt used, as far as its answer says.

        Where we or the caller gave up on a request that was sent, its prompt may have been
        computed: that is estimated. An upstream that refused or broke off unanswered bills nothing.
        """
        if not self.status and self.written and outcome in {"client_gone", "timeout"}:
            return Account(usage.estimated(self.body_size, 0, 0))
        if not 200 <= self.status < 300:
            return _NO_ACCOUNT
        if self._tap is not None:
            return answer.of_stream(route, self._tap, self.body_size, whole=whole)
        if not whole and not self._size:
            return _NO_ACCOUNT
        return answer.of_json(route, self.whole(), self.body_size, self._size)

    def row(
        self, ticket: Ticket, account: Account | None = None, outcome: Outcome = "ok"
    ) -> Attempt:
        """Return the ledger's row, unpriced; without an account, as if cut off now."""
        account = account or _NO_ACCOUNT
        meters, key, call = account.usage.meters, ticket.identity.key, ticket.call
        upstream, paid_for = self.server.pool.upstream, ticket.attribution
        return Attempt._make(  # by place: half the time of by name; a test holds the order
            (
                *(ticket.request_id, self.number),
                *(self.started_ns, max(time_ns(), self.started_ns)),
                *(key.tenant, key.id, paid_for.feature, paid_for.session, paid_for.run),
                *(call.model, account.model or upstream.models[call.model]),
                *(upstream.provider, upstream.name, call.route.name),
                *(upstream.tier(account.tier), call.stream),
                *(outcome, self.status, round(self.queued * NS), self._ttft_ns()),
                *(account.prefill_ns, account.decode_ns, account.usage.source),
                *meters,
                *_UNPRICED,
            )
        )

    def _ttft_ns(self) -> int | None:
        return round((self._first - self.at) * NS) if self._first else None
