"""A closed loop: a fixed number of clients, each sending its next request when one is answered.

How long a request waits for its first token depends on whether requests are alike. Where lengths
vary, ends are spread over time, and a request meets the step that happens to run. Where all have
one length, requests that started together end together and come back together, round after round:
they prefill behind one another, and an engine that puts prompts before decodes keeps the wave of
the first start for ever.
"""

from dataclasses import dataclass, replace

import numpy as np

from inferometer.candidates import Floats
from inferometer.perf.demand import Demand
from inferometer.perf.roofline import Machine
from inferometer.perf.steady import (
    Steady,
    decode_step,
    decode_steps,
    prefill_time,
    prompts_per_step,
    steady,
    step_yield,
)

ROUNDS = 12
"""Damped fixed-point rounds; the residual is below 1e-4 after eight."""

FOLLOWED = 1.5
"""Prompts that one of a lockstep finds before it, on average: the one whose step is running, and
every other time one more that shares its own step. With efficiencies held fixed, TTFT of NVIDIA's
closed loops of one length says 0.8 to 1.7 on vLLM and 1.4 to 2.5 on TensorRT-LLM, at 8 to 64
clients and 1,024 to 4,096 tokens alike."""


HELD, MOST_HELD = 8.0, 90.0
"""Steps that a prompt is held for each further rank of data-parallel attention, and at most: ranks
step together, and engines hold prompts until several ranks have one (TensorRT-LLM's balance of
attention ranks, with time-outs of 50 and 60 steps in published recipes). TTFT of InferenceX's rows
says 8 to 28 steps at 2 ranks, 16 to 150 at 8, and 74 to 134 at 16 to 64."""


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


def closed_loop(
    clients: Floats,
    limit: Floats,
    machine: Machine,
    demand: Demand,
    *,
    lockstep: Floats | float = 0.0,
) -> ClosedLoop:
    """Return the steady state of `clients` clients per lane, of which at most `limit` run.

    Little's law twice: clients = rate x (TTFT + decode time), running = rate x decode time. Clients
    beyond `limit` wait for a place, which shows in TTFT.

    Args:
        clients: Clients per lane [config].
        limit: Most running sequences of a lane [config].
        machine: The configurations.
        demand: What requests ask.
        lockstep: 1 where all requests have one length, 0 where lengths vary.
    """
    inside = np.minimum(clients, limit)
    steps = decode_steps(demand.output[0], machine)
    running, state = inside, steady(inside, machine, demand)
    for _ in range(ROUNDS):
        decode = steps * state.step
        first = _first_token(inside, running, steps, state, machine, demand, lockstep)
        wanted = inside * decode / (first + decode)
        running = np.clip((running + wanted) / 2, 0.02 * inside, inside)
        state = steady(running, machine, demand)
    waves = np.broadcast_to(lockstep, inside.shape) * prefills_first(machine) > 0
    if np.any(waves):
        decode, whole = _wave(inside, steps, machine, demand)
        running = np.where(waves, inside * decode / whole, running)
        state = steady(running, machine, demand)
        state = replace(state, step=np.where(waves, decode / steps, state.step))
    rate = running / (steps * state.step)
    return ClosedLoop(
        ttft=clients / rate - steps * state.step,
        tpot=state.step / step_yield(machine).tokens,
        rate=rate,
        running=running,
        state=state,
    )


def prefills_first(machine: Machine) -> Floats:
    """Return 1 for configurations whose engine lets decodes wait for prompts, else 0."""
    candidates = machine.candidates
    return np.array([float(e.prefill_first) for e in candidates.engines])[candidates.engine]


def burst(sequences: Floats, machine: Machine, demand: Demand) -> Floats:
    """Return the mean time to first token of `sequences` requests that start at once, s.

    Steps take as many prompts as the budget holds, one step after the other, beside the sequences
    that already decode (half of them on average) unless the engine puts prompts first.
    """
    beside = np.where(prefills_first(machine) > 0, 0.0, np.maximum(sequences - 1, 0.0) / 2)
    turns, step = _turns(sequences, beside, machine, demand)
    return step * (turns + 1) / 2 + machine.rates.request_overhead


def prefill_rate(beside: Floats, machine: Machine, demand: Demand) -> Floats:
    """Return the prompts per second of steps full of them, beside `beside` decodes, 1/s."""
    decodes = np.where(prefills_first(machine) > 0, 0.0, beside)
    together = np.maximum(prompts_per_step(machine, demand), 1.0)
    return together / prefill_time(together * demand.prompt[0], decodes, machine, demand)


def _turns(
    sequences: Floats, beside: Floats, machine: Machine, demand: Demand
) -> tuple[Floats, Floats]:
    """Return how many steps full of prompts the prompts of `sequences` take, and one's time."""
    together = np.clip(prompts_per_step(machine, demand), 1.0, np.maximum(sequences, 1.0))
    turns = np.maximum(sequences / together, 1.0)
    return turns, prefill_time(together * demand.prompt[0], beside, machine, demand)


def _wave(inside: Floats, steps: Floats, machine: Machine, demand: Demand) -> tuple[Floats, Floats]:
    """Return mean decode time and whole time of requests that start, decode and end together.

    The last prompt ends the prefill of all: who was first waits for it with its first token out.
    """
    turns, step = _turns(inside, np.zeros_like(inside), machine, demand)
    decode = steps * decode_step(inside, machine, demand).total + step * (turns - 1) / 2
    return decode, decode + burst(inside, machine, demand)


def _first_token(
    inside: Floats, running: Floats, steps: Floats, state: Steady, machine: Machine,
    demand: Demand, lockstep: Floats | float,
) -> Floats:  # fmt: skip
    """Return the wait for the running step, the prefill, and HTTP.

    A step that others run is the longer the likelier met (its length-biased mean); engines schedule
    one step ahead, so that all of it counts and not half. Who else came during it shares the next
    one. No M/D/1 queue: ends in a closed loop, and so arrivals, are spaced as the prefills were.
    """
    squares = state.share * state.mixed.total**2 + (1 - state.share) * state.plain.total**2
    met = squares / state.step * (1 - 1 / np.maximum(inside, 1.0))
    others = np.maximum(inside - 1, 0.0)
    came = np.minimum(running / (steps * state.step) * met, others)
    joined = came * (1 - lockstep)
    service = prefill_time(demand.prompt[0] * (1 + joined), running, machine, demand)
    behind = service * np.minimum(FOLLOWED, others)
    data = machine.candidates.column("data")
    held = np.minimum(HELD * (data - 1), MOST_HELD) * state.step
    wait = met + held + lockstep * np.maximum(behind - met, 0.0)
    return wait + service + machine.rates.request_overhead
