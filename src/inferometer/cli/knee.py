"""Latency and goodput against the offered rate: one workload, compressed and stretched."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from inferometer.cli.playing import Setting, faster, played
from inferometer.cli.result import show_rows
from inferometer.errors import ScenarioError
from inferometer.outcome import Latency
from inferometer.simulate import measures
from inferometer.units import Fraction, PerSecond
from inferometer.workload.trace import Trace

FIRST, LAST = 0.2, 1.3
"""Loads, as shares of the closed form's capacity, between which rates are played."""

ENOUGH = 0.9
"""Share of good requests above which the knee is not passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One offered rate.

    Attributes:
        offered: Requests per second that come.
        goodput: Requests per second within all limits.
        good: Share of the requests within all limits.
        ttft: Time to first token.
        tpot: (E2E - TTFT) / (output tokens - 1).
    """

    offered: PerSecond
    goodput: PerSecond
    good: Fraction
    ttft: Latency
    tpot: Latency


def loads(setting: Setting, trace: Trace, capacity: float, steps: int) -> Iterator[Load]:
    """Yield the workload at `steps` rates up to beyond the closed form's capacity, rising.

    Raises:
        ScenarioError: fewer than two steps, or requests that do not come by their times.
    """
    if steps < 2:
        raise ScenarioError(f"--rates is {steps}; at least 2 are wanted")
    if setting.play.clients or trace.span == 0:
        raise ScenarioError("--plot-knee: requests that come by their times are wanted")
    rate = len(trace) / trace.span
    for step in range(steps):
        offered = capacity * (FIRST + (LAST - FIRST) * step / (steps - 1))
        run = played(setting, faster(trace, offered / rate))
        good = measures.good_fraction(run, setting.slo)
        yield Load(
            offered=offered,
            goodput=good * offered,
            good=good,
            ttft=measures.quantiles(measures.ttft(run)),
            tpot=measures.quantiles(measures.tpot(run)),
        )


def knee(found: list[Load]) -> float | None:
    """Return the highest offered rate up to which `ENOUGH` requests are good; None if none is."""
    last = None
    for load in found:
        if load.good < ENOUGH:
            return last
        last = load.offered
    return last


def show_loads(found: list[Load]) -> None:
    """Print latency and goodput by rate."""
    show_rows("By offered rate", [_row(load) for load in found])


def _row(load: Load) -> dict[str, Any]:
    return {
        "offered/s": load.offered,
        "goodput/s": load.goodput,
        "good": load.good,
        "TTFT p50 ms": load.ttft.p50 * 1e3,
        "TTFT p99 ms": load.ttft.p99 * 1e3,
        "TPOT p99 ms": load.tpot.p99 * 1e3,
    }
