"""The upstreams of a model: who is well, who is free, who is next.

A breaker opens after so many failures in a row, lets one request try after a pause, and closes when
that one succeeds. A policy is a function that puts the servers that could serve into an order.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inferometer.meter.config import Routing
from inferometer.meter.gateway.upstream import Pool

PREFIX_BYTES = 2048
"""Bytes of a conversation's start that decide where it goes: a system prompt and its tools."""
OVERLOAD = 1.25
"""A preferred server may have this many times the mean load before the next one is taken."""


@dataclass(slots=True, eq=False)
class Server:
    """One upstream's state.

    Attributes:
        pool: Its connections.
        running: Requests that are in flight on it.
        served: Requests ever sent, to break ties.
        failures: Failures in a row.
        opens_at: Monotonic seconds until which the breaker keeps requests away.
        trying: Whether the one request that may close the breaker is in flight.
        healthy: Result of the last health check.
    """

    pool: Pool
    running: int = 0
    served: int = 0
    failures: int = 0
    opens_at: float = 0.0
    trying: bool = False
    healthy: bool = True

    @property
    def name(self) -> str:
        """Name in the configuration."""
        return self.pool.upstream.name

    def well(self, now: float) -> bool:
        """Return whether a request may be sent, load apart."""
        if not self.healthy:
            return False
        if self.failures < self.pool.upstream.failures:
            return True
        return now >= self.opens_at and not self.trying

    def free(self) -> bool:
        """Return whether it may take one more request."""
        return self.running < self.pool.upstream.concurrency

    def enter(self) -> None:
        """Count a request that is sent."""
        self.running += 1
        self.served += 1
        self.trying = self.failures >= self.pool.upstream.failures

    def leave(self, now: float, *, failed: bool) -> None:
        """Count a request that ended."""
        self.running -= 1
        self.trying = False
        if not failed:
            self.failures = 0
            return
        self.failures += 1
        if self.failures >= self.pool.upstream.failures:
            self.opens_at = now + self.pool.upstream.cooldown


Price = Callable[[Server], int | None]
Policy = Callable[[Sequence[Server], bytes, Price], list[Server]]


def _load(server: Server) -> tuple[float, float]:
    weight = server.pool.upstream.weight
    return (server.running + 1) / weight, server.served / weight


def least_loaded(servers: Sequence[Server], prefix: bytes, price: Price) -> list[Server]:
    """Order by requests in flight per weight, then by requests served per weight."""
    del prefix, price
    return sorted(servers, key=_load) if len(servers) > 1 else list(servers)


def by_prefix(servers: Sequence[Server], prefix: bytes, price: Price) -> list[Server]:
    """Order by rendezvous hash of the conversation's start, so that its KV cache is found again.

    An overloaded server steps back: bounded loads, as in consistent hashing with bounded loads
    (Mirrokni, Thorup, Zadimoghaddam 2018).
    """
    mean = sum(server.running for server in servers) / max(1, len(servers))
    return sorted(
        least_loaded(servers, prefix, price),
        key=lambda server: (
            server.running > OVERLOAD * (mean + 1),
            hashlib.blake2b(server.name.encode(), key=prefix[:64], digest_size=8).digest(),
        ),
    )


def cheapest(servers: Sequence[Server], prefix: bytes, price: Price) -> list[Server]:
    """Order by the price of this request, the unpriced last; equal prices by load."""
    cost = {server.name: price(server) for server in servers}
    return sorted(
        least_loaded(servers, prefix, price),
        key=lambda server: (cost[server.name] is None, cost[server.name] or 0),
    )


POLICIES: Mapping[Routing, Policy] = {
    "least_loaded": least_loaded,
    "prefix": by_prefix,
    "cheapest": cheapest,
}


def prefix_of(secret: bytes, tenant: str, messages: bytes) -> bytes:
    """Return a salted hash of a conversation's start; another tenant's equal start differs."""
    start = tenant.encode() + b"\0" + messages[:PREFIX_BYTES]
    return hashlib.blake2b(start, key=secret[:64], digest_size=32).digest()
