"""What happens to a fleet from outside, at its times: scaling, clocks, failures, preemptions.

Plain Python between two calls of the loop (`fleet.run`): the loop plays up to the next of these
events, which then changes lanes. A replica starts up, serves, drains and stops; it is paid from the
first to the last.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.simulate.faults import Faults, Outage
from inferometer.simulate.fleet import HELD, Fleet, flush, set_clock
from inferometer.simulate.jump import interrupt
from inferometer.simulate.kinds import BLOCKS, view
from inferometer.simulate.metrics import Metrics, look
from inferometer.simulate.outage import stop
from inferometer.simulate.play import Play
from inferometer.simulate.pools import Pool, set_open
from inferometer.simulate.replica import DRAINING, OFF, READY, STARTING, Life, Slot
from inferometer.simulate.scaling import Scaling, Signals, wanted
from inferometer.simulate.state import NEVER
from inferometer.simulate.supply import Supply, Watch, with_records
from inferometer.simulate.throttle import THROTTLES

PATIENCE = 86400.0
"""Seconds for which a policy may leave requests at the gateway when nothing else happens."""

TICKS = 100
"""Times at which who watches a run hears of it."""

Loop = Callable[[Fleet, float], float]


@dataclass(slots=True)
class Control:
    """The control plane of one run.

    Of `fleet` plain Python reads and writes records by field; `played` is the same for the loop.
    """

    fleet: Fleet
    played: Fleet
    pools: Sequence[Pool]
    play: Play
    slots: list[Slot]
    metrics: list[Metrics]
    wanted: list[int]
    levels: list[tuple[int, int]]
    lives: list[Life] = field(default_factory=list)
    events: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    count: int = 0
    more: bool = False
    watch: Watch | None = None


def operate(
    fleet: Fleet,
    pools: Sequence[Pool],
    play: Play,
    loop: Loop,
    *,
    supply: Supply | None = None,
    watch: Watch | None = None,
) -> Control:
    """Play a fleet to its end, or to the horizon; return what the control plane knows then.

    Args:
        fleet: The fleet, with its first requests.
        pools: What it is made of.
        play: How the workload is played.
        loop: `fleet.run`, as it is or compiled.
        supply: Where further requests come from.
        watch: Who wants to know how far it is.
    """
    control = control_of(fleet, pools, play)
    control.watch = watch
    begin(control)
    if supply is not None:
        expect(control, supply)
    elif watch is not None:
        last = control.fleet.world.requests[int(fleet.order[-1])].arrival
        for tick in np.linspace(0, float(last), TICKS):
            at(control, float(tick), watch)
    while True:
        following = control.events[0][0] if control.events else NEVER
        due = loop(control.played, min(following, play.horizon))
        held = fleet.counters[HELD] > 0 and following - fleet.clock[0] < PATIENCE
        idle = due == NEVER and not held and not control.more
        if following > play.horizon or following == NEVER or idle:
            break
        time, _, action = heapq.heappop(control.events)
        action(time)
        reap(control)
    finish(control)
    return control


def expect(control: Control, supply: Supply) -> None:
    """Note when the next part of the requests is needed."""
    control.more = supply.due() < NEVER
    at(control, supply.due(), _then(control, refill, supply))


def refill(control: Control, supply: Supply, now: float) -> None:
    """Take the next part of the requests."""
    control.played = supply.refill(control.played)
    control.fleet = with_records(control.played)
    for known in control.metrics:
        known.fleet = control.fleet
    if control.watch is not None:
        control.watch(now)
    expect(control, supply)


def control_of(fleet: Fleet, pools: Sequence[Pool], play: Play) -> Control:
    """Return the control plane over the lanes of `fleet`."""
    played, fleet = fleet, with_records(fleet)
    slots = list[Slot]()
    start = 0
    for number, pool in enumerate(pools):
        for _ in range(pool.most):
            lanes = range(start, start + pool.lanes_each)
            slots.append(Slot(number, lanes, np.random.default_rng([play.seed, 3, len(slots)])))
            start = lanes.stop
    blocks = fleet.kinds.limits[:, BLOCKS]
    return Control(
        fleet=fleet,
        played=played,
        pools=pools,
        play=play,
        slots=slots,
        metrics=[Metrics(fleet=fleet, blocks=int(blocks[k])) for k in range(len(pools))],
        wanted=[pool.deployment.replicas for pool in pools],
        levels=[(0, 0)] * len(pools),
    )


def begin(control: Control) -> None:
    """Open the replicas of the start, and note the first events."""
    play = control.play
    for number, pool in enumerate(control.pools):
        for slot in _of(control, number)[: pool.deployment.replicas]:
            serve(control, slot, slot.turn, 0.0)
    for outage in (play.faults or Faults()).outages:
        notice = min(outage.warning, outage.at)
        leave = _then(control, withdraw, _named(control, outage), notice)
        at(control, outage.at - notice, leave)
    for number in range(len(control.pools)):
        if play.scaling is not None and play.scaling.policy != "static":
            at(control, play.scaling.poll, _then(control, scale, number))
        if play.throttle is not None:
            at(control, 0.0, _then(control, throttle, number))


def _named(control: Control, outage: Outage) -> Slot:
    """Return the place of the replica that an outage names.

    Raises:
        ScenarioError: the pools start with fewer replicas.
    """
    started = [
        slot for number, pool in enumerate(control.pools)
        for slot in _of(control, number)[: pool.deployment.replicas]
    ]  # fmt: skip
    if outage.replica >= len(started):
        raise ScenarioError(
            f"faults.outages: replica {outage.replica} of {len(started)}; name one of those that "
            "the pools start with, from 0"
        )
    return started[outage.replica]


def at(control: Control, time: float, action: Callable[[float], None]) -> None:
    """Note an event; those of one instant happen in the order in which they were noted."""
    if time < NEVER:
        control.count += 1
        heapq.heappush(control.events, (time, control.count, action))


def _then(control: Control, action: Callable[..., None], *args: object) -> Callable[[float], None]:
    return lambda now: action(control, *args, now)


def _of(control: Control, pool: int, *states: str) -> list[Slot]:
    return [
        slot for slot in control.slots
        if slot.pool == pool and (not states or slot.state in states)
    ]  # fmt: skip


def start(control: Control, slot: Slot, now: float) -> None:
    """Ask for a replica; it serves after its start-up time."""
    scaling = control.play.scaling or Scaling()
    slot.state, slot.asked, slot.up, slot.closed = STARTING, now, NEVER, NEVER
    slot.turn += 1
    ready = now + slot.chance.uniform(scaling.startup_least, scaling.startup_most)
    at(control, ready, _then(control, serve, slot, slot.turn))


def serve(control: Control, slot: Slot, turn: int, now: float) -> None:
    """Let a replica take requests, unless it was given up in the meantime."""
    if slot.turn != turn or slot.state not in {OFF, STARTING}:
        return
    slot.state, slot.up = READY, now
    reopen(control)
    flush(control.fleet, now)
    faults = control.play.faults
    if faults is not None:
        fails, taken = slot.chance.exponential([faults.between, faults.spot])
        at(control, now + fails, _then(control, crash, slot, slot.turn))
        notice = min(faults.warning, taken)  # never before it serves
        at(control, now + (taken - notice), _then(control, reclaim, slot, slot.turn, notice))


def reopen(control: Control) -> None:
    """Tell the gateway which lanes take requests."""
    lanes = [lane for slot in control.slots if slot.state == READY for lane in slot.lanes]
    set_open(control.fleet, np.array(lanes, np.int64))


def drain(control: Control, slot: Slot, now: float) -> None:
    """Let a replica finish what it has and take no more."""
    slot.state, slot.closed = DRAINING, now
    reopen(control)


def reclaim(control: Control, slot: Slot, turn: int, warning: float, now: float) -> None:
    """Announce that a replica of that turn goes."""
    if slot.turn == turn:
        withdraw(control, slot, warning, now)


def withdraw(control: Control, slot: Slot, warning: float, now: float) -> None:
    """Announce that a replica goes: it drains, its replacement is asked for, then it stops."""
    if slot.state == READY:
        drain(control, slot, now)
    if slot.state != OFF:
        at(control, now + warning, _then(control, crash, slot, slot.turn))
    match_wanted(control, slot.pool, now)


def crash(control: Control, slot: Slot, turn: int, now: float) -> None:
    """Stop a replica with all that it holds, and ask for another."""
    if slot.turn != turn or slot.state == OFF:
        return
    for number in slot.lanes:
        stop(control.fleet, number, now)
    end(control, slot, now)
    match_wanted(control, slot.pool, now)


def end(control: Control, slot: Slot, now: float) -> None:
    """Stop paying for a replica."""
    closed = min(slot.closed, now)
    life = Life(pool=slot.pool, asked=slot.asked, up=slot.up, closed=closed, off=now)
    control.lives.append(life)
    slot.state = OFF
    slot.turn += 1
    reopen(control)


def reap(control: Control) -> None:
    """Stop the draining replicas that have nothing left, as of when they finished."""
    for slot in control.slots:
        if slot.state == DRAINING and not control.fleet.world.loads[slot.lanes].any():
            lanes = control.fleet.world.lanes
            end(control, slot, max(slot.closed, *(float(lanes[n].now) for n in slot.lanes)))


def scale(control: Control, pool: int, now: float) -> None:
    """Look at a pool, let its policy decide, and start or drain replicas."""
    scaling = control.play.scaling
    assert scaling is not None  # noqa: S101 - it is what noted this event
    signals = signals_of(control, pool, now)
    control.wanted[pool] = wanted(signals, control.play.scaling_of(control.pools[pool].deployment))
    match_wanted(control, pool, now)
    at(control, now + scaling.poll, _then(control, scale, pool))


def signals_of(control: Control, pool: int, now: float) -> list[Signals]:
    """Take the signals of a pool; return all so far."""
    up = _of(control, pool, READY)
    lanes = [lane for slot in up for lane in slot.lanes]
    starting = len(_of(control, pool, STARTING))
    return look(control.metrics[pool], now, len(up), starting, lanes)


def match_wanted(control: Control, pool: int, now: float) -> None:
    """Start or drain replicas until those that serve or start up are as many as wanted.

    Those that start up go first, then the least loaded: what they hold is done soonest.
    """
    alive = _of(control, pool, READY, STARTING)
    missing = control.wanted[pool] - len(alive)
    for slot in _of(control, pool, OFF)[: max(missing, 0)]:
        start(control, slot, now)
    loads = control.fleet.world.loads
    spare = sorted(alive, key=lambda slot: (slot.state == READY, loads[slot.lanes].sum()))
    for slot in spare[: max(-missing, 0)]:
        if slot.state == STARTING:
            end(control, slot, now)
            continue
        drain(control, slot, now)
        grace = control.play.scaling.grace if control.play.scaling else math.inf
        at(control, now + grace, _then(control, crash, slot, slot.turn))


def throttle(control: Control, pool: int, now: float) -> None:
    """Look at a pool and set its clocks for the steps to come."""
    policy = control.play.throttle
    assert policy is not None  # noqa: S101 - it is what noted this event
    before = control.levels[pool]
    levels = THROTTLES[policy.policy](signals_of(control, pool, now), before, policy)
    if levels != before:
        control.levels[pool] = levels
        first = sum(len(other.machines) for other in control.pools[:pool])
        for slot in _of(control, pool):
            for number in slot.lanes:
                clock(control.fleet, number, first + levels[1], first + levels[0], now)
    if policy.policy != "fixed":
        at(control, now + policy.poll, _then(control, throttle, pool))


def clock(fleet: Fleet, number: int, plain: int, mixed: int, now: float) -> None:
    """Let a lane have other step times from its next boundary on."""
    fleet.plain[number], fleet.mixed[number] = plain, mixed
    lane = fleet.world.lanes[number]
    if lane.planned == 0:
        set_clock(fleet, number)
        return
    fleet.notice[number] = 1
    if lane.planned > 1:
        interrupt(view(fleet.world, fleet.kinds, number), number, now)


def finish(control: Control) -> None:
    """Book what lanes have done, and end the lives of all replicas with the run."""
    last = float(control.fleet.clock[0])
    reap(control)
    for number in range(len(control.fleet.world.lanes)):
        set_clock(control.fleet, number)
    for slot in control.slots:
        if slot.state != OFF:
            end(control, slot, max(last, slot.asked))
