"""What all requests of a process share, and what happens to a request at its two ends."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from inferometer.meter.budget import Budgets
from inferometer.meter.config import Config, Settings, Upstream
from inferometer.meter.gateway.answer import Account
from inferometer.meter.gateway.attempt import Sent
from inferometer.meter.gateway.cache import Cache
from inferometer.meter.gateway.exchange import Exchange
from inferometer.meter.gateway.keys import Ring
from inferometer.meter.gateway.measures import Measures
from inferometer.meter.gateway.rates import Gate, leave
from inferometer.meter.gateway.reading import Call
from inferometer.meter.gateway.servers import POLICIES, Server
from inferometer.meter.gateway.ticket import Ticket
from inferometer.meter.gateway.waiting import Queue
from inferometer.meter.gateway.webhook import Webhook
from inferometer.meter.record import Attempt, Outcome

Tokens = tuple[int, int, int, int, int, int]


class Journal(Protocol):
    """Where rows go: `journal.SpoolJournal`, or a list in tests."""

    failed: bool
    """Whether the last row could not be written; counted there."""

    def begin(self, request: str, attempt: int, row: Callable[[], Attempt]) -> None:
        """Take note of an attempt that is about to be sent; `row` makes its row as of then."""
        ...

    def append(self, row: Attempt) -> None:
        """Record an attempt."""
        ...

    def when_told(self, tell: Callable[[], None]) -> None:
        """Call `tell` as soon as what was appended is as durable as configured."""
        ...

    def flush(self) -> None:
        """Write what was appended now."""
        ...


class Pricing(Protocol):
    """Prices, looked up in memory."""

    def price(self, row: Attempt, own: str) -> Attempt:
        """Return the row with its amounts, or as it is; `own` is the upstream's model name."""
        ...

    def bound(
        self, provider: str, model: str, inputs: int, outputs: int, tier: str = ""
    ) -> int | None:
        """Return the most that so many tokens can cost in nano-dollars; None if unpriced."""
        ...

    def prepare(self, upstreams: Iterable[Upstream]) -> None:
        """Look up the prices of all models that are configured."""
        ...

    def remember(self) -> None:
        """Keep what was looked up; may block, and raise `LedgerError`."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """What a configuration file stands for; replaced whole by a reload."""

    config: Config
    secret: bytes
    ring: Ring
    servers: Mapping[str, Server]
    by_model: Mapping[tuple[str, str], tuple[Server, ...]]
    tenant_gates: Mapping[str, Gate]
    key_gates: Mapping[str, Gate]
    salts: Mapping[str, bytes]


@dataclass(slots=True)
class Core:
    """State of one gateway process."""

    world: World
    ledger: Journal
    prices: Pricing
    budgets: Budgets
    measures: Measures
    queue: Queue
    worker: int = 0
    cache: Cache = field(default_factory=lambda: Cache(0, 0.0))
    webhook: Webhook | None = None
    live: set[Exchange] = field(default_factory=set)
    drains: int = 0
    draining: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)
    _process: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def settings(self) -> Settings:
        """Settings now in force."""
        return self.world.config.gateway

    def fresh_id(self) -> str:
        """Return a request id: ordered by time, unique over processes."""
        return f"{time.time_ns() // 1_000_000:012x}-{self._process}-{next(self._ids):x}"

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on its own and keep it from being collected."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def choose(self, ticket: Ticket, tried: list[Server]) -> tuple[bool, Server | None]:
        """Return whether an upstream is well, and the best of those that are free too."""
        call = ticket.call
        servers = self.world.by_model.get((call.model, call.route.name), ())  # a reload may drop it
        now = monotonic()
        well = [each for each in servers if each.well(now) and each not in tried]
        free = [each for each in well if each.free()]
        if len(free) < 2:
            return bool(well), free[0] if free else None
        policy = POLICIES[self.world.config.routing.get(call.model, "least_loaded")]
        return True, policy(free, ticket.prefix, lambda server: self.bound(call, server))[0]

    def bound(self, call: Call, server: Server) -> int | None:
        """Return the most that a request can cost at an upstream.

        A token is at least a byte, so a body has no more tokens than bytes. An output without a
        limit is taken as `reserve_output_tokens`: give one where a budget must hold to the cent.
        """
        upstream = server.pool.upstream
        outputs = call.outputs(self.settings.reserve_output_tokens)
        own = upstream.models[call.model]
        return self.prices.bound(
            upstream.provider, own, call.size, outputs, upstream.tier(call.tier)
        )

    def book(self, ticket: Ticket, sent: Sent, account: Account, outcome: Outcome) -> None:
        """Record an attempt, priced, and remember what it used."""
        own = sent.server.pool.upstream.models[ticket.call.model]
        row = self.prices.price(sent.row(ticket, account, outcome), own)
        self.ledger.append(row)
        if ticket.cache_key and outcome == "ok" and sent.status == 200 and sent.is_whole:
            self.cache.put(ticket.cache_key, sent.whole())
        ticket.cost += row.nanos or 0
        ticket.used_tokens += sum(row.tokens)
        self.measures.attempt(row)

    def finished(self, exchange: Exchange) -> None:
        """Settle what a request took."""
        ticket = exchange.ticket
        self.live.discard(exchange)
        if exchange.drains:
            self.drains -= 1
        leave(ticket.gates, ticket.tokens, ticket.used_tokens)
        if ticket.reservation is not None:
            self.budgets.settle(ticket.reservation, ticket.cost)

    def freed(self, server: Server) -> None:
        """Let one exchange that waits for this server go; any of its models will do."""
        if not self.queue.length:
            return
        upstream = server.pool.upstream
        for model in upstream.models:
            for route in upstream.routes:
                waiting = self.queue.first(model, route)
                if waiting is not None:
                    waiting.start()
                    return
