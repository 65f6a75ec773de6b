"""Values that can be meant, but are more often a slip of the unit: warned about, never refused."""

import sys
from collections.abc import Iterable

from inferometer.catalog.prices import AcceleratorPrice
from inferometer.workload.formats.columns import Tally
from inferometer.workload.slo import Slo

LIMITS = {"ttft": (1e-3, 600.0), "tpot": (1e-4, 5.0), "itl": (1e-4, 10.0), "e2e": (1e-2, 14400.0)}
"""Seconds: from what no hardware reaches to what no reader waits for."""

HOURLY = (0.02, 100.0)
"""USD per accelerator and hour: from an old card's electricity to ten times the dearest rent."""

HOUR = 3600.0


def warn(messages: Iterable[str]) -> None:
    """Print warnings on stderr."""
    for message in messages:
        sys.stderr.write(f"warning: {message}\n")


def doubts_of_rows(path: str, counts: Tally) -> list[str]:
    """Return what of a trace file is not played, so that nothing is left out in silence."""
    if counts.kept == counts.rows:
        return []
    left = f"{counts.failed:,} failed, {counts.empty:,} without input or output tokens"
    return [f"{path}: {counts.kept:,} of {counts.rows:,} rows are requests; left out: {left}"]


def doubts_of_targets(slo: Slo) -> list[str]:
    """Return what is odd about the limits of an SLO."""
    return [
        f"SLO '{target}' is outside {low * 1e3:g} ms to {high:g} s; is its unit right?"
        for target in slo.targets
        for low, high in (LIMITS[target.metric],)
        if not low <= target.limit <= high
    ]


def doubts_of_prices(prices: Iterable[AcceleratorPrice]) -> list[str]:
    """Return what is odd about own price rows."""
    low, high = HOURLY
    return [
        f"price of {row.accelerator} is {row.price * HOUR:.4g} USD/h, outside {low:g} to {high:g}; "
        "is it per accelerator and hour?"
        for row in prices
        if not low <= row.price * HOUR <= high
    ]
