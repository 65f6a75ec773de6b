"""One gateway process: listeners, the sweep, signals, reload, drain.

On SIGTERM readiness goes at once, the listener stays open for as long as a load balancer needs to
notice, answers say `Connection: close`, then streams may finish within bounds. A second signal ends
it now. SIGHUP reads the configuration again; a wrong file changes nothing but a counter.
"""

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, cast

from inferometer.errors import GatewayError, InferometerError, LedgerError
from inferometer.meter.addresses import endpoint
from inferometer.meter.budget import compiled
from inferometer.meter.config import Settings, load
from inferometer.meter.gateway import health, replies, routes
from inferometer.meter.gateway.client import ClientConnection, Request
from inferometer.meter.gateway.core import Core
from inferometer.meter.gateway.entrance import handle, is_ready, probe
from inferometer.meter.gateway.measures import braced
from inferometer.meter.gateway.world import build, server_context

SWEEP = 1.0
BACKLOG = 4096
LOG = logging.getLogger("inferometer.gateway")


async def serve(core: Core, path: Path, started: Callable[[int, int], None]) -> None:
    """Serve until a signal ends it.

    Args:
        core: State of the process.
        path: The configuration file, for reloads.
        started: Called with the ports of both listeners once they accept.

    Raises:
        GatewayError: a listener cannot be opened.
    """
    settings = core.settings
    clients: set[ClientConnection] = set()
    context = server_context(settings.tls) if settings.tls else None
    main = await listen(
        settings.listen, settings, functools.partial(handle, core), clients, context
    )
    probes: set[ClientConnection] = set()
    control = await listen(
        _own(settings.control, core.worker),
        settings,
        functools.partial(_control, core),
        probes,
        None,
    )
    stop, now = asyncio.Event(), asyncio.Event()
    _signals(core, path, stop, now)
    checks = asyncio.create_task(health.watch(core))
    sweeping = asyncio.create_task(sweep(core, (clients, probes)))
    sweeping.add_done_callback(functools.partial(swept, core, stop))
    started(_port(main), _port(control))
    await stop.wait()
    await _drain(core, main, clients, now)
    for task in (checks, sweeping):
        task.cancel()
    control.close()
    for server in core.world.servers.values():
        server.pool.close()
    for client in [*clients, *probes]:
        client.transport.close()
    await asyncio.sleep(0)
    core.ledger.flush()
    share(core)
    if sweeping.done() and not sweeping.cancelled():
        sweeping.result()  # raises what it failed with


async def listen(
    where: str,
    settings: Settings,
    handler: Callable[[ClientConnection, Request], None],
    clients: set[ClientConnection],
    context: ssl.SSLContext | None,
) -> asyncio.Server:
    """Open a listener whose requests go to `handler`.

    Raises:
        GatewayError: the address cannot be had.
    """
    host, port = endpoint(where)
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(
            cast("Any", lambda: ClientConnection(handler, settings, clients)),
            host,
            port,
            ssl=context,
            backlog=BACKLOG,
            reuse_address=True,
            reuse_port=settings.workers > 1,
        )
    except OSError as error:
        raise GatewayError(f"cannot listen on {where}: {error.strerror}") from None


def _own(control: str, worker: int) -> str:
    """Return the address of a worker's control listener: the configured port plus its number."""
    host, port = endpoint(control)
    return f"{host}:{port + worker if port else 0}"


def _port(server: asyncio.Server) -> int:
    sockets: tuple[socket.socket, ...] = tuple(server.sockets)
    return int(sockets[0].getsockname()[1])


def _control(core: Core, client: ClientConnection, request: Request) -> None:
    """Answer the control listener: liveness, readiness, metrics."""
    path = request.target.partition(b"?")[0]
    if path == b"/metrics":
        client.reply(200, replies.TEXT, core.measures.text(gauges(core)).encode())
    elif path in routes.PROBES:
        probe(core, client, path)
    else:
        client.reply(404, replies.TEXT, b"no such path\n")


