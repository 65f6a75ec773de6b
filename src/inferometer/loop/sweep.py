"""A short sweep of a live engine: the few runs from which the time of its steps can be told."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.loop.bench import Bench, Load, bench
from inferometer.loop.client import Endpoint
from inferometer.loop.jobs import Job, jobs_of
from inferometer.loop.summary import Summary
from inferometer.loop.supervise import Say
from inferometer.units import Seconds
from inferometer.workload.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much a sweep sends.

    Attributes:
        short: Tokens of a short prompt.
        long: Tokens of a long one.
        output: Tokens generated after a short prompt.
        prompts: Prompts of each length that are timed alone.
        rounds: Requests of each client at each number of clients.
    """

    short: int = 16
    long: int = 256
    output: int = 24
    prompts: int = 3
    rounds: int = 3


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
class Sweep:
    """What a sweep showed.

    Attributes:
        prompts: Length and time to the first token of prompts that came alone, medians.
        steps: Decode steps by number of sequences.
    """

    prompts: tuple[tuple[float, Seconds], ...]
    steps: tuple[Step, ...]


def sweep(
    endpoint: Endpoint,
    slots: Sequence[int],
    *,
    sizes: Sizes | None = None,
    seed: int = 0,
    say: Say,
) -> Sweep:
    """Return a sweep of an engine; a few hundred tokens at each point.

    Args:
        endpoint: The engine.
        slots: Numbers of sequences to decode at a time, 1 among them.
        sizes: How much is sent.
        seed: Of the words.
        say: Told what is under way.

    Raises:
        EngineError: the engine went away.
    """
    chosen = sizes or Sizes()
    prompts = list[tuple[float, Seconds]]()
    for place, length in enumerate((chosen.short, chosen.long)):
        found = _run(endpoint, 1, chosen.prompts, length, 2, seed + place).summary
        prompts.append((found.input_tokens * (1 - found.cached), found.ttft.p50))
        say(f"prompt of {found.input_tokens:.0f} tokens alone: {found.ttft.p50 * 1e3:.0f} ms")
    steps = list[Step]()
    for place, clients in enumerate(sorted(set(slots))):
        count = max(clients * chosen.rounds, chosen.prompts)
        run = _run(endpoint, clients, count, chosen.short, chosen.output, seed + 10 + place)
        steps.append(_step(run))
        say(f"{clients} sequences: {steps[-1].gap * 1e3:.1f} ms a token")
    return Sweep(prompts=tuple(prompts), steps=tuple(steps))


def _step(found: Bench) -> Step:
    summary: Summary = found.summary
    gaps = [gap for shot in found.run.good for gap in shot.gaps]
    return Step(
        clients=max(found.run.clients, 1),
        gap=float(np.median(gaps)),
        context=summary.input_tokens + summary.output_tokens / 2,
    )


def _run(
    endpoint: Endpoint, clients: int, count: int, prompt: int, output: int, seed: int
) -> Bench:
    trace = Trace(
        arrival=np.zeros(count),
        input_tokens=np.full(count, prompt),
        output_tokens=np.full(count, output),
        name="sweep",
    )
    jobs: list[Job] = jobs_of(trace, seed)
    return bench(endpoint, jobs, Load(clients=clients))
