"""A short sweep of a live engine: a small closed loop, from which the time of its steps is told.

It is what a run is, only shorter: as many clients as slots, lengths like those of the requests to
come, prompts among sequences that decode. An engine may need several passes over its weights for a
step with prompts in it, waits with a new request for the end of the step under way, and takes
longer where a slot between others is empty: prompts alone and sequences of one length show none of
it. A machine is not as fast in one moment as in the next, so a sweep has turns, best at different
times.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from inferometer.loop.bench import Bench, Load, bench
from inferometer.loop.client import Endpoint, Shot
from inferometer.loop.jobs import jobs_of
from inferometer.loop.supervise import Say
from inferometer.units import Seconds
from inferometer.workload.synthesis import generator
from inferometer.workload.trace import Ints, Trace

APART = 0.25
"""Share of the median gap of a sequence by which two tokens surely are of different steps."""

SEED = 1 << 20
"""Of the first words: others than of runs, whose prompts must not be in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much a sweep sends.

    Attributes:
        short: Tokens of a prompt that comes alone.
        prompts: Such prompts in a turn.
        beyond: Requests of the closed loop in a turn beyond one for each slot.
        turns: Times that all of it is done.
    """

    short: int = 16
    prompts: int = 3
    beyond: int = 9
    turns: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an engine, as its tokens showed it.

    Attributes:
        span: From the tokens of the step before to its own.
        decoding: Sequences that got a further token.
        prompts: Tokens computed of each prompt that it completed.
        plain: Whether no prompt was worked at in it.
    """

    span: Seconds
    decoding: int
    prompts: tuple[float, ...]
    plain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn of a sweep showed.

    Attributes:
        alone: Length and time to the first token of a short prompt that came alone, median.
        steps: Steps of the closed loop, in order, from when every slot had got its first token: a
            cache that is empty yet makes steps quicker.
        context: Tokens that a decoding sequence saw, mean.
    """

    alone: tuple[float, Seconds]
    steps: tuple[Step, ...]
    context: float


def turn(
    endpoint: Endpoint, slots: int, like: Trace, *, sizes: Sizes, number: int, say: Say
) -> Turn:
    """Return one turn of a sweep of an engine.

    Args:
        endpoint: The engine.
        slots: Sequences that it decodes at a time, at least 2.
        like: Requests whose lengths are sent, with other words.
        sizes: How much is sent.
        number: Of the turn: each sends other lengths and words.
        say: Told what was seen.

    Raises:
        EngineError: the engine went away.
    """
    single = np.full(sizes.prompts, sizes.short), np.full(sizes.prompts, 2)
    alone = _run(endpoint, 1, single, SEED + 2 * number, warm=1).summary
    lengths = sample(like, count_for(slots, sizes), (number + 0.5) / sizes.turns)
    shots = _run(endpoint, slots, lengths, SEED + 2 * number + 1).run.good
    found = tuple(filled(steps(shots), slots))
    plain = [step.span for step in found if step.plain and step.decoding == slots]
    full = f"{np.mean(plain) * 1e3:.1f} ms a step of {slots}" if plain else f"{slots} at a time"
    say(f"{len(shots)} requests, the last ones in {sum(s.span for s in found):.1f} s: {full}")
    return Turn(
        alone=(alone.input_tokens * (1 - alone.cached), alone.ttft.p50),
        steps=found,
        context=float(np.mean([shot.input_tokens + shot.output_tokens / 2 for shot in shots])),
    )


def count_for(slots: int, sizes: Sizes) -> int:
    """Return the requests of a turn: no whole rounds of equal ones, which would all end at once."""
    count = slots + sizes.beyond
    return count + (count % slots == 0)


Lengths = tuple[Ints, Ints]
"""Tokens of prompt and of output [request]."""


def sample(like: Trace, count: int, place: float) -> Lengths:
    """Return lengths of requests of a trace at even distances by prompt, the longest answer last.

    So all that the trace has is there, and the loop ends with one sequence that decodes alone.

    Args:
        like: The trace.
        count: Requests.
        place: Where in each of as many parts of it one is taken, 0 to 1.
    """
    order = np.argsort(like.input_tokens, kind="stable")
    rows = order[((np.arange(count) + place) * len(order) / count).astype(np.int64)]
    rows = generator(0, "sweep").permutation(rows)
    longest = int(np.argmax(like.output_tokens[rows]))
    rows = np.append(np.delete(rows, longest), rows[longest])
    return like.input_tokens[rows], np.maximum(like.output_tokens[rows], 2)


def spread(longest: int = 256, output: int = 46, count: int = 32) -> Trace:
    """Return requests of all lengths, evenly, for an engine whose traffic is not known.

    Args:
        longest: Tokens of the longest prompt.
        output: Tokens of the longest output.
        count: Requests.
    """
    outputs = np.rint(np.linspace(2, output, count)).astype(np.int64)
    return Trace(
        arrival=np.zeros(count),
        input_tokens=np.rint(np.linspace(16, longest, count)).astype(np.int64),
        output_tokens=generator(0, "spread").permutation(outputs),
        name="spread",
    )


def steps(shots: Sequence[Shot]) -> Iterator[Step]:
    """Yield the steps of a run from the times of its tokens, of which a step gives one a sequence.

    Tokens are of one step if they came together and no sequence has two of them.
    """
    came = sorted((at, n) for n, shot in enumerate(shots) for at in shot.pieces)
    groups = list(_together(came, APART * _usual_gap(shots)))
    began = [min(shot.sent for shot in shots), *(group[0][0] for group in groups)]
    seen = set[int]()
    for (begin, end), group in zip(pairwise(began), groups, strict=True):
        members = {n for _, n in group}
        fresh = members - seen
        seen |= members
        waiting = any(
            shot.sent < begin and shot.pieces[0] > end and n not in members
            for n, shot in enumerate(shots)
        )
        computed = (shots[n].input_tokens - shots[n].cached_tokens for n in sorted(fresh))
        yield Step(
            span=end - begin, decoding=len(members) - len(fresh),
            prompts=tuple(map(float, computed)), plain=not fresh and not waiting,
        )  # fmt: skip


def filled(found: Iterable[Step], slots: int) -> Iterator[Step]:
    """Yield the steps that follow once as many prompts as there are slots were completed."""
    seen = 0
    for step in found:
        if seen >= slots:
            yield step
        seen += len(step.prompts)


Came = tuple[float, int]
"""When a token came, and of which request."""


def _together(came: Sequence[Came], apart: float) -> Iterator[list[Came]]:
    group = list[Came]()
    members = set[int]()
    for at, n in came:
        if group and (at - group[-1][0] > apart or n in members):
            yield group
            group, members = list[Came](), set[int]()
        group.append((at, n))
        members.add(n)
    yield group


def _usual_gap(shots: Sequence[Shot]) -> Seconds:
    return float(np.median([gap for shot in shots for gap in shot.gaps]))


def _run(endpoint: Endpoint, clients: int, lengths: Lengths, seed: int, warm: int = 0) -> Bench:
    prompts, outputs = lengths
    trace = Trace(
        arrival=np.zeros(len(prompts)), input_tokens=prompts, output_tokens=outputs, name="sweep"
    )
    return bench(endpoint, jobs_of(trace, seed), Load(clients=clients, warm=warm))
