"""One request's life: admitted, sent, failed over, passed on, booked.

Everything happens in callbacks of the two protocols; no task is made for a request that finds a
kept connection. The order is always the same: money and rates are taken before anything is sent, a
row is written for every attempt that was sent, before the caller is told the end of its answer, and
what was taken is settled with it.
"""

from functools import partial
from time import monotonic, time_ns
from typing import TYPE_CHECKING

from inferometer.meter.gateway import headers, reading, replies
from inferometer.meter.gateway.attempt import Sent
from inferometer.meter.gateway.client import ClientConnection, Request
from inferometer.meter.gateway.servers import Server
from inferometer.meter.gateway.ticket import Ticket
from inferometer.meter.gateway.upstream import Headers, UpstreamConnection
from inferometer.meter.record import Outcome

if TYPE_CHECKING:
    from inferometer.meter.gateway.core import Core

RETRIED = frozenset({408, 429, 500, 502, 503, 504, 529})
"""Statuses after which another upstream is asked, as long as the caller has seen nothing."""
_FAULTS = RETRIED - {429}  # being rate-limited is no sign of illness


class Exchange:
    """One request between a client connection and, one after the other, its upstreams."""

    __slots__ = (
        "active",
        "attempts",
        "begun",
        "booked",
        "client",
        "connection",
        "core",
        "deadline",
        "drains",
        "finished",
        "gone",
        "lines",
        "queued_at",
        "request",
        "resent",
        "sent",
        "server",
        "ticket",
        "tried",
    )

    def __init__(
        self, core: "Core", client: ClientConnection, request: Request, ticket: Ticket
    ) -> None:
        self.core = core
        self.client = client
        self.request = request
        self.ticket = ticket
        self.sent: Sent | None = None
        self.server: Server | None = None
        self.connection: UpstreamConnection | None = None
        self.tried: list[Server] = []
        self.attempts = 0
        self.lines = b""
        self.active = self.begun = self.booked = self.finished = self.gone = self.resent = (
            self.drains
        ) = False
        self.queued_at = monotonic()
        self.deadline = float("inf")
        client.answering = self
        core.live.add(self)

    # --- sending ---

    def start(self) -> None:
        """Send to the best upstream that is free, or wait for one."""
        well, free = self.core.choose(self.ticket, self.tried)
        if free is not None:
            self._send_to(free)
        elif well and not self.attempts and self.core.queue.put(self, self.ticket):
            self.deadline = monotonic() + self.core.settings.queue_timeout
        elif well:
            self._refuse(429, "all upstreams are busy; try again later", "overloaded")
        else:
            self._refuse(503, "no upstream of this model is available", "no_upstream")

    def _send_to(self, server: Server) -> None:
        now = monotonic()
        self.attempts += 1
        self.tried.append(server)
        self.server = server
        self.booked = self.resent = False
        server.enter()
        settings = self.core.settings
        self.sent = Sent.to(self.ticket, server, self.attempts, time_ns(), now - self.queued_at)
        self.deadline = now + settings.first_byte_timeout
        row = partial(self.sent.row, self.ticket)
        self.core.ledger.begin(self.ticket.request_id, self.attempts, row)
        kept = server.pool.take()
        if kept is None:
            self.core.spawn(self._connect(server))
        else:
            self._write(kept)

    async def _connect(self, server: Server) -> None:
        """Open a connection; the exchange may have moved on by the time it is there."""
        attempt = self.attempts
        try:
            fresh = await server.pool.connect(self.core.settings.connect_timeout)
        except (OSError, TimeoutError, ValueError):
            if attempt == self.attempts and not self.finished:
                self.upstream_failed("cannot connect", unanswered=False)
            return
        if attempt != self.attempts or self.finished or self.booked:
            server.pool.put(fresh)
        elif self.gone:  # nothing was sent, so nothing is owed
            server.pool.put(fresh)
            self._end("client_gone")
        else:
            self._write(fresh)

    def _write(self, connection: UpstreamConnection) -> None:
        ticket, server = self.ticket, self.server
        if server is None or self.sent is None:
            raise AssertionError("an exchange is written to a server only")
        self.connection = connection
        body = reading.forwarded(
            ticket.call,
            server.pool.models[ticket.call.model],
            ask_usage=server.pool.upstream.ask_usage,
            salt=ticket.salt if server.pool.upstream.cache_salt else b"",
        )
        self.sent.at = monotonic()
        self.sent.body_size, self.sent.written = len(body), True
        lines = headers.upstream(self.request.headers, ticket.request_id.encode())
        head = server.pool.heads[ticket.call.route.name]
        connection.send(self, b"%b%bcontent-length: %d\r\n\r\n%b" % (head, lines, len(body), body))

    # --- what the upstream says ---

    def upstream_head(self, status: int, upstream_headers: Headers) -> None:
        """Take the head: pass it on with the first bytes, or ask another upstream."""
        if self.sent is None:
            return
        self.active = True
        self.sent.head(status, upstream_headers, self.ticket)
        if self.sent.unfit:
            self._fail_over("upstream_error", 502)
        elif status in RETRIED and self._another():
            self._fail_over("failed", status)
        else:
            self.lines = headers.downstream(upstream_headers, self.ticket.request_id.encode())

    def upstream_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        sent = self.sent
        if sent is None or self.finished:
            return
        self.active = True
        out = sent.body(data)
        if sent.ended:
            if not self.booked:
                self._book("ok", whole=True)
            self.core.ledger.when_told(partial(self._pass_on, sent, out))
        elif out and self.begun and not self.gone:  # nearly every chunk
            self.client.send(out)
        else:
            self._pass_on(sent, out)

    def _pass_on(self, sent: Sent, out: bytes) -> None:
        if not out or self.gone or self.finished:
            return
        if self.begun:
            self.client.send(out)
        else:
            self.begun = True
            self.client.begin(sent.status, self.lines, out)

    def upstream_done(self) -> None:
        """Book the answer, then tell its end."""
        sent, server = self.sent, self.server
        if sent is None or server is None or self.finished:
            return
        self.connection = None
        rest = sent.close()
        if not self.booked:
            self._book("ok" if sent.status < 400 else "failed", whole=True)
        server.leave(monotonic(), failed=sent.status in _FAULTS)
        self.server = None
        self.core.ledger.when_told(partial(self._tell, sent, rest))
        self.core.freed(server)

    def _tell(self, sent: Sent, rest: bytes) -> None:
        if self.gone or self.finished:
            pass
        elif self.begun:
            self.client.finish(rest)
        elif sent.status >= 400:
            status, lines, body = sent.error(self.ticket.call.route, self.lines)
            self.client.reply(status, lines, body)
        elif sent.streaming:
            self.client.begin(sent.status, self.lines, rest)
            self.client.finish()
        else:
            self.client.reply(sent.status, self.lines, sent.whole())
        self._finish()

    def upstream_failed(self, reason: str, *, unanswered: bool) -> None:
        """Send again, ask another upstream, or break off what has begun."""
        connection, server = self.connection, self.server
        self.connection = None
        if self.finished or server is None:
            return
        if unanswered and connection is not None and connection.used > 1 and not self.resent:
            self.resent = True  # it was closed as we wrote: nothing was served, nothing is owed
            self.core.spawn(self._connect(server))
            return
        self.core.measures.upstream_failure(server.name, reason)
        self._fail_over("upstream_error", 502)

    # --- what the client does ---

    def client_gone(self) -> None:
        """Read on for the usage, within bounds, or stop the upstream and book what was seen."""
        if self.finished or self.gone:
            return
        self.gone = True
        core = self.core
        if self.server is None:
            core.queue.remove(self, self.ticket)
            self._end("client_gone")
        elif core.settings.on_disconnect == "drain" and core.drains < core.settings.max_drains:
            core.drains += 1
            self.drains = True
            self.deadline = monotonic() + core.settings.drain_timeout
            self.client_paused(paused=False)
        elif self.connection is not None:
            self._end("client_gone")

    def client_paused(self, *, paused: bool) -> None:
        """Let a slow reader slow the upstream down, so that nothing piles up between."""
        if self.connection is None:
            return
        self.connection.pause(paused=paused)

    def expire(self, now: float) -> None:
        """End what takes too long; called by the sweep."""
        if self.active and not self.gone:  # bytes came since the last sweep: no clock a chunk
            self.active = False
            self.deadline = now + self.core.settings.idle_timeout
        if now - self.queued_at > self.core.settings.total_timeout:
            self.deadline = now
        if now < self.deadline or self.finished:
            return
        if self.server is None and self.attempts:  # its row has waited too long for the disk
            self._break_off()
        elif self.server is None:
            self.core.queue.remove(self, self.ticket)
            self._refuse(429, "waited too long for a free upstream", "queue_timeout")
        elif self.gone:
            self._end("client_gone")
        else:
            self.core.measures.upstream_failure(self.server.name, "timeout")
            self._fail_over("timeout", 504)

    def cut_off(self) -> None:
        """End now, since the process ends: book what was seen, break the answer off."""
        self._leave_upstream("interrupted", failed=False)
        self._break_off()

    # --- ends ---

    def _another(self) -> bool:
        if self.begun or self.gone or self.attempts >= self.core.settings.attempts:
            return False
        return bool(self.core.choose(self.ticket, self.tried)[0])

    def _fail_over(self, outcome: Outcome, status: int) -> None:
        ended = self.booked  # all that the caller wants is there, or on its way
        another = not ended and self._another()
        self._leave_upstream(outcome, failed=status != 429)
        if another:
            self.start()
        elif ended:
            self.core.ledger.when_told(self._break_off)
        elif self.begun:
            self._break_off()
        elif self.gone:
            self._finish()
        elif status == 504:
            self._refuse(504, "the upstream did not answer in time", "upstream_timeout")
        else:
            self._refuse(502, "the upstream failed", "upstream_error")

    def _break_off(self) -> None:
        """Let the caller see an answer without an end, and no second one."""
        if not self.gone:
            self.client.abort()
        self._finish()

    def _leave_upstream(self, outcome: Outcome, *, failed: bool) -> None:
        """Book an attempt that did not end well and give its connection up."""
        if self.connection is not None:
            self.connection.abandon()
            self.connection = None
        if self.sent is not None and not self.booked:
            self._book(outcome, whole=False)
        server, self.server = self.server, None
        if server is not None:
            server.leave(monotonic(), failed=failed)
            self.core.freed(server)

    def _end(self, outcome: Outcome) -> None:
        self._leave_upstream(outcome, failed=False)
        self._finish()

    def _book(self, outcome: Outcome, *, whole: bool) -> None:
        if self.sent is None:
            return
        self.booked = True
        sent = self.sent
        account = sent.account(self.ticket.call.route, outcome, whole=whole)
        if account.failed and outcome == "ok":
            outcome = "failed"
        if self.gone and outcome == "ok":
            outcome = "client_gone"
        self.core.book(self.ticket, sent, account, outcome)

    def _refuse(self, status: int, text: str, code: str) -> None:
        if not self.gone:
            family = self.ticket.call.route.family
            body = replies.body(family, text, code, status=status)
            lines = replies.JSON + b"x-request-id: %b\r\n" % self.ticket.request_id.encode()
            if status in {429, 503}:
                lines += b"retry-after: 1\r\n"
            self.client.reply(status, lines, body)
        self._finish()

    def _finish(self) -> None:
        if self.finished:
            return
        self.finished = True
        self.core.finished(self)