def gauges(core: Core) -> dict[str, int]:
    """Return what is counted now and not over time."""
    found = {
        "in_flight": len(core.live),
        "queued": core.queue.length,
        "drains": core.drains,
        "ready": int(is_ready(core)),
        "reservations": len(core.budgets.live),
    }
    for server in core.world.servers.values():
        label = braced((("upstream", server.name),))
        found[f"upstream_in_flight{label}"] = server.running
        found[f"upstream_well{label}"] = int(server.well(monotonic()))
    return found


def _signals(core: Core, path: Path, stop: asyncio.Event, now: asyncio.Event) -> None:
    def ask() -> None:
        if core.draining:
            now.set()
        core.draining = True
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    loop.add_signal_handler(signal.SIGHUP, lambda: reload(core, path))


def reload(core: Core, path: Path) -> None:
    """Read the configuration again; if it is wrong, keep the one in force and count it."""
    try:
        world = build(load(path), core.world)
        _same_settings(core.settings, world.config.gateway)
        if world.config.rows != core.world.config.rows:
            raise GatewayError("rows: cannot change without a restart")
        core.prices.prepare(world.config.upstream)
    except InferometerError as error:
        core.measures.reload("kept")
        LOG.error("configuration kept: %s", str(error).encode("unicode_escape").decode())  # noqa: TRY400
        return
    for name, server in core.world.servers.items():
        if world.servers.get(name) is not server:
            server.pool.close()
    core.world = world
    core.cache.clear()
    core.spawn(_remember(core))
    core.queue.limit = world.config.gateway.queue
    core.budgets.rules = compiled(world.config.budget)
    core.measures.reload("ok")


async def _remember(core: Core) -> None:
    """Keep the prices of new models; a failure is counted, the next reload tries again."""
    try:
        await asyncio.to_thread(core.prices.remember)
    except LedgerError as error:
        core.measures.ledger_error()
        LOG.warning("prices not kept: %s", error)


def _same_settings(old: Settings, new: Settings) -> None:
    for name in (
        "listen",
        "control",
        "workers",
        "tls",
        "ledger",
        "durability",
        "window_ms",
        "webhook",
        "webhook_secret",
        "cache_mib",
        "cache_ttl",
        "prices",
        "reservation_ttl",
    ):
        if getattr(old, name) != getattr(new, name):
            raise GatewayError(f"gateway.{name}: cannot change without a restart")


async def sweep(
    core: Core, groups: tuple[set[ClientConnection], ...], *, every: float = SWEEP
) -> None:
    """End what takes too long and share what was spent, for ever."""
    while True:
        await asyncio.sleep(every)
        now = monotonic()
        for exchange in list(core.live):
            exchange.expire(now)
        for group in groups:
            for client in list(group):
                client.expire(now)
        for server in core.world.servers.values():
            server.pool.retire(now)
        core.ledger.failed = False  # the next row tells again
        share(core)


def swept(core: Core, stop: asyncio.Event, task: "asyncio.Task[None]") -> None:
    """Drain if the sweep has failed: without it nothing ends in time and no budget is shared."""
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.critical("the sweep failed: %s", type(error).__name__)
        core.draining = True
        stop.set()


def share(core: Core) -> None:
    """Tell the budget store what was spent; a failure is counted and tried again."""
    try:
        core.budgets.sweep(time.time())
    except LedgerError as error:
        core.measures.ledger_error()
        LOG.warning("budgets: %s", error)


async def _drain(
    core: Core, main: asyncio.Server, clients: set[ClientConnection], now: asyncio.Event
) -> None:
    """Be unready but serving, then close the door, then let what runs finish."""
    LOG.info("draining: %d requests in flight", len(core.live))
    settings = core.settings
    until = monotonic() + settings.lb_window
    while monotonic() < until and not now.is_set():
        for client in clients:  # also those whose answer began before
            client.draining = True
        await _pause(now, 0.05)
    main.close()
    until = monotonic() + settings.grace
    while core.live and monotonic() < until and not now.is_set():
        await _pause(now, 0.05)
    for exchange in list(core.live):
        exchange.cut_off()


async def _pause(now: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(now.wait(), seconds)
