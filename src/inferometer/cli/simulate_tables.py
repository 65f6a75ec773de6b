"""What `simulate` shows beside an outcome: tails by tenant, jitter, peaks."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from inferometer.cli.knee import show_loads
from inferometer.cli.operating_options import HOUR
from inferometer.cli.result import show_rows
from inferometer.outcome import Latency, Outcome
from inferometer.simulate import measures
from inferometer.simulate.histogram import Quantiles
from inferometer.simulate.simulation import Simulation
from inferometer.simulate.tasks import TaskTimes
from inferometer.simulate.totals import Tail, Totals
from inferometer.units import Fraction, Usd


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Jitter:
    """What only a simulation tells.

    Attributes:
        ttft_jitter: TTFT, p99 over p50.
        itl_jitter: Gap between tokens, p99 over p50.
        busy: Share of the time in which a lane runs steps.
        preemptions: Preemptions by recomputation.
        waiting: Most requests waiting, over samples.
        running: Most sequences decoding, over samples.
        kv_fraction: Largest share of KV blocks in use, over samples.
        attempts: How often a request was sent, mean.
        accelerator_hours: Hours of accelerators paid, start-up and draining included.
        cost_per_request: Cost of one finished request: the bill of a steady fleet, the rent alone
            of any other; None if unpriced.
    """

    ttft_jitter: float
    itl_jitter: float
    busy: Fraction
    preemptions: int
    waiting: int
    running: int
    kv_fraction: Fraction
    attempts: float
    accelerator_hours: float
    cost_per_request: Usd | None


def jitter(run: Simulation, totals: Totals, whole: Tail, cost: float | None) -> Jitter:
    """Return peaks, spreads and cost per request of a run."""
    series, done = run.series, run.counts.finished
    sent = totals.attempts + int(run.records.attempts.sum() if run.totals else 0)
    return Jitter(
        ttft_jitter=whole.ttft.p99 / whole.ttft.p50,
        itl_jitter=whole.itl.p99 / whole.itl.p50,
        busy=measures.busy_fraction(run),
        preemptions=int(run.sums["preemptions"]),
        waiting=int(series.waiting.max(initial=0)),
        running=int(series.running.max(initial=0)),
        kv_fraction=float(series.kv_fraction.max(initial=0)),
        attempts=sent / max(run.counts.arrived, 1),
        accelerator_hours=sum(usage.accelerator_hours for usage in run.usage),
        cost_per_request=cost / done if cost is not None and done else None,
    )


def rent(run: Simulation, prices: Sequence[float | None]) -> float | None:
    """Return what the paid hours of all accelerators cost, USD; None if one is unpriced."""
    total = 0.0
    for usage, price in zip(run.usage, prices, strict=True):
        if price is None:
            return None
        total += usage.accelerator_hours * HOUR * price
    return total


def show_run(answer: dict[str, Any]) -> None:
    """Print latencies, tails by tenant where there are several, and what else there is."""
    outcome, predicted = answer["outcome"], answer["predicted"]
    whole, *others = answer["tails"]
    metrics = ("ttft", "tpot", "itl", "e2e")
    show_rows(str(answer["deployment"]), [
        _latency(f"{name}, {kind}", getattr(record, name), tail)
        for name in metrics
        for kind, record, tail in (
            ("simulated", outcome, getattr(whole, name).p999 * 1e3), ("predicted", predicted, None)
        )
    ])  # fmt: skip
    show_rows("By class and tenant", [_tail(tail) for tail in others])
    show_rows("Tasks of agents", [_tasks(answer["tasks"])] if "tasks" in answer else [])
    show_loads(answer.get("loads", []))
    if "rag" in answer:
        from inferometer.cli.simulate_rag import show_three_ways

        show_three_ways(answer["rag"])
    counts = {
        f.name.replace("_", " "): getattr(outcome.counts, f.name)
        for f in dataclasses.fields(outcome.counts)
    }
    rest = counts | _quantities(outcome, answer["jitter"], whole)
    show_rows("Outcome", [{"quantity": k, "value": v} for k, v in rest.items()])


def _quantities(outcome: Outcome, found: Jitter, whole: Tail) -> dict[str, Any]:
    return {
        "requests/s": outcome.request_rate,
        "goodput, requests/s": outcome.goodput,
        "missed targets": whole.missed,
        "output tok/s": outcome.output_rate,
        "running sequences per replica": outcome.batch,
        "running at most": found.running,
        "waiting at most": found.waiting,
        "KV cache in use": outcome.kv_fraction,
        "KV cache at most": found.kv_fraction,
        "time in steps": found.busy,
        "cached tok/s": outcome.cached_rate,
        "preemptions": found.preemptions,
        "times sent": found.attempts,
        "accelerator hours": found.accelerator_hours,
        "TTFT p99 / p50": found.ttft_jitter,
        "power, W": outcome.power,
        "$ per request": found.cost_per_request or "unpriced",
    }


def _tasks(times: TaskTimes) -> dict[str, Any]:
    return {
        "tasks": times.tasks,
        "unfinished": times.unfinished,
        "mean s": times.mean,
        "p50 s": times.p50,
        "p99 s": times.p99,
        "of it tools, mean s": times.tools_mean,
    }


def _latency(name: str, latency: Latency, p999: float | None) -> dict[str, Any]:
    columns = ("mean", "p50", "p90", "p99")
    row = {f"{c} ms": getattr(latency, c) * 1e3 for c in columns}
    return {"metric": name} | row | {"p99.9 ms": p999}


def _tail(tail: Tail) -> dict[str, Any]:
    row = {
        "tenant": tail.tenant,
        "class": tail.priority,
        "requests": tail.requests,
        "missed": tail.missed,
    }
    for name in ("ttft", "tpot", "itl", "e2e"):
        known: Quantiles = getattr(tail, name)
        row |= {f"{name} p50 ms": known.p50 * 1e3, f"{name} p99.9 ms": known.p999 * 1e3}
    return row
