"""The simulator's naive twin: one step at a time, asking `perf.roofline.step_time` for each.

Written from the scheduler's rules alone; it shares no code with the loop it checks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from inferometer.perf.roofline import Batch, Machine, step_time
from inferometer.simulate.state import Limits
from inferometer.workload.trace import Floats, Trace


@dataclass(slots=True)
class Sequence:
    """One request as the twin sees it."""

    number: int
    arrival: float
    prompt: int
    output: int
    computed: int = 0
    produced: int = 0
    admitted: float = -1.0
    first_token: float = -1.0
    finished: float = -1.0
    preemptions: int = 0
    decoding: bool = False
    rejected: bool = False

    @property
    def wanted(self) -> int:
        return self.prompt + self.produced


@dataclass(slots=True)
class Replica:
    """One replica as the twin sees it: `running` in order of admission."""

    now: float = 0.0
    end: float = np.inf
    waiting: list[Sequence] = field(default_factory=list)
    running: list[Sequence] = field(default_factory=list)
    chunks: dict[int, int] = field(default_factory=dict)
    decoding: list[Sequence] = field(default_factory=list)

    @property
    def load(self) -> int:
        return len(self.waiting) + len(self.running)


Router = Callable[[Sequence, list[Replica]], int]


def play(
    trace: Trace, machine: Machine, limits: Limits, replicas: list[Replica], route: Router
) -> list[Sequence]:
    """Return every request after the run."""
    columns = zip(trace.arrival - trace.arrival[0], trace.input_tokens, trace.output_tokens,
                  strict=True)  # fmt: skip
    everyone = [
        Sequence(i, float(a), max(1, int(p)), max(1, int(o))) for i, (a, p, o) in enumerate(columns)
    ]
    coming = list(everyone)
    while coming or any(replica.end < np.inf for replica in replicas):
        first = min(replicas, key=lambda replica: replica.end)
        if coming and coming[0].arrival <= first.end:
            arrive(coming.pop(0), machine, limits, replicas, route)
        else:
            end_step(first)
            begin_step(first, machine, limits)
    return everyone


def arrive(
    sequence: Sequence, machine: Machine, limits: Limits, replicas: list[Replica], route: Router
) -> None:
    whole = sequence.prompt + sequence.output
    if sequence.prompt >= limits.longest or blocks(whole, limits) > limits.blocks:
        sequence.rejected = True
        return
    replica = replicas[route(sequence, replicas)]
    replica.waiting.append(sequence)
    if replica.end == np.inf:
        replica.now = sequence.arrival
        begin_step(replica, machine, limits)


def blocks(tokens: int, limits: Limits) -> int:
    return -(-tokens // limits.block)


def used(replica: Replica, limits: Limits) -> int:
    """A decoding sequence has blocks for what is computed, another at once for its whole prompt."""
    tokens = [s.computed if decodes(s) else s.wanted for s in replica.running]
    return sum(blocks(count, limits) for count in tokens)


def decodes(sequence: Sequence) -> bool:
    """A sequence decodes from its first token since admission on."""
    return sequence.decoding


def begin_step(replica: Replica, machine: Machine, limits: Limits) -> None:
    replica.chunks = {}
    starved = preempt(replica, limits)
    decoding = decoders(replica)
    left = limits.budget - len(decoding)
    for sequence in replica.running:
        if sequence not in decoding:
            left -= chunk(replica, sequence, left)
    due = growth(replica, limits)
    while not starved and replica.waiting and left > 0 and len(replica.running) < limits.sequences:
        sequence = replica.waiting[0]
        if blocks(sequence.wanted, limits) + used(replica, limits) + due > limits.blocks:
            break
        replica.running.append(replica.waiting.pop(0))
        sequence.computed = 0
        if sequence.admitted < 0:
            sequence.admitted = replica.now
        left -= chunk(replica, sequence, left)
    replica.decoding = decoding
    replica.end = replica.now + duration(replica, machine) if replica.running else np.inf


def decoders(replica: Replica) -> list[Sequence]:
    return [sequence for sequence in replica.running if decodes(sequence)]


def growth(replica: Replica, limits: Limits) -> int:
    return sum(s.computed % limits.block == 0 for s in decoders(replica))


def preempt(replica: Replica, limits: Limits) -> bool:
    starved = False
    while blocks_after(replica, limits) > limits.blocks:
        sequence = replica.running.pop()
        sequence.computed = 0
        sequence.decoding = False
        sequence.preemptions += 1
        replica.waiting.insert(0, sequence)
        starved = True
    return starved


def blocks_after(replica: Replica, limits: Limits) -> int:
    return used(replica, limits) + growth(replica, limits)


def chunk(replica: Replica, sequence: Sequence, left: int) -> int:
    count = min(left, sequence.wanted - sequence.computed)
    replica.chunks[sequence.number] = count
    return count


def duration(replica: Replica, machine: Machine) -> float:
    reaches = np.array(machine.shard.reaches)[:, None]
    contexts = np.array([s.computed + 1 for s in replica.decoding], dtype=float)
    seen = np.concatenate([
        np.arange(s.computed + 1, s.computed + replica.chunks[s.number] + 1, dtype=float)
        for s in replica.running if s.number in replica.chunks
    ] or [np.zeros(0)])  # fmt: skip
    batch = Batch(
        sequences=np.array([float(len(contexts))]),
        context=mean_visible(contexts, reaches),
        prefill=np.array([float(len(seen))]),
        prefill_context=mean_visible(seen, reaches),
    )
    return float(step_time(batch, machine).total[0])


def mean_visible(positions: Floats, reaches: Floats) -> Floats:
    if not len(positions):
        return np.zeros((len(reaches), 1))
    return np.minimum(positions[None, :], reaches).mean(axis=1, keepdims=True)


def end_step(replica: Replica) -> None:
    replica.now = replica.end
    for sequence in list(replica.running):
        if sequence.number in replica.chunks:
            sequence.computed += replica.chunks[sequence.number]
            if sequence.computed == sequence.wanted:
                token(replica, sequence)
        elif sequence in replica.decoding:
            sequence.computed += 1
            token(replica, sequence)


def token(replica: Replica, sequence: Sequence) -> None:
    sequence.produced += 1
    sequence.decoding = True
    if sequence.first_token < 0:
        sequence.first_token = replica.now
    if sequence.produced == sequence.output:
        sequence.finished = replica.now
        replica.running.remove(sequence)
