"""Latency quantiles of a lane in steady state: TTFT, TPOT, ITL and E2E [config, 4]."""

import numpy as np

from inferometer.candidates import Floats
from inferometer.perf.demand import LEVELS, Demand
from inferometer.perf.lanes import Lanes
from inferometer.perf.queueing import independent_sum, wait_quantiles, waiting
from inferometer.perf.roofline import Machine
from inferometer.perf.steady import Steady, prefill_time, steady, step_yield
from inferometer.workload.shape import SCORES

NORMAL = np.array([[0.0, *SCORES]])
"""Standard normal scores of the columns of a latency: its mean, then `LEVELS`."""

NEAR = 1e-3
"""Relative distance over which the slope of the step time is taken."""


def ttft(
    rate: Floats, sequences: Floats, state: Steady, lanes: Lanes, demand: Demand, machine: Machine,
    arrival_variation: Floats,
) -> Floats:  # fmt: skip
    """Return time to first token: wait for the running step, for a place, for earlier prompts.

    Args:
        rate: Arrivals per lane, 1/s.
        sequences: Running sequences of a lane.
        state: Its steady state.
        lanes: Lanes and their limits.
        demand: Moments of the workload.
        machine: The configurations.
        arrival_variation: Squared variation of inter-arrival times at one lane.
    """
    service = np.stack([prefill_time(n, sequences, machine, demand) for n in demand.prompt], axis=1)
    prefill = _prefill_wait(rate, service[:, 0], demand, arrival_variation)
    place = _place_wait(sequences, state, lanes, demand, machine, arrival_variation)
    outside = np.repeat(machine.rates.request_overhead[:, None], service.shape[1], axis=1)
    return independent_sum(service + outside, prefill, place, _residual(state))


def tpot(sequences: Floats, state: Steady, demand: Demand, machine: Machine) -> Floats:
    """Return time per output token over requests.

    Its spread has two sources: how many chunk steps fall into a request's life (binomial, harmonic
    mean of output lengths), and the number of running sequences (Poisson).
    """
    tokens = step_yield(machine).tokens
    extra = state.mixed.total - state.plain.total
    chunks = state.share * (1 - state.share) * extra**2 * tokens / demand.output_harmonic
    slope = _slope(sequences, state, demand, machine)
    load = slope**2 * sequences * tokens / (tokens + demand.output_harmonic / sequences)
    spread = np.sqrt(chunks + load)[:, None] * NORMAL
    return (state.step[:, None] + spread) / tokens


def itl(state: Steady, machine: Machine) -> Floats:
    """Return the gap between output tokens: a plain step or one with a chunk, by their shares."""
    tokens = step_yield(machine).tokens
    columns = [state.step / tokens]
    columns += [
        np.where(state.share >= 1 - level, state.mixed.total, state.plain.total) for level in LEVELS
    ]
    return np.stack(columns, axis=1)


def e2e(ttft: Floats, tpot: Floats, demand: Demand) -> Floats:
    """Return arrival to last token: TTFT plus (output - 1) x TPOT."""
    decode = np.maximum(demand.output - 1, 0.0)[None, :] * tpot[:, :1]
    return independent_sum(ttft, decode)


def _slope(sequences: Floats, state: Steady, demand: Demand, machine: Machine) -> Floats:
    """Return what one more running sequence adds to the step: its KV reads, but no weights."""
    apart = NEAR * np.maximum(sequences, 1.0)
    more = steady(sequences + apart, machine, demand)
    return np.maximum(more.step - state.step, 0.0) / apart


def _prefill_wait(rate: Floats, service: Floats, demand: Demand, arrivals: Floats) -> Floats:
    one = np.ones_like(rate)
    variation = (arrivals + demand.prompt_variation) / 2
    return wait_quantiles(*waiting(rate * service, service, one, variation))


def _place_wait(
    sequences: Floats, state: Steady, lanes: Lanes, demand: Demand, machine: Machine,
    arrivals: Floats,
) -> Floats:  # fmt: skip
    service = demand.output[0] / step_yield(machine).tokens * state.step
    variation = (arrivals + demand.output_variation) / 2
    return wait_quantiles(*waiting(sequences / lanes.limit, service, lanes.limit, variation))


def _residual(state: Steady) -> Floats:
    """Return the rest of the step that is running when a request arrives, uniform on the step."""
    levels = np.array([[0.5, *LEVELS]])
    return levels * state.step[:, None]
