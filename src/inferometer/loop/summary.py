"""What a run showed: rates over the time in which the load was whole, latencies, cost in power."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.loop.client import Shot
from inferometer.loop.drafting import Drafts
from inferometer.loop.drive import Run
from inferometer.loop.readings import Spent
from inferometer.outcome import Latency
from inferometer.units import (
    Duration,
    Fraction,
    JoulesPerToken,
    PerSecond,
    Seconds,
    TokensPerSecond,
    Watts,
)

LEAST = 2
"""Requests per client that a steady stretch must hold, else the whole run counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in figures.

    Attributes:
        loop: "open", "closed" or "sessions".
        clients: Requests in flight; 0 for an open loop.
        rate: Offered requests per second of an open loop; 0 otherwise.
        requests: Requests that were answered.
        failed: Requests that were not.
        steady: Whether rates and latencies leave out start and end of a closed loop, when fewer
            than all clients were served.
        span: Time that the rates are over.
        input_tokens: Mean prompt, as the engine counted.
        output_tokens: Mean output, likewise.
        cached: Share of prompt tokens from the prefix cache.
        request_rate: Requests per second.
        output_rate: Output tokens per second.
        ttft: From when a request was due to its first piece of text.
        tpot: (E2E - TTFT) / (n - 1), over requests.
        itl: Gaps between pieces of text, over gaps.
        e2e: From when a request was due to its last piece.
        late: How much later than due requests were sent, 99th percentile.
        processor: Processor time of the engine per output token; None if unknown.
        joules: Energy per output token; None if not known.
        power: Mean draw over the whole run, as that energy is; None if not known.
        energy_label: How it is known.
        drafted: Tokens proposed in drafts, per output token; None if the engine counts none.
        accepted: Share of them that was accepted; None if none was proposed.
    """

    loop: str
    clients: int
    rate: PerSecond
    requests: int
    failed: int
    steady: bool
    span: Duration
    input_tokens: float
    output_tokens: float
    cached: Fraction
    request_rate: PerSecond
    output_rate: TokensPerSecond
    ttft: Latency
    tpot: Latency
    itl: Latency
    e2e: Latency
    late: Seconds
    processor: Seconds | None
    joules: JoulesPerToken | None
    power: Watts | None
    energy_label: str
    drafted: float | None = None
    accepted: Fraction | None = None

    @property
    def total_rate(self) -> float:
        """Prompt and output tokens per second."""
        return self.request_rate * (self.input_tokens + self.output_tokens)


def summarise(run: Run, spent: Spent, *, loop: str, offered: PerSecond = 0.0) -> Summary:
    """Return the figures of a run.

    A closed loop is judged from the end of its first round, when as many requests have ended as
    there are clients, to the moment when the last one was sent: each request that ends there is
    followed by another, so that work begun and work ended balance.

    Args:
        run: The run.
        spent: What it took.
        loop: Kind of load.
        offered: Requests per second of an open loop.
    """
    begin, end = _stretch(run)
    good = run.good
    inside = [shot for shot in good if begin <= shot.pieces[-1] <= end]
    steady = run.clients > 0 and len(inside) >= LEAST * run.clients
    if not steady:
        begin, end, inside = run.began, run.ended, list(good)
    tokens = sum(_tokens_within(shot, begin, end) for shot in good)
    every = sum(shot.output_tokens for shot in good)
    outputs = every / len(good)
    prompts = sum(shot.input_tokens for shot in good)
    return Summary(
        loop=loop, clients=run.clients, rate=offered,
        requests=len(good), failed=len(run.shots) - len(good),
        steady=steady, span=end - begin,
        input_tokens=prompts / len(good), output_tokens=outputs,
        cached=sum(shot.cached_tokens for shot in good) / max(prompts, 1),
        request_rate=tokens / (end - begin) / outputs, output_rate=tokens / (end - begin),
        ttft=latency(shot.ttft for shot in inside), tpot=latency(shot.tpot for shot in inside),
        itl=latency(gap for shot in inside for gap in shot.gaps),
        e2e=latency(shot.e2e for shot in inside),
        late=float(np.quantile([max(shot.sent - shot.due, 0.0) for shot in run.shots], 0.99)),
        processor=None if spent.processor is None else spent.processor / every,
        joules=None if spent.joules is None else spent.joules / every,
        power=None if spent.joules is None else spent.joules / spent.span,
        energy_label=spent.energy_label,
        drafted=None if spent.drafts is None else spent.drafts.proposed / every,
        accepted=_accepted(spent.drafts),
    )  # fmt: skip


def _accepted(drafts: Drafts | None) -> Fraction | None:
    if drafts is None or not drafts.proposed:
        return None
    return sum(drafts.accepted) / drafts.proposed


def _stretch(run: Run) -> tuple[float, float]:
    """Return when a closed loop had ended its first round, and when it sent its last request."""
    ends = sorted(shot.pieces[-1] for shot in run.good)
    first = ends[min(run.clients, len(ends)) - 1] if run.clients else run.began
    return first, run.exhausted


def _tokens_within(shot: Shot, begin: float, end: float) -> float:
    """Return the output tokens of a shot that came between two instants."""
    pieces = sum(begin <= at <= end for at in shot.pieces)
    return shot.output_tokens * pieces / len(shot.pieces)


def latency(values: Iterable[float]) -> Latency:
    """Return mean and quantiles; NaN where there is nothing (answers of one piece have no gaps)."""
    found: Sequence[float] = list(values) or [float("nan")]
    middle, high, highest = (float(q) for q in np.quantile(found, [0.5, 0.9, 0.99]))
    return Latency(mean=float(np.mean(found)), p50=middle, p90=high, p99=highest)
