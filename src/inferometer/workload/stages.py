"""Stages before the model, each a queue before equal servers: embed, retrieve, rerank.

Every call of a stage takes as long, so with c servers, first come first served, the i-th request
leaves at max(its arrival, end of the (i - c)-th) + service.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.units import Duration, Fraction, PerSecond, Seconds, Tokens
from inferometer.workload.trace import Floats, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """One stage.

    Attributes:
        name: E.g. "embed", "index", "rerank".
        units: Servers.
        rate: Calls per second that one of them serves.
        calls: Calls of one request.
        latency: What a request takes beside the time of its calls, nobody waiting for it.
    """

    name: str
    units: int
    rate: PerSecond
    calls: float = 1.0
    latency: Seconds = 0.0

    def __post_init__(self) -> None:
        if not (self.units >= 1 and self.rate > 0 and self.calls > 0 and self.latency >= 0):
            raise ScenarioError(
                f"stage {self.name}: units of at least 1, rate and calls above 0 are wanted"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """What requests meet in a stage.

    Attributes:
        name: The stage.
        units: Its servers.
        load: Share of their time that they serve, first arrival to last end.
        wait_mean: Mean time in its queue.
        wait_p99: 99th percentile of it.
        time_mean: Mean time in the stage, the queue included.
    """

    name: str
    units: int
    load: Fraction
    wait_mean: Seconds
    wait_p99: Seconds
    time_mean: Duration


def ends(arrival: Floats, units: int, service: float) -> Floats:
    """Return when each of the requests, in order of arrival, has been served [request] s."""
    found = np.empty(len(arrival))
    for first in range(min(units, len(arrival))):
        mine = arrival[first::units]
        turn = np.arange(len(mine))
        found[first::units] = np.maximum.accumulate(mine - turn * service) + (turn + 1) * service
    return found


def through(stages: Sequence[Servers], arrival: Floats) -> tuple[Floats, tuple[StageTime, ...]]:
    """Return the time that each request spends in all stages, and what it meets in each.

    Args:
        stages: The stages, in order.
        arrival: When requests come, rising [request] s.
    """
    now, met = arrival, list[StageTime]()
    for stage in stages:
        service = stage.calls / stage.rate
        done = ends(now, stage.units, service)
        wait = done - now - service
        span = max(float(done[-1] - now[0]), 1e-9)
        met.append(
            StageTime(
                name=stage.name,
                units=stage.units,
                load=len(now) * service / (stage.units * span),
                wait_mean=float(wait.mean()),
                wait_p99=float(np.quantile(wait, 0.99)),
                time_mean=float((done - now).mean()) + stage.latency,
            )
        )
        now = done + stage.latency
    return now - arrival, tuple(met)


def with_passages(trace: Trace, tokens: Tokens) -> Trace:
    """Return a trace whose prompts are longer by passages.

    They differ from one question to the next and come before it, so nothing behind them is found
    again in a prefix cache: hashes are left out.
    """
    added = round(tokens)
    return replace(trace, input_tokens=trace.input_tokens + added, prefixes=None)


def retrieved(
    trace: Trace, tokens: Tokens, stages: Sequence[Servers]
) -> tuple[Trace, tuple[StageTime, ...]]:
    """Return a trace whose requests pass `stages` first and get passages, and what they meet.

    Raises:
        ScenarioError: calls of agents, which come when others end.
    """
    if trace.calls is not None:
        raise ScenarioError("retrieval: requests that come at times of their own are wanted")
    prepared, met = through(stages, trace.arrival)
    return replace(with_passages(trace, tokens), prepared=prepared), met
