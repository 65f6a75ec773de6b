"""What the simulator's loop reads and writes: lanes, requests, limits, and the world they form.

A lane is what schedules on its own: one data-parallel rank (or pipeline micro-batch) of a replica.
`Lane` and `Request` are the only mutable records. A plain run holds lists of them; a compiled run
holds numpy arrays with the same fields (`rows`), so the same code reads both.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inferometer.simulate.coefficients import StepCoefficients
from inferometer.simulate.limits import Limits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Counters = NDArray[np.int32]

NEVER = float("inf")

WHOLE = 2**20
"""One token, in the unit of `Limits.stride` and `Lane.drift`: fractions that add up exactly."""

PART = 1 / WHOLE
"""That unit, tokens."""

WAITING, FINISHED, REJECTED, TIMED_OUT, LOST = 0, 1, 2, 3, 4
"""What became of a request: `Request.status`. `LOST` is one whose replica failed."""

RELEASED, SAMPLED, ENDED = 0, 1, 2
"""Places in `World.counters`: requests in the heap of released ones, samples taken, tasks of a
closed loop that have ended."""

COUNTERS = 3
"""Where `World.counters` goes on with the requests of each task of a closed loop that have not
ended."""

COMPLETION, DISPATCH = 0, 1
"""What of a predecessor lets a request go: its end, or its arrival. `World.triggers`."""


@dataclass(slots=True)
class Request:
    """One request: what a router may see of it, what only the engine knows, what became of it.

    Attributes:
        asked: When its user began to wait, s; inf until its predecessors are done.
        arrival: When it reached the router, the last time it was sent, s; inf before.
        prompt: Prompt tokens.
        output: Output tokens, at least 1; no policy reads it.
        session: Session, -1 if it names none.
        draw: Uniform in [0, 1) for routers that toss.
        priority: 0 for interactive, 1 for batch.
        group: Whose gaps between tokens it adds to: a row of `World.gaps`.
        pending: Predecessors that are not done.
        earliest: Earliest arrival that its predecessors so far allow, s.
        prepared: From asking to its first arrival: stages before the model, s.
        attempts: How often it was sent.
        doomed: Whether it leaves at the next step boundary, its time being out: 1 or 0.
        lane: Lane it was routed to, -1 before.
        status: `WAITING`, `FINISHED`, `REJECTED`, `TIMED_OUT` or `LOST`.
        admitted: When its first prompt token was scheduled, s.
        first_token: When its first output token left, s.
        finished: When its last output token left, s.
        last_token: When its latest token left that came of a prompt or before a preemption, s.
        computed: Tokens whose KV exists, before it decodes; 0 while it waits.
        pages: KV pages that its prompt has, before it decodes.
        entered: Hashed blocks of its prompt that it holds in common with others.
        handed: Whether its KV comes from a prefill lane: 1 or 0.
        produced: Output tokens so far; current at preemption, resumption and end.
        base: Context while decoding less the lane's step count.
        order: Its number in the lane's order of admission; the latest is preempted first.
        follower: Next request of the waiting queue, -1 for none.
        cached: Prompt tokens served from the prefix cache at first admission.
        preemptions: How often it was preempted.
    """

    asked: float
    arrival: float
    prompt: int
    output: int
    session: int
    draw: float
    priority: int
    group: int
    pending: int
    earliest: float
    prepared: float
    attempts: int
    doomed: int
    lane: int
    status: int
    admitted: float
    first_token: float
    finished: float
    last_token: float
    computed: int
    pages: int
    entered: int
    handed: int
    produced: int
    base: int
    order: int
    follower: int
    cached: int
    preemptions: int


@dataclass(slots=True)
class Lane:
    """One lane between two step boundaries.

    Attributes:
        now: Last step boundary, s.
        end: End of the planned jump, s; inf if idle.
        planned: Steps of that jump.
        decoding: Sequences that decode in it.
        prefill: Prompt tokens in it.
        steps: Steps taken while decoding.
        running: Sequences whose prompts are done.
        base: Sum of their `base`.
        used: KV pages in use.
        idle: KV pages that nobody uses, cached by hash.
        hosted: KV pages in the host's memory.
        fetched: Pages that come from there in this step.
        head: First waiting request, -1 for none.
        tail: Last waiting request, -1 for none.
        urgent: Last interactive one that waits, -1 for none.
        waiting: Requests waiting.
        partial: Request whose prompt is half done, -1 for none.
        ready: Requests whose prompts are done at the end of the jump.
        admissions: Requests admitted so far.
        opened: `steps` when a static batch began to gather.
        drift: Fraction of a token by which the sequences are ahead of `steps`, in 1/`WHOLE`.
        link: When the lane has sent the KV of all prompts it handed over, s.
        crossing: Step at which the next sequence outgrows a window.
        fixed: Step time beside attention, s.
        compute: Attention arithmetic of the first step, s.
        compute_slope: Its growth per step.
        memory: Attention memory traffic of the first step, s.
        memory_slope: Its growth per step.
        drafted_compute: Attention arithmetic of a draft in the first step, s.
        drafted_compute_slope: Its growth per step.
        drafted_memory: Its memory traffic in the first step; grows as `memory` does.
        matrix_compute: Arithmetic of a step beside attention, s.
        matrix_memory: Memory traffic of a step beside attention, s.
        stall: Time that decoding has been held up by prompts, s.
        plain_time: Time in steps without prompt tokens, s.
        plain_compute: Arithmetic in them, s.
        plain_memory: Memory traffic in them, s.
        mixed_time: Time in steps with prompt tokens, s.
        mixed_compute: Arithmetic in them, s.
        mixed_memory: Memory traffic in them, s.
        sequence_time: Integral of running sequences, s.
        block_time: Integral of blocks in use, s.
        preemptions: Preemptions.
    """

    now: float
    end: float
    planned: int
    decoding: int
    prefill: int
    steps: int
    running: int
    base: int
    used: int
    idle: int
    hosted: int
    fetched: int
    head: int
    tail: int
    urgent: int
    waiting: int
    partial: int
    ready: int
    admissions: int
    opened: int
    drift: int
    link: float
    crossing: int
    fixed: float
    compute: float
    compute_slope: float
    memory: float
    memory_slope: float
    drafted_compute: float
    drafted_compute_slope: float
    drafted_memory: float
    matrix_compute: float
    matrix_memory: float
    stall: float
    plain_time: float
    plain_compute: float
    plain_memory: float
    mixed_time: float
    mixed_compute: float
    mixed_memory: float
    sequence_time: float
    block_time: float
    preemptions: int


def empty_lane() -> Lane:
    """Return a lane at time 0 with nothing to do."""
    values = {field.name: field.type() for field in dataclasses.fields(Lane)}  # type: ignore[operator]
    values |= {"end": NEVER, "head": -1, "tail": -1, "urgent": -1, "partial": -1, "crossing": 2**62}
    return Lane(**values)


def empty_lists(length: int) -> Counters:
    """Return the links of the two lists of blocks, both empty: either end points at itself.

    Args:
        length: Hashes and the two ends.
    """
    links = np.full(length, length - 2, np.int32)
    links[-1] = length - 1
    return links


def dtype(record: type) -> np.dtype[Any]:
    """Return the numpy row of a mutable record."""
    kinds = {float: "f8", int: "i8"}
    return np.dtype([(f.name, kinds[f.type]) for f in dataclasses.fields(record)])  # type: ignore[index]


class World(NamedTuple):
    """Everything that one run reads and writes.

    Attributes:
        lanes: Lanes [lane].
        requests: Requests in order of number [request].
        heap: Decoding requests of each lane, the first to finish on top [lane, sequence].
        keys: Their last step and order of admission, in one number [lane, sequence].
        residues: Pages that decoding sequences take by the step, modulo the block
            [lane, block].
        ready: Requests whose prompts end with the jump [lane, sequence].
        growing: Per attention window: sequences inside it, the sum of their `base`, those beyond
            it [lane, reach, 3].
        visible: Sum of tokens that the step's prompt tokens see [lane, reach].
        gaps: Gaps between tokens, counted by logarithmic bucket [group, bucket].
        members: Decoding sequences by group [lane, group].
        loads: Requests that each lane holds [lane].
        released: Requests whose predecessors are done, a heap by arrival [request].
        due: Their arrivals, s [request].
        counters: See `RELEASED` and `COUNTERS` [3 + task].
        children: Who waits (`edges.Edges.after`), by what is waited for [edge].
        offsets: Where the children of each request begin, and of each end of a task of a closed
            loop [request + task + 1].
        delays: Think or tool time between the two, s [edge].
        triggers: `COMPLETION` or `DISPATCH` of the one waited for [edge].
        hashes: Prompt blocks by hash, and where each request's begin [hash], [request + 1].
        starts: See `hashes`.
        references: Sequences on each hash, `prefix.ABSENT` or `prefix.HOSTED` without the block
            [lane, hash].
        sizes: KV pages that it stands for [lane, hash].
        older: Next less recently used hash of those that nobody uses, or that the host alone holds;
            the ends of these two lists last [lane, hash + 2].
        newer: Next more recently used one.
        series: Running, waiting and blocks at regular times [bin, 3].
        interval: Time between those, s.
        mixed: Time of steps with prompt tokens: another clock may hold in them.
        step: Time of all other steps.
        limits: Engine settings.

    The last three are one lane's: a fleet of several kinds sets them lane by lane (`kinds.view`).
    """

    lanes: Sequence[Lane]
    requests: Sequence[Request]
    heap: Ints
    keys: Ints
    residues: Ints
    ready: Ints
    growing: Ints
    visible: Floats
    gaps: Ints
    members: Ints
    loads: Ints
    released: Ints
    due: Floats
    counters: Ints
    children: Ints
    offsets: Ints
    delays: Floats
    triggers: Ints
    hashes: Ints
    starts: Ints
    references: Counters
    sizes: Counters
    older: Counters
    newer: Counters
    series: Floats
    interval: float
    mixed: StepCoefficients
    step: StepCoefficients
    limits: Limits
