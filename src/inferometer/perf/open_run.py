"""A run at a rate: so many requests arrive at random, and the run ends when the last is answered.

Below capacity it is a queue in steady state. Above, a backlog grows until the arrivals end: at the
prefill while places are free, at the places afterwards.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from inferometer.candidates import Floats
from inferometer.perf.closed_loop import closed_loop, prefill_rate
from inferometer.perf.demand import LEVELS, Demand
from inferometer.perf.queueing import wait_quantiles, waiting
from inferometer.perf.roofline import Machine
from inferometer.perf.steady import (
    Steady,
    decode_step,
    decode_steps,
    prefill_time,
    running_sequences,
    steady,
    step_yield,
)

CROWDED = 0.9
"""Load of the prefill beyond which waiting is that of a backlog, no longer of a steady queue."""

LEAST = 0.5
"""Fewest running sequences of a step that runs at all."""

NEAR = 1e-3
"""Least span in stays: below, all start at once."""

ROUNDS = 12
"""Damped rounds between the time that requests stay and how many run beside them."""

POINTS = 200
"""Requests of a run whose waits are worked out, evenly spread over it: quantiles to 0.5 %."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenRun:
    """A run at a rate, per lane [config].

    Attributes:
        ttft: Time to first token over requests: mean, then quantiles at `LEVELS`, s [config, 4].
        tpot: Mean time per output token after it, s.
        rate: Requests answered per second, until the last one is.
        state: The lane's state while requests arrive.
    """

    ttft: Floats
    tpot: Floats
    rate: Floats
    state: Steady


class _Run(NamedTuple):
    """What is asked of a lane: arrivals per second, requests, places, prompts and ends per second.

    `count` is one where the run never ends.
    """

    offered: Floats
    count: Floats
    finite: Floats
    inside: Floats
    admitted: Floats
    most: Floats


def open_run(
    offered: Floats,
    requests: Floats,
    limit: Floats,
    machine: Machine,
    demand: Demand,
    *,
    lockstep: Floats | float = 0.0,
) -> OpenRun:
    """Return a run of `requests` requests per lane that arrive at `offered` per second (Poisson).

    Args:
        offered: Arrivals per lane, 1/s.
        requests: Requests per lane; infinite for a run that never ends.
        limit: Most running sequences of a lane.
        machine: The configurations.
        demand: What requests ask.
        lockstep: 1 where all requests have one length, 0 where lengths vary.
    """
    inside = np.minimum(limit, np.maximum(requests, 1.0))
    most = closed_loop(inside, inside, machine, demand).rate
    served = np.minimum(offered, most)
    finite = np.isfinite(requests)
    count = np.where(finite, np.maximum(requests, 1.0), 1.0)
    steps = decode_steps(demand.output[0], machine)
    running = np.clip(running_sequences(served, inside, machine, demand), LEAST, inside)
    state = steady(running, machine, demand)
    run = _Run(offered, count, finite, inside, offered, most)
    for _ in range(ROUNDS):
        run = run._replace(admitted=np.minimum(offered, prefill_rate(running, machine, demand)))
        decode = steps * state.step
        beside = _beside(count, _started(count, run), decode, lockstep)
        held = np.where(finite, beside, served * decode)
        running = np.clip((running + held) / 2, LEAST, inside)
        state = steady(running, machine, demand)
    service = prefill_time(demand.prompt[0], running, machine, demand)
    base = service + state.step / 2 + machine.rates.request_overhead
    ttft = base[:, None] + np.maximum(_queue(served * service, service), _backlog(run))
    decode = steps * state.step
    tail = lockstep * decode + (1 - lockstep) * _tail(run, decode, steps, machine, demand)
    last = np.maximum(count / offered, _started(count, run)) + base + tail
    return OpenRun(
        ttft=ttft,
        tpot=state.step / step_yield(machine).tokens,
        rate=np.where(finite, count / last, served),
        state=state,
    )


def _started(number: Floats, run: _Run) -> Floats:
    """Return when the request of that number gets its place, since the first arrived, s.

    The first `inside` are held up by the prefill alone, the others wait for one to end.
    """
    after = np.maximum(number - run.inside, 0.0)
    first = np.minimum(number, run.inside) / run.admitted
    return first + after / np.minimum(run.most, run.admitted)


def _backlog(run: _Run) -> Floats:
    """Return mean and quantiles of the time between arrival and start [config, 4]."""
    numbers = run.count * (np.arange(POINTS)[:, None] + 0.5) / POINTS  # [point, config]
    waits = np.maximum(_started(numbers, run) - numbers / run.offered, 0.0)
    return np.stack([waits.mean(axis=0), *np.quantile(waits, LEVELS, axis=0)], axis=1)


def _beside(count: Floats, span: Floats, decode: Floats, lockstep: Floats | float) -> Floats:
    """Return how many of `count` requests run beside one of them, on average over tokens.

    They start evenly over `span`. Where all stay `decode` their number rises, stays and falls in
    straight lines; where stays are exponential with that mean, it rises and falls as exponentials.
    """
    short, long = np.minimum(span, decode), np.maximum(span, decode)
    equal = count * decode / long * (1 - short / (3 * long))
    turns = np.maximum(span / decode, NEAR)
    mixed = count * (turns + np.expm1(-turns)) / turns**2
    return lockstep * equal + (1 - lockstep) * mixed


def _tail(run: _Run, decode: Floats, steps: Floats, machine: Machine, demand: Demand) -> Floats:
    """Return how long the longest of exponential stays lasts after the last start, s.

    From r running sequences, the next end is 1/r of a stay away, and steps shorten as they end: the
    sum over r of (a + b r) / r, with a step of a alone and of a + b r at r (harmonic numbers to
    1/r).
    """
    turns = np.maximum(_started(run.count, run) / decode, NEAR)
    left = np.clip(run.count * -np.expm1(-turns) / turns, 1.0, run.inside)
    alone = steps * decode_step(np.ones_like(left), machine, demand).total
    ends = np.log(left) + np.euler_gamma + 1 / (2 * left)
    return alone * ends + np.maximum(decode - alone, 0.0)


def _queue(load: Floats, service: Floats) -> Floats:
    """Return mean and quantiles of the wait behind other prompts, M/D/1 [config, 4]."""
    one, half = np.ones_like(load), np.full_like(load, 0.5)  # variation of equal services: half
    return wait_quantiles(*waiting(np.minimum(load, CROWDED), service, one, half))
