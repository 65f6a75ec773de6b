"""A closed loop: a fixed number of clients, each sending its next request when one is answered."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Floats
from inferometer.perf.demand import Demand
from inferometer.perf.roofline import Machine
from inferometer.perf.steady import Steady, prefill_time, steady, step_yield

ROUNDS = 12
"""Damped fixed-point rounds; the residual is below 1e-4 after eight."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClosedLoop:
    """Steady state of a closed loop, per lane [config].

    Attributes:
        ttft: Mean time to first token, s.
        tpot: Mean time per output token after it, s.
        rate: Requests per second and lane.
        running: Sequences decoding.
        state: The lane's steady state.
    """

    ttft: Floats
    tpot: Floats
    rate: Floats
    running: Floats
    state: Steady


def closed_loop(clients: Floats, limit: Floats, machine: Machine, demand: Demand) -> ClosedLoop:
    """Return the steady state of `clients` clients per lane, of which at most `limit` run.

    Little's law twice: clients = rate x (TTFT + decode time), running = rate x decode time. Clients
    beyond `limit` wait for a place, which shows in TTFT.
    """
    inside = np.minimum(clients, limit)
    steps = np.maximum(demand.output[0] - 1, 1.0) / step_yield(machine).tokens
    running, state = inside, steady(inside, machine, demand)
    for _ in range(ROUNDS):
        decode = steps * state.step
        first = _first_token(running, state, steps, machine, demand)
        wanted = inside * decode / (first + decode)
        running = np.clip((running + wanted) / 2, 0.02 * inside, inside)
        state = steady(running, machine, demand)
    rate = running / (steps * state.step)
    return ClosedLoop(
        ttft=clients / rate - steps * state.step,
        tpot=state.step / step_yield(machine).tokens,
        rate=rate,
        running=running,
        state=state,
    )


def _first_token(
    running: Floats, state: Steady, steps: Floats, machine: Machine, demand: Demand
) -> Floats:
    """Return half a step, the prefill, the wait behind other prompts (M/D/1), and HTTP."""
    service = prefill_time(demand.prompt[0], running, machine, demand)
    load = np.minimum(service * running / (steps * state.step), 0.95)
    behind = np.minimum(load / (2 * (1 - load)), running / 2)
    return state.step / 2 + service * (1 + behind) + machine.rates.request_overhead
