"""The fleet's clock: arrivals, step boundaries and deadlines of all lanes, in order of time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inferometer.simulate.abort import drop, expire, fail, refuse
from inferometer.simulate.blocks import most_held
from inferometer.simulate.engine import commit, schedule
from inferometer.simulate.jump import interrupt
from inferometer.simulate.kinds import LONGEST, SEQUENCES, Kinds, view
from inferometer.simulate.limits import Rules
from inferometer.simulate.prefix import matched
from inferometer.simulate.queue import append
from inferometer.simulate.release import resolve, take
from inferometer.simulate.router import AFFINE, THRIFTY, Offers, Visible, choose
from inferometer.simulate.state import (
    DISPATCH,
    NEVER,
    REJECTED,
    RELEASED,
    TIMED_OUT,
    WAITING,
    Floats,
    Ints,
    Lane,
    Request,
    World,
)
from inferometer.simulate.tally import sample

PLACE, ARRIVED, OPEN, HELD, FIRST, LAST, LOGGED, EXPIRED = 0, 1, 2, 3, 4, 5, 6, 7
"""Places in `Fleet.counters`: the next of `order`, arrivals, open lanes, requests held at the
gateway, its first and last request, deadlines noted, deadlines gone by."""


class Fleet(NamedTuple):
    """All lanes behind one gateway.

    Attributes:
        world: What the engines read and write.
        kinds: Step times and limits by kind of lane.
        rules: What the gateway obeys.
        order: Requests without predecessors, by arrival.
        open: Lanes that take requests, rising; `counters[OPEN]` of them [lane].
        notice: Whether a lane has something to do at its next boundary beside steps: 1 or 0 [lane].
        plain: Step kind that a lane's plain steps have from its next boundary on [lane].
        mixed: The same of steps with prompt tokens [lane].
        spent: Time, arithmetic and traffic of plain and of mixed steps, s, booked to step kinds
            [step kind, 6].
        booked: What of a lane's sums is booked already, s [lane, 6].
        deadlines: Requests in the order of their deadlines [attempt].
        sent: When each was sent, s [attempt].
        worth: Expected cost of a request on a lane, and of each of its prompt tokens [lane, 2].
        offers: Scratch of the router.
        clock: Instant of the latest event, s [1].
        counters: See `PLACE` [8].
    """

    world: World
    kinds: Kinds
    rules: Rules
    order: Ints
    open: Ints
    notice: Ints
    plain: Ints
    mixed: Ints
    spent: Floats
    booked: Floats
    deadlines: Ints
    sent: Floats
    worth: Floats
    offers: Offers
    clock: Floats
    counters: Ints


def run(fleet: Fleet, until: float) -> float:
    """Play everything up to `until`; return when the next event is due, inf for never.

    Between events at one instant arrivals come first, those without predecessors before others,
    then step boundaries, then deadlines.
    """
    world, counters = fleet.world, fleet.counters
    while True:
        number = earliest(world.lanes)
        opened = next_opened(world.requests, fleet.order, counters)
        freed = world.due[0] if world.counters[RELEASED] > 0 else NEVER
        expiring = next_deadline(world.requests, fleet.deadlines, fleet.sent, counters)
        expiring += fleet.rules.timeout
        boundary, coming = world.lanes[number].end, min(opened, freed)
        instant = min(boundary, coming, expiring)
        if instant == NEVER or instant > until:
            return instant
        fleet.clock[0] = instant
        sample(world, instant)
        if boundary < coming and boundary <= expiring:
            advance(fleet, number)
        elif coming > expiring:
            give_up(fleet, instant)
        else:
            latest = take(world) if freed < opened else next_in(fleet.order, counters)
            arrive(fleet, latest, instant)


# NOTE: what follows takes arrays, not the fleet, where it can: numba compiles a function in time
# with the size of its arguments.


def earliest(lanes: Sequence[Lane]) -> int:
    """Return the lane whose jump ends first."""
    best = 0
    for number in range(1, len(lanes)):
        if lanes[number].end < lanes[best].end:
            best = number
    return best


def next_opened(requests: Sequence[Request], order: Ints, counters: Ints) -> float:
    """Return when the next request without predecessors arrives."""
    place = counters[PLACE]
    return requests[order[place]].arrival if place < len(order) else NEVER


def next_deadline(
    requests: Sequence[Request], deadlines: Ints, sent: Floats, counters: Ints
) -> float:
    """Return when the first request was sent that has not been answered since."""
    while counters[EXPIRED] < counters[LOGGED]:
        request = requests[deadlines[counters[EXPIRED]]]
        if request.status == WAITING and request.arrival == sent[counters[EXPIRED]]:
            return sent[counters[EXPIRED]]
        counters[EXPIRED] += 1
    return NEVER


def next_in(order: Ints, counters: Ints) -> int:
    """Take the next request without predecessors."""
    counters[PLACE] += 1
    return int(order[counters[PLACE] - 1])


def advance(fleet: Fleet, number: int) -> None:
    """Commit the jump of a lane, then plan the next."""
    seen = view(fleet.world, fleet.kinds, number)
    commit(seen, number)
    if fleet.notice[number] == 1:  # requests whose time is out leave, clocks change
        fleet.notice[number] = 0
        drop(seen, fleet.rules, number)
        set_clock(fleet, number)
        seen = view(fleet.world, fleet.kinds, number)
    schedule(seen, number)


def set_clock(fleet: Fleet, number: int) -> None:
    """Book a lane's sums so far to its step kinds, and take the ones that were asked for."""
    kinds = fleet.kinds
    book(fleet.world.lanes[number], fleet.booked[number], fleet.spent[kinds.plain[number], :3],
         fleet.spent[kinds.mixed[number], 3:])  # fmt: skip
    kinds.plain[number] = fleet.plain[number]
    kinds.mixed[number] = fleet.mixed[number]


