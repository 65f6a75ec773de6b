"""A short sweep of a live engine: the few runs from which the time of its steps can be told.

Prompts are timed among sequences that decode, at all slots, since that is how they are served. An
engine may need several passes over its weights for a step with prompts in it, and waits with a new
request for the end of the step under way: a prompt alone shows nothing of either. Decode steps are
timed with one slot in use and with all: steps of llama.cpp take longer where slots in use have gaps
between them, as if each stretch were a pass of its own. They are timed before the mixture and after
it, since a machine is not as fast in one second as in the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.loop.bench import Bench, Load, bench
from inferometer.loop.client import Endpoint, Shot
from inferometer.loop.jobs import jobs_of
from inferometer.loop.supervise import Say
from inferometer.units import Seconds
from inferometer.workload.synthesis import generator
from inferometer.workload.trace import Ints, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much a sweep sends.

    Attributes:
        short: Tokens of a short prompt.
        long: Tokens of the longest one.
        output: Tokens generated after a short prompt, and on average in the mixture.
        prompts: Short prompts that are timed alone.
        turns: Times that decode steps are timed: before the mixture, and after it.
        rounds: Requests of each client in the mixture.
    """

    short: int = 16
    long: int = 256
    output: int = 24
    prompts: int = 3
    turns: int = 2
    rounds: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The decode step at a number of sequences.

    Attributes:
        clients: Sequences that ran.
        gap: Time between two tokens of one sequence, median.
        context: Tokens that a sequence saw, mean.
    """

    clients: int
    gap: Seconds
    context: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Prompts that came while other sequences decoded, and how long all of it took.

    Attributes:
        prompts: Tokens computed of each prompt.
        span: From the first request to the first token of the last prompt.
        steps: Steps in that time in which a sequence decoded.
        decoded: Tokens that they gave.
    """

    prompts: tuple[float, ...]
    span: Seconds
    steps: float
    decoded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a sweep showed.

    Attributes:
        alone: Length and time to the first token of a short prompt that came alone, median.
        steps: Decode steps by number of sequences.
        mixture: Prompts of all lengths among sequences that decode.
    """

    alone: tuple[float, Seconds]
    steps: tuple[Step, ...]
    mixture: Mixture


def sweep(
    endpoint: Endpoint,
    slots: int,
    *,
    sizes: Sizes | None = None,
    seed: int = 0,
    say: Say,
) -> Sweep:
    """Return a sweep of an engine; a few hundred tokens at each point.

    Args:
        endpoint: The engine.
        slots: Sequences that it decodes at a time, at least 2.
        sizes: How much is sent.
        seed: Of the words.
        say: Told what is under way.

    Raises:
        EngineError: the engine went away.
    """
    chosen = sizes or Sizes()
    alone = _run(endpoint, 1, _same(chosen.prompts, chosen.short, 2), seed, warm=1).summary
    say(f"prompt of {alone.input_tokens:.0f} tokens alone: {alone.ttft.p50 * 1e3:.0f} ms")
    turns = [_decoding(endpoint, slots, chosen, seed)]
    lengths = _spread(slots * chosen.rounds, chosen, seed)
    found = mixture(_run(endpoint, slots, lengths, seed + 1).run.good)
    say(f"{len(found.prompts)} prompts among others: {found.span:.1f} s, {found.steps:.0f} steps")
    turns += [
        _decoding(endpoint, slots, chosen, seed + 2 * turn) for turn in range(1, chosen.turns)
    ]
    steps = tuple(_step(runs) for runs in zip(*turns, strict=True))
    for one in steps:
        say(f"{one.clients} sequences: {one.gap * 1e3:.1f} ms a token")
    return Sweep(
        alone=(alone.input_tokens * (1 - alone.cached), alone.ttft.p50),
        steps=steps, mixture=found,
    )  # fmt: skip


def _decoding(endpoint: Endpoint, slots: int, sizes: Sizes, seed: int) -> tuple[Bench, Bench]:
    """Return runs of short prompts with one slot in use and with all."""
    few = -(-sizes.prompts // sizes.turns)
    return (
        _run(endpoint, 1, _same(few, sizes.short, sizes.output), seed + 10),
        _run(endpoint, slots, _same(slots, sizes.short, sizes.output), seed + 11),
    )


def mixture(shots: Sequence[Shot]) -> Mixture:
    """Return what a run of prompts of many lengths took, up to the first token of the last one.

    Until then every client is served; afterwards ever fewer slots decode. A sequence gets a token
    in every step in which it decodes, so each token is the n-th part of a step in which n do.
    """
    first = np.array([shot.pieces[0] for shot in shots])
    last = np.array([shot.pieces[-1] for shot in shots])
    at = np.concatenate([np.asarray(shot.pieces[1:], float) for shot in shots])
    at = at[at <= first.max()]
    decoding = ((first < at[:, None]) & (at[:, None] <= last)).sum(axis=1)
    return Mixture(
        prompts=tuple(float(shot.input_tokens - shot.cached_tokens) for shot in shots),
        span=float(first.max()) - min(shot.sent for shot in shots),
        steps=float((1 / decoding).sum()),
        decoded=len(at),
    )


def _step(runs: Sequence[Bench]) -> Step:
    """Return the step of runs with as many sequences, at different moments of the sweep."""
    summary = runs[0].summary
    return Step(
        clients=max(runs[0].run.clients, 1),
        gap=float(np.median([gap for one in runs for shot in one.run.good for gap in shot.gaps])),
        context=summary.input_tokens + summary.output_tokens / 2,
    )


Lengths = tuple[Ints, Ints]
"""Tokens of prompt and of output [request]."""


def _same(count: int, prompt: int, output: int) -> Lengths:
    return np.full(count, prompt), np.full(count, output)


def _spread(count: int, sizes: Sizes, seed: int) -> Lengths:
    """Return lengths spread evenly, in an order by the seed, so that requests end one by one."""
    chance = generator(seed, "mixture")
    prompts = np.rint(np.linspace(sizes.short, sizes.long, count)).astype(np.int64)
    outputs = np.rint(np.linspace(2, 2 * sizes.output - 2, count)).astype(np.int64)
    return chance.permutation(prompts), chance.permutation(np.maximum(outputs, 2))


def _run(endpoint: Endpoint, clients: int, lengths: Lengths, seed: int, warm: int = 0) -> Bench:
    prompts, outputs = lengths
    trace = Trace(
        arrival=np.zeros(len(prompts)), input_tokens=prompts, output_tokens=outputs, name="sweep"
    )
    return bench(endpoint, jobs_of(trace, seed), Load(clients=clients, warm=warm))
