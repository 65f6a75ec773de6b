"""The ledger's money as Prometheus metrics, for a textfile collector or any scraper of files.

`llm_*` are OpenCost's names where the meaning is the same: cost of an hour and cost per million
tokens by model, on allocation and usage basis, and the fraction that prompt caches saved. Amounts
by tenant are counters over all time. Every label is a name of the ledger, never what a caller sent
freely: tenants and models are configured.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from inferometer.errors import LedgerError
from inferometer.meter.costs import Cost, costs
from inferometer.meter.gateway.measures import braced
from inferometer.meter.record import CLASSES
from inferometer.meter.rollup import GRAINS, NS
from inferometer.meter.store.opening import Database

_HOUR, _DAY = GRAINS[1], GRAINS[2]
_BASES = ("allocation", "usage")
HELP: Mapping[str, tuple[str, str]] = {
    "llm_total_hourly_cost": ("gauge", "US dollars of the last full hour, by model."),
    "llm_cost_per_million_tokens": ("gauge", "US dollars per million tokens, last full hour."),
    "llm_cache_savings_fraction": (
        "gauge",
        "Share of a model's input cost that cached prompts saved in the last full hour.",
    ),
    "inferometer_cost_nanodollars_total": ("counter", "All money so far, by tenant and model."),
    "inferometer_tokens_total": ("counter", "All tokens so far, by tenant, model and class."),
    "inferometer_attempts_total": ("counter", "All upstream attempts, by tenant and model."),
    "inferometer_unpriced_attempts_total": ("counter", "Of these, without price or share."),
}


class _Line(NamedTuple):
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


def text(database: Database, now_s: int) -> str:
    """Return the metrics at a time, Unix seconds, in Prometheus text format.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    end = now_s // _HOUR * _HOUR
    try:
        lines = [
            *_hourly(costs(database, ("model",), (end - _HOUR) * NS, end * NS)),
            *_savings(database, end),
            *_totals(costs(database, ("tenant", "model"), 0, (now_s // _DAY + 1) * _DAY * NS)),
            *_tokens(database),
        ]
    except sqlite3.Error as error:
        raise LedgerError(f"costs cannot be read: {error}") from None
    written: list[str] = []
    for name, (kind, words) in HELP.items():
        written += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
        written += [
            f"{name}{braced(line.labels)} {line.value:.15g}" for line in lines if line.name == name
        ]
    return "\n".join(written) + "\n"


def _money(line: Cost, basis: str) -> int:
    return line.api_nano + (line.allocation_nano if basis == "allocation" else line.usage_nano)


def _hourly(lines: list[Cost]) -> Iterator[_Line]:
    """Yield cost of an hour; what no request caused is a line by the bucket's name."""
    for line in lines:
        for basis in _BASES:
            labels = (
                ("model_name", str(line.group[0])),
                ("workload_type", line.bucket),
                ("cost_basis", basis),
            )
            dollars, tokens = _money(line, basis) / NS, line.input_tokens + line.output_tokens
            yield _Line("llm_total_hourly_cost", labels, dollars)
            if line.bucket == "request" and tokens and not line.unpriced:
                per_million = dollars / tokens * 1e6
                labels = (labels[0], labels[2], ("phase", ""), ("allocation_method", basis))
                yield _Line("llm_cost_per_million_tokens", labels, per_million)


def _savings(database: Database, end: int) -> Iterator[_Line]:
    """Yield what cache reads saved against the same tokens at the model's uncached price."""
    found = database.execute(
        "SELECT model, sum(uncached_input), sum(cache_read), sum(nano_uncached_input), "
        "sum(nano_cache_read) FROM rollup WHERE grain = ? AND start = ? GROUP BY model",
        (_HOUR, end - _HOUR),
    )
    for model, uncached, read, nano_uncached, nano_read in sorted(found):
        if not uncached or not nano_uncached or not read:
            continue
        without = nano_uncached + read * nano_uncached / uncached
        saved = 1 - (nano_uncached + nano_read) / without
        yield _Line("llm_cache_savings_fraction", (("model_name", model),), saved)


def _totals(lines: list[Cost]) -> Iterator[_Line]:
    for line in lines:
        tenant, model = map(str, line.group)
        labels = (("tenant", tenant), ("model", model), ("bucket", line.bucket))
        for basis in _BASES:
            name = "inferometer_cost_nanodollars_total"
            yield _Line(name, (*labels, ("cost_basis", basis)), _money(line, basis))
        if line.bucket == "request":
            yield _Line("inferometer_attempts_total", labels[:2], line.attempts)
            yield _Line("inferometer_unpriced_attempts_total", labels[:2], line.unpriced)


def _tokens(database: Database) -> Iterator[_Line]:
    sums = ", ".join(f"sum({name})" for name in CLASSES)
    found = database.execute(
        f"SELECT tenant, model, {sums} FROM rollup WHERE grain = ? GROUP BY 1, 2", (_DAY,)
    )
    for tenant, model, *counts in sorted(found):
        for name, count in zip(CLASSES, counts, strict=True):
            labels = (("tenant", tenant), ("model", model), ("class", name))
            yield _Line("inferometer_tokens_total", labels, count)