def book(lane: Lane, booked: Floats, plain: Floats, mixed: Floats) -> None:
    """Book what a lane has done since the last time to the step kinds that it has."""
    owed = (
        lane.plain_time, lane.plain_compute, lane.plain_memory,
        lane.mixed_time, lane.mixed_compute, lane.mixed_memory,
    )  # fmt: skip
    for place in range(3):
        plain[place] += owed[place] - booked[place]
        mixed[place] += owed[place + 3] - booked[place + 3]
    for place in range(6):
        booked[place] = owed[place]


def arrive(fleet: Fleet, latest: int, instant: float) -> None:
    """Take a request at the gateway, for the first time or again."""
    world, counters = fleet.world, fleet.counters
    request = world.requests[latest]
    if request.handed == 1:
        deliver(fleet, latest, instant)
        return
    counters[ARRIVED] += 1
    request.arrival = instant
    request.attempts += 1
    if request.attempts == 1:
        resolve(world, latest, instant, DISPATCH)
    if fleet.rules.timeout < NEVER:
        fleet.deadlines[counters[LOGGED]] = latest
        fleet.sent[counters[LOGGED]] = instant
        counters[LOGGED] += 1
    if counters[OPEN] > 0:
        dispatch(fleet, latest, instant, counters[ARRIVED] - 1)
    elif counters[HELD] < fleet.rules.gate:
        hold(world.requests, counters, latest)
    else:
        refuse(world, fleet.rules, latest, instant, REJECTED)


def dispatch(fleet: Fleet, latest: int, instant: float, turn: int) -> None:
    """Route a request to a lane, or turn it away: it can never fit, or queues are full."""
    world, rules = fleet.world, fleet.rules
    request = world.requests[latest]
    count = gather(fleet, latest)
    if count == 0:
        fail(world, latest, instant, REJECTED)
        return
    visible = Visible(turn, request.prompt, request.session, request.draw)
    place = choose(rules.router, visible, first(fleet.offers, count))
    number = int(fleet.offers.lanes[place])
    seen = view(world, fleet.kinds, number)
    if not can_ever_fit(seen, latest):
        fail(world, latest, instant, REJECTED)
    elif world.lanes[number].waiting >= rules.queue:
        refuse(world, rules, latest, instant, REJECTED)
    else:
        request.lane = number
        world.loads[number] += 1
        enqueue(seen, number, latest, instant)


