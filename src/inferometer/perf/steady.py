"""Continuous batching in steady state: decode steps, some of which also carry a prompt chunk."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from inferometer.candidates import Floats
from inferometer.perf.demand import Demand
from inferometer.perf.roofline import Batch, Machine, StepTime, step_time

STEPS = 8
"""Iterations of the root finder; step time is nearly linear in the batch, so eight give 1e-6."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steady:
    """Mean behaviour of one lane at a given number of running sequences [config].

    Attributes:
        plain: Step without prompt tokens.
        mixed: Step with a prompt chunk.
        share: Share of steps that carry a chunk.
        chunk: Prompt tokens of such a step.
        step: Mean step time, s.
    """

    plain: StepTime
    mixed: StepTime
    share: Floats
    chunk: Floats
    step: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Yield:
    """Output of one step per running sequence.

    Attributes:
        tokens: Tokens produced.
        queries: Tokens verified.
    """

    tokens: float
    queries: float


def step_yield(machine: Machine) -> Yield:
    """Return tokens per sequence and step: 1, and under speculation the accepted ones beside it."""
    speculation = machine.candidates.speculation
    if speculation is None:
        return Yield(tokens=1.0, queries=1.0)
    return Yield(tokens=1.0 + speculation.accepted, queries=speculation.draft_tokens + 1.0)


def decode_steps(outputs: Floats, machine: Machine) -> Floats:
    """Return the steps that yield all `outputs` tokens but the first, at least one token's."""
    return np.maximum(outputs - 1, 1.0) / step_yield(machine).tokens


def steady(sequences: Floats, machine: Machine, demand: Demand) -> Steady:
    """Return the steady state of one lane with `sequences` running sequences.

    Each output token brings mean prompt / mean output new prompt tokens with it. They arrive whole
    prompts at a time, cut to the token budget, so a share of the steps carries a chunk and the rest
    none; the share cannot exceed one.
    """
    product = step_yield(machine)
    prompts = demand.prompt[0] / demand.output[0] * product.tokens * sequences  # per step
    budget = np.maximum(machine.candidates.max_batched_tokens - sequences * product.queries, 1.0)
    chunk = np.minimum(np.maximum(demand.chunk, prompts), budget)
    share = np.minimum(prompts / chunk, 1.0)
    plain = _step(sequences, np.zeros_like(chunk), machine, demand, product.queries)
    mixed = _step(sequences, chunk, machine, demand, product.queries)
    mean = (1 - share) * plain.total + share * mixed.total
    return Steady(plain=plain, mixed=mixed, share=share, chunk=chunk, step=mean)


def decode_step(sequences: Floats, machine: Machine, demand: Demand) -> StepTime:
    """Return the step of one lane whose `sequences` running sequences meet no prompt."""
    queries = step_yield(machine).queries
    return _step(sequences, np.zeros_like(sequences), machine, demand, queries)


def prefill_time(
    prompt: float | Floats, sequences: Floats, machine: Machine, demand: Demand
) -> Floats:
    """Return the time to prefill `prompt` tokens beside `sequences` decodes, s [config]."""
    product = step_yield(machine)
    budget = np.maximum(machine.candidates.max_batched_tokens - sequences * product.queries, 1.0)
    chunks = np.ceil(prompt / budget)
    step = _step(sequences, prompt / chunks, machine, demand, product.queries)
    return chunks * step.total


def prompts_per_step(machine: Machine, demand: Demand) -> Floats:
    """Return the whole prompts that one step's budget holds; below one where they are chunked."""
    fitting = machine.candidates.max_batched_tokens / demand.prompt[0]
    return np.where(fitting >= 1, np.floor(fitting), fitting)


def _step(
    sequences: Floats, prefill: Floats, machine: Machine, demand: Demand, queries: float
) -> StepTime:
    batch = Batch(
        sequences=sequences,
        context=demand.context,
        prefill=prefill,
        prefill_context=demand.prefill_context,
        queries=queries,
    )
    step, speculation = step_time(batch, machine), machine.candidates.speculation
    if speculation is None or not speculation.draft_cost:
        return step
    alone = step_time(replace(batch, prefill=np.zeros_like(prefill), queries=1.0), machine)
    drafting = speculation.draft_tokens * speculation.draft_cost * alone.total
    return replace(step, overhead=step.overhead + drafting)


def busy_batch(mean: Floats) -> Floats:
    """Return the running sequences of a step that runs at all, mean / (1 - exp(-mean)).

    With many independent requests in service their number is Poisson (M/G/inf), and a step only
    happens when it is not zero.
    """
    return np.where(mean > 1e-9, mean / -np.expm1(-np.maximum(mean, 1e-9)), 1.0)


def running_sequences(rate: Floats, limit: Floats, machine: Machine, demand: Demand) -> Floats:
    """Return the mean running sequences of a lane at arrival rate `rate`, at most `limit`.

    The root of b = rate x output / yield x step(b) (Little's law); `limit` where there is no root
    below it.
    """
    wanted = rate * demand.output[0] / step_yield(machine).tokens

    def excess(sequences: Floats) -> Floats:
        return sequences - wanted * steady(busy_batch(sequences), machine, demand).step

    return np.where(excess(limit) < 0, limit, _root(excess, np.zeros_like(limit), limit))


def _root(function: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Return the root of an increasing function between `low` and `high`, elementwise.

    Illinois method: regula falsi that halves the value of an end that stays twice.
    """
    below, above = function(low), function(high)
    side = np.zeros_like(low)
    middle = high
    for _ in range(STEPS):
        slope = np.where(above > below, above - below, 1.0)
        middle = np.clip(high - above * (high - low) / slope, low, high)
        value = function(middle)
        right = value > 0
        below = np.where(right & (side > 0), below / 2, np.where(right, below, value))
        above = np.where(~right & (side < 0), above / 2, np.where(right, value, above))
        high, low = np.where(right, middle, high), np.where(right, low, middle)
        side = np.where(right, 1.0, -1.0)
    return middle
