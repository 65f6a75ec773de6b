"""The simulator's naive twin: one step at a time, asking `perf.roofline.step_time` for each.

Written from the scheduler's rules alone; it shares no code with the loop it checks. What a lane
holds is added up anew whenever it is asked for.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from inferometer.perf.roofline import Batch, Machine, step_time
from inferometer.simulate.coefficients import StepCoefficients
from inferometer.simulate.limits import Limits
from inferometer.simulate.state import (
    WHOLE,
)
from inferometer.workload.trace import Floats, Ints, Trace


@dataclass(slots=True)
class Sequence:
    """One request as the twin sees it."""

    number: int
    arrival: float
    prompt: int
    output: int
    priority: int = 0
    hashes: list[int] = field(default_factory=list)
    computed: int = 0
    begun: int = 0
    shared: int = 0
    produced: int = 0
    cached: int = 0
    admitted: float = -1.0
    first_token: float = -1.0
    finished: float = -1.0
    preemptions: int = 0
    decoding: bool = False
    handed: bool = False
    rejected: bool = False

    @property
    def wanted(self) -> int:
        return self.prompt + self.produced


@dataclass(slots=True)
class Replica:
    """One replica as the twin sees it: `running` in order of admission."""

    prefills: bool = False
    now: float = 0.0
    end: float = np.inf
    waiting: list[Sequence] = field(default_factory=list)
    running: list[Sequence] = field(default_factory=list)
    chunks: dict[int, int] = field(default_factory=dict)
    decoding: list[Sequence] = field(default_factory=list)
    users: dict[int, int] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    idle: OrderedDict[int, int] = field(default_factory=OrderedDict)
    hosted: OrderedDict[int, int] = field(default_factory=OrderedDict)
    fetched: int = 0
    carry: int = 0
    link: float = 0.0
    closed: bool = False

    @property
    def load(self) -> int:
        return len(self.waiting) + len(self.running)


Router = Callable[[Sequence, list[Replica]], int]


@dataclass(frozen=True, slots=True)
class Rules:
    """What all replicas obey."""

    machine: Machine
    limits: Limits
    step: StepCoefficients

    @property
    def rings(self) -> list[tuple[int, int]]:
        """Window and pages per block of the layers that drop what leaves it."""
        return [
            (int(reach), int(pages))
            for reach, pages in zip(self.step.reaches, self.step.pages, strict=True)
            if pages > 0
        ]

    def blocks(self, tokens: int) -> int:
        return -(-tokens // self.limits.block)


def play(
    trace: Trace,
    rules: Rules,
    replicas: list[Replica],
    route: Router,
    priorities: Ints | None = None,
) -> list[Sequence]:
    """Return every request after the run."""
    everyone = sequences(trace, priorities)
    coming, moving = list(everyone), list[tuple[float, Sequence]]()
    entries = [r for r in replicas if r.prefills] or replicas
    while coming or moving or any(replica.end < np.inf for replica in replicas):
        first = min(replicas, key=lambda replica: replica.end)
        moving.sort(key=lambda pair: pair[0])
        landed = moving[0][0] if moving else np.inf
        if coming and coming[0].arrival <= min(first.end, landed):
            sequence = coming.pop(0)
            arrive(sequence, sequence.arrival, rules, entries, route)
        elif landed <= first.end:
            instant, sequence = moving.pop(0)
            arrive(sequence, instant, rules, [r for r in replicas if not r.prefills], route)
        else:
            moving += end_step(first, rules)
            begin_step(first, rules)
    return everyone


def sequences(trace: Trace, priorities: Ints | None) -> list[Sequence]:
    found = []
    for i in range(len(trace)):
        hashes = list[int]()
        if trace.prefixes is not None:
            start, end = trace.prefixes.offsets[i : i + 2]
            hashes = [int(item) for item in trace.prefixes.hashes[start:end]]
        found.append(
            Sequence(
                number=i,
                arrival=float(trace.arrival[i] - trace.arrival[0]),
                prompt=max(1, int(trace.input_tokens[i])),
                output=max(1, int(trace.output_tokens[i])),
                priority=0 if priorities is None else int(priorities[i]),
                hashes=hashes,
            )
        )
    return found


def arrive(
    sequence: Sequence, instant: float, rules: Rules, replicas: list[Replica], route: Router
) -> None:
    whole = sequence.prompt + sequence.output
    if sequence.prompt >= rules.limits.longest or most(whole, rules) > rules.limits.blocks:
        sequence.rejected = True
        return
    replica = replicas[route(sequence, replicas)]
    ahead = [other for other in replica.waiting if other.priority <= sequence.priority]
    replica.waiting.insert(len(ahead), sequence)
    if replica.end == np.inf:
        replica.now = instant
        begin_step(replica, rules)


def pages(sequence: Sequence, rules: Rules) -> int:
    """A decoding sequence has pages for what is computed, a prompt for what is scheduled of it."""
    count = rules.blocks(sequence.computed)
    total = count * rules.limits.full + rules.limits.overhead
    for window, weight in rules.rings:
        if sequence.decoding:
            total += weight * min(count, rules.blocks(window - 1) + 1)
        else:
            total += weight * (count - max(0, sequence.begun - window + 1) // rules.limits.block)
    return total


def most(tokens: int, rules: Rules) -> int:
    count = rules.blocks(tokens)
    total = count * rules.limits.full + rules.limits.overhead
    for window, weight in rules.rings:
        total += weight * min(count, rules.blocks(window - 1 + rules.limits.budget) + 1)
    return total


def unit(sequence: Sequence, place: int, rules: Rules) -> int:
    tokens = min(rules.limits.hashed, sequence.prompt - place * rules.limits.hashed)
    return tokens // rules.limits.block * rules.limits.full


def used(replica: Replica, rules: Rules) -> int:
    """Pages of all sequences, those that several share counted once."""
    own = sum(
        pages(s, rules) - sum(unit(s, place, rules) for place in range(s.shared))
        for s in replica.running
    )
    return own + sum(replica.sizes[item] for item in replica.users)


def evict(replica: Replica, rules: Rules) -> None:
    while replica.idle and used(replica, rules) + sum(replica.idle.values()) > rules.limits.blocks:
        item, size = replica.idle.popitem(last=False)
        if rules.limits.hosted:
            replica.hosted[item] = size
        while sum(replica.hosted.values()) > rules.limits.hosted:
            replica.hosted.popitem(last=False)


def share(replica: Replica, sequence: Sequence, until: int, rules: Rules) -> None:
    """Hold hashed blocks in common with others."""
    for place in range(sequence.shared, until):
        item = sequence.hashes[place]
        if item not in replica.users:
            size = replica.idle.pop(item, replica.hosted.pop(item, None))
            replica.sizes[item] = unit(sequence, place, rules) if size is None else size
        replica.users[item] = replica.users.get(item, 0) + 1
    sequence.shared = max(sequence.shared, until)


def give_back(replica: Replica, sequence: Sequence) -> None:
    for place in reversed(range(sequence.shared)):
        item = sequence.hashes[place]
        replica.users[item] -= 1
        if replica.users[item] == 0:
            del replica.users[item]
            replica.idle[item] = replica.sizes[item]
    sequence.shared = 0
    replica.running.remove(sequence)


def begin_step(replica: Replica, rules: Rules) -> None:
    replica.chunks.clear()
    replica.fetched = 0
    starved = preempt(replica, rules)
    for sequence in replica.running:
        if not sequence.decoding:
            chunk(replica, sequence, rules)
    if not replica.running:
        replica.closed = False
    while not starved and admissible(replica, rules):
        admit(replica, replica.waiting.pop(0), rules)
    alone = replica.chunks and not rules.limits.chunked
    replica.decoding = [] if alone else decoders(replica)
    replica.closed = replica.closed or bool(replica.decoding)
    replica.end = replica.now + duration(replica, rules) if replica.running else np.inf


def decoders(replica: Replica) -> list[Sequence]:
    return [sequence for sequence in replica.running if sequence.decoding]


def left(replica: Replica, rules: Rules) -> int:
    decoding = len(decoders(replica)) * rules.limits.queries
    return rules.limits.budget - decoding - sum(replica.chunks.values())


def growth(replica: Replica, rules: Rules) -> int:
    """Pages that the decoding sequences take in the next step."""
    ahead = tokens_of(replica, rules)
    return sum(
        pages(replace(s, computed=s.computed + ahead), rules) - pages(s, rules)
        for s in decoders(replica)
    )


def tokens_of(replica: Replica, rules: Rules) -> int:
    return (replica.carry + rules.limits.stride) // WHOLE


def preempt(replica: Replica, rules: Rules) -> bool:
    starved = False
    while not fits(replica, rules):
        lowest = max(sequence.priority for sequence in replica.running)
        sequence = [s for s in replica.running if s.priority == lowest][-1]
        give_back(replica, sequence)
        sequence.computed, sequence.decoding = 0, False
        sequence.preemptions += 1
        ahead = [other for other in replica.waiting if other.priority < sequence.priority]
        replica.waiting.insert(len(ahead), sequence)
        starved = True
    return starved


def fits(replica: Replica, rules: Rules) -> bool:
    """Whether the next step has room: its tokens, and the next chunk of a prompt begun before."""
    wanted = used(replica, rules) + growth(replica, rules)
    for sequence in replica.running:
        if not sequence.decoding and wanted <= rules.limits.blocks:
            later = replace(
                sequence,
                begun=sequence.computed,
                computed=sequence.computed + size(replica, sequence, rules),
            )
            wanted += pages(later, rules) - pages(sequence, rules)
    return wanted <= rules.limits.blocks


def admissible(replica: Replica, rules: Rules) -> bool:
    limits = rules.limits
    full = len(replica.running) >= limits.sequences
    busy = any(not s.decoding and s.computed < s.wanted for s in replica.running)
    if not replica.waiting or full or busy or (limits.static and replica.closed):
        return False
    sequence = replica.waiting[0]
    free = limits.blocks - used(replica, rules) - growth(replica, rules)
    if sequence.handed:
        room = left(replica, rules) >= limits.queries
        return room and most(sequence.prompt + limits.queries, rules) <= free
    common = [item for item in sequence.hashes if item in replica.users]
    places = [sequence.hashes.index(item) for item in common]
    wanted = most(sequence.wanted, rules) - sum(unit(sequence, p, rules) for p in places)
    if wanted > free:
        return False
    if limits.chunked:
        return left(replica, rules) > 0
    prefill = sum(replica.chunks.values())
    return prefill == 0 or prefill + sequence.wanted <= limits.budget


def admit(replica: Replica, sequence: Sequence, rules: Rules) -> None:
    replica.running.append(sequence)
    if sequence.admitted < 0:
        sequence.admitted = replica.now
    if sequence.handed:
        sequence.handed, sequence.decoding = False, True
        sequence.computed, sequence.produced = sequence.prompt, 1
        sequence.first_token = replica.now
        evict(replica, rules)
        return
    sequence.computed = found(replica, sequence, rules)
    places = -(-sequence.computed // rules.limits.hashed)
    if sequence.preemptions == 0:
        sequence.cached = sequence.computed
    replica.fetched += sum(replica.hosted.get(item, 0) for item in sequence.hashes[:places])
    sequence.begun = sequence.computed
    share(replica, sequence, places, rules)
    chunk(replica, sequence, rules)


def found(replica: Replica, sequence: Sequence, rules: Rules) -> int:
    """Prompt tokens that the cache serves; the last is always computed."""
    hits = 0
    for item in sequence.hashes:
        if item not in replica.users and item not in replica.idle and item not in replica.hosted:
            break
        hits += 1
    block = rules.limits.block
    return min(hits * rules.limits.hashed, (sequence.prompt - 1) // block * block)


def size(replica: Replica, sequence: Sequence, rules: Rules) -> int:
    rest = sequence.wanted - sequence.computed
    return min(rest, left(replica, rules)) if rules.limits.chunked else rest


def chunk(replica: Replica, sequence: Sequence, rules: Rules) -> None:
    count = size(replica, sequence, rules)
    replica.chunks[sequence.number] = count
    sequence.begun = sequence.computed
    sequence.computed += count
    whole = sequence.computed >= sequence.prompt
    places = len(sequence.hashes) if whole else sequence.computed // rules.limits.hashed
    share(replica, sequence, min(places, len(sequence.hashes)), rules)
    evict(replica, rules)


def duration(replica: Replica, rules: Rules) -> float:
    """The step's time, with the draft's and with what must come from the host first."""
    reaches = np.array(rules.machine.shard.reaches)[:, None]
    lead = replica.carry / WHOLE  # tokens are whole, the mean context is not
    contexts = np.array([s.computed + 1 for s in replica.decoding], dtype=float)
    seen = np.concatenate([
        np.arange(s.begun + 1, s.computed + 1, dtype=float)
        for s in replica.running if s.number in replica.chunks
    ] or [np.zeros(0)])  # fmt: skip
    batch = Batch(
        sequences=np.array([float(len(contexts))]),
        context=mean_visible(contexts, reaches, lead),
        prefill=np.array([float(len(seen))]),
        prefill_context=mean_visible(seen, reaches),
        queries=float(rules.limits.queries),
    )
    total = float(step_time(batch, rules.machine).total[0])
    speculation = rules.machine.candidates.speculation
    if speculation is not None and len(contexts):
        alone = step_time(replace(batch, prefill=np.zeros(1), queries=1.0), rules.machine)
        total += speculation.draft_tokens * speculation.draft_cost * float(alone.total[0])
    return max(total, replica.fetched * rules.step.fetch)


def mean_visible(positions: Floats, reaches: Floats, lead: float = 0.0) -> Floats:
    if not len(positions):
        return np.zeros((len(reaches), 1))
    seen = np.where(positions[None, :] <= reaches, positions[None, :] + lead, reaches)
    return seen.mean(axis=1, keepdims=True)


def end_step(replica: Replica, rules: Rules) -> list[tuple[float, Sequence]]:
    """Return the requests that leave for a decode replica, and when they get there."""
    replica.now = replica.end
    count = tokens_of(replica, rules)
    for sequence in replica.decoding:
        sequence.computed += count
    if replica.decoding:
        replica.carry = (replica.carry + rules.limits.stride) % WHOLE
    evict(replica, rules)
    for sequence in sorted(replica.decoding, key=lambda s: s.output - s.produced):
        sequence.produced += count
        end_if_done(replica, sequence)
    moving = list[tuple[float, Sequence]]()
    for sequence in [s for s in replica.running if s.number in replica.chunks]:
        if sequence.computed == sequence.wanted:
            moving += first_token(replica, sequence, rules)
    return moving


def first_token(replica: Replica, sequence: Sequence, rules: Rules) -> list[tuple[float, Sequence]]:
    if replica.prefills and sequence.output > 1:
        give_back(replica, sequence)
        sequence.handed = True
        send = rules.step.handover_fixed + sequence.computed * rules.step.handover
        replica.link = max(replica.link, replica.now) + send
        return [(replica.link, sequence)]
    sequence.decoding = True
    sequence.produced += 1
    if sequence.first_token < 0:
        sequence.first_token = replica.now
    end_if_done(replica, sequence)
    return []


def end_if_done(replica: Replica, sequence: Sequence) -> None:
    if sequence.produced >= sequence.output:
        sequence.produced = sequence.output
        sequence.finished = replica.now
        give_back(replica, sequence)
