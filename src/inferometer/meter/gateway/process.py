"""One gateway process from its configuration file: ledger, spool, budgets, prices, then serve."""

import asyncio
import functools
import gc
import importlib
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

from inferometer.meter.budget import Account, Budgets, compiled, recovered
from inferometer.meter.budget_store import BudgetStore
from inferometer.meter.config import Config, Rows, Settings
from inferometer.meter.gateway.cache import Cache
from inferometer.meter.gateway.core import Core
from inferometer.meter.gateway.journal import SpoolJournal
from inferometer.meter.gateway.measures import Measures
from inferometer.meter.gateway.pricing import TablePricing, table_of
from inferometer.meter.gateway.serve import serve
from inferometer.meter.gateway.waiting import Queue
from inferometer.meter.gateway.webhook import Webhook
from inferometer.meter.gateway.world import build
from inferometer.meter.record import Ledger
from inferometer.meter.secret import SHORTEST_SECRET, secret
from inferometer.meter.spent import spent
from inferometer.meter.spool import Spool
from inferometer.meter.store.clickhouse import ClickHouseRows, LedgerWithRows
from inferometer.meter.store.opening import is_server, open_database, open_ledger

LOG = logging.getLogger("inferometer.gateway")
RECOVERY_S = 10.0
"""Longest wait at start for rows that a dead process left: budgets are read from the ledger, and
must know them. A segment takes a tenth of a second; our own choice."""
_YOUNGEST = 50_000
"""Allocations between collections of the youngest garbage: a request makes no cycles, so the
default of 700 only costs time."""

_SWITCH_S = 0.0005
"""Longest that the ledger's writer thread keeps the interpreter from the data plane; Python's
default of 5 ms would be seen in the p99 of added latency."""


def run(config: Config, path: Path, started: Callable[[int, int], None], worker: int = 0) -> None:
    """Serve as one process until a signal ends it.

    Args:
        config: The configuration that `path` holds.
        path: Its file, for reloads.
        started: Called with the ports of both listeners once they accept.
        worker: Number of this process among several.

    Raises:
        GatewayError: a secret, certificate or listener is wrong.
        LedgerError: ledger, spool, budgets or own prices cannot be opened.
    """
    settings = config.gateway
    world = build(config)
    table = table_of(Path(settings.prices) if settings.prices else None)
    ledger = open_ledger(settings.ledger)
    prices = TablePricing(table, ledger.remember)
    prices.prepare(config.upstream)
    prices.remember()
    recorder = with_rows(ledger, config.rows)
    spool = Spool(_beside(settings, ".spool"), recorder, window_s=settings.window_ms / 1000)
    store = BudgetStore(_beside(settings, ".budgets"), str(os.getpid()))
    if not spool.wait_recovered(RECOVERY_S):
        LOG.warning("ledger: rows of an earlier process wait; budgets do not count them yet")
    _recover(config, store)
    measures = Measures()
    webhook = _webhook(settings, measures)
    core = Core(
        world=world,
        ledger=SpoolJournal(
            spool,
            settings.durability == "strict",
            settings.window_ms / 1000,
            measures.ledger_error,
        ),
        prices=prices,
        budgets=Budgets(
            compiled(config.budget),
            store,
            settings.reservation_ttl,
            functools.partial(_warn, measures, webhook),
        ),
        measures=measures,
        queue=Queue(settings.queue),
        worker=worker,
        cache=Cache(settings.cache_mib << 20, settings.cache_ttl),
        webhook=webhook,
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNGEST, 20, 100)
    sys.setswitchinterval(_SWITCH_S)
    try:
        _run_loop(serve(core, path, started))
    finally:
        spool.close()
        store.close()
        ledger.close()


def with_rows(ledger: Ledger, rows: Rows | None) -> Ledger:
    """Return the ledger, or it and the ClickHouse server that gets its rows too.

    Raises:
        GatewayError: the password cannot be read.
        LedgerError: the server cannot be reached.
    """
    if rows is None:
        return ledger
    password = secret(rows.password, "rows.password") if rows.password else ""
    return LedgerWithRows(ledger, ClickHouseRows(rows.url, rows.database, rows.user, password))


def _beside(settings: Settings, suffix: str) -> Path:
    """Return a path next to the ledger file; next to us if the ledger is a server."""
    name = "gateway" if is_server(settings.ledger) else settings.ledger
    return Path(name + suffix)


def _recover(config: Config, store: BudgetStore) -> None:
    """Raise budgets to what the ledger knows: a process that died may not have told its last."""
    with closing(open_database(config.gateway.ledger)) as database:
        store.raise_to(recovered(store.names(), config.budget, functools.partial(spent, database)))


def _webhook(settings: Settings, measures: Measures) -> Webhook | None:
    if not settings.webhook:
        return None
    key = secret(settings.webhook_secret, "gateway.webhook_secret", shortest=SHORTEST_SECRET)
    return Webhook(settings.webhook, key.encode(), measures.webhook_failure)


def _warn(measures: Measures, webhook: Webhook | None, account: Account) -> None:
    measures.budget_warning(account.rule.limit.name)
    if webhook is not None:
        webhook.tell("soft_limit_passed", account.id, account.rule.limit, account.spent)
    LOG.warning("budget %s passed its soft limit", account.rule.limit.name)


def _run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where there is one; asyncio's own loop does the same, more slowly."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