def deliver(fleet: Fleet, latest: int, instant: float) -> None:
    """Give a request whose KV has come to the decode lane that holds the fewest requests."""
    world = fleet.world
    first_one = world.limits.prefillers
    number = first_one + int(np.argmin(world.loads[first_one:]))
    world.requests[latest].lane = number
    world.loads[number] += 1
    enqueue(view(world, fleet.kinds, number), number, latest, instant)


def gather(fleet: Fleet, latest: int) -> int:
    """Write down the open lanes whose context takes the prompt; return how many."""
    offers, kinds, count = fleet.offers, fleet.kinds, 0
    prompt = fleet.world.requests[latest].prompt
    most = fleet.counters[OPEN]
    if fleet.world.limits.prefillers > 0:
        most = fleet.world.limits.prefillers
    for place in range(most):
        number = fleet.open[place]
        if prompt < kinds.limits[kinds.limit[number], LONGEST]:
            offers.lanes[count] = number
            offers.loads[count] = fleet.world.loads[number]
            offers.seats[count] = kinds.limits[kinds.limit[number], SEQUENCES]
            count += 1
    if fleet.rules.router == AFFINE:
        for place in range(count):
            seen = view(fleet.world, kinds, offers.lanes[place])
            offers.matches[place] = matched(seen, offers.lanes[place], latest)
    elif fleet.rules.router == THRIFTY:
        for place in range(count):
            worth = fleet.worth[offers.lanes[place]]
            offers.costs[place] = worth[0] + worth[1] * prompt
    return count


def first(offers: Offers, count: int) -> Offers:
    """Return the first `count` offers."""
    return Offers(
        offers.lanes[:count], offers.loads[:count], offers.matches[:count], offers.costs[:count],
        offers.seats[:count],
    )  # fmt: skip


def can_ever_fit(world: World, latest: int) -> bool:
    """Return whether a request fits into an empty lane, prompt and output."""
    limits = world.limits
    whole = world.requests[latest].prompt + world.requests[latest].output
    return most_held(world, whole) <= limits.blocks and (
        limits.chunked == 1 or whole <= limits.budget
    )


def hold(requests: Sequence[Request], counters: Ints, latest: int) -> None:
    """Keep a request at the gateway until a lane opens."""
    requests[latest].follower = -1
    if counters[HELD] == 0:
        counters[FIRST] = latest
    else:
        requests[counters[LAST]].follower = latest
    counters[LAST] = latest
    counters[HELD] += 1


def unhold(requests: Sequence[Request], counters: Ints) -> int:
    """Take the first request that the gateway holds."""
    latest = int(counters[FIRST])
    counters[FIRST] = requests[latest].follower
    counters[HELD] -= 1
    return latest


def flush(fleet: Fleet, instant: float) -> None:
    """Route the requests that the gateway holds, in order, if a lane is open."""
    counters = fleet.counters
    while counters[HELD] > 0 and counters[OPEN] > 0:
        turn = counters[ARRIVED] - counters[HELD]
        dispatch(fleet, unhold(fleet.world.requests, counters), instant, turn)


def enqueue(world: World, number: int, latest: int, instant: float) -> None:
    """Add a request to a lane's queue; cut the jump if the request may join the next step."""
    lane = world.lanes[number]
    append(world, number, latest)
    if lane.planned == 0:
        lane.now = instant
        schedule(world, number)
    elif lane.head == latest and lane.planned > 1 and lane.running < world.limits.sequences:
        interrupt(world, number, instant)


def give_up(fleet: Fleet, instant: float) -> None:
    """Let the client of the next deadline go; of those at the gateway it is the first."""
    world, counters = fleet.world, fleet.counters
    latest = int(fleet.deadlines[counters[EXPIRED]])
    counters[EXPIRED] += 1
    number = world.requests[latest].lane
    if number < 0:
        unhold(world.requests, counters)
        refuse(world, fleet.rules, latest, instant, TIMED_OUT)
    elif expire(world, fleet.rules, latest, instant):
        fleet.notice[number] = 1
