"""The fleet's clock: arrivals routed to lanes, lanes advanced, in order of time."""

import numpy as np
from numpy.typing import NDArray

from inferometer.simulate.blocks import held
from inferometer.simulate.engine import advance, resolve, schedule
from inferometer.simulate.heap import sink
from inferometer.simulate.jump import interrupt
from inferometer.simulate.prefix import matched
from inferometer.simulate.router import AFFINE, Visible, choose
from inferometer.simulate.state import ARRIVED, NEVER, REJECTED, RELEASED, World
from inferometer.simulate.tally import sample


def run(world: World, order: NDArray[np.int64], horizon: float) -> float:
    """Play every request until the fleet is idle or `horizon` has come; return the last instant.

    Args:
        world: What is read and written.
        order: Requests without predecessors, by arrival.
        horizon: When the clock stops, s.
    """
    place, instant = 0, 0.0
    while True:
        number = earliest(world)
        opened = world.requests[order[place]].arrival if place < len(order) else NEVER
        freed = world.due[0] if world.counters[RELEASED] > 0 else NEVER
        event = min(world.lanes[number].end, opened, freed)
        if event == NEVER or event > horizon:
            break
        instant = event
        sample(world, instant)
        if world.lanes[number].end < min(opened, freed):
            advance(world, number)
        elif freed <= opened:
            arrive(world, take(world), instant)
        else:
            arrive(world, order[place], instant)
            place += 1
    return instant


def earliest(world: World) -> int:
    """Return the lane whose jump ends first."""
    best = 0
    for number in range(1, len(world.lanes)):
        if world.lanes[number].end < world.lanes[best].end:
            best = number
    return best


def take(world: World) -> int:
    """Take the first request out of the heap of released ones."""
    size = world.counters[RELEASED]
    first = int(world.released[0])
    sink(world.due, world.released, size - 1, 0, world.due[size - 1], world.released[size - 1])
    world.counters[RELEASED] -= 1
    return first


def arrive(world: World, latest: int, instant: float) -> None:
    """Route a request to a lane, or reject one that can never fit."""
    request, limits = world.requests[latest], world.limits
    turn = world.counters[ARRIVED]
    world.counters[ARRIVED] += 1
    whole = request.prompt + request.output
    too_long = request.prompt >= limits.longest or held(world, whole) > limits.blocks
    if too_long or (limits.chunked == 0 and whole > limits.budget):
        request.status = REJECTED
        resolve(world, latest, instant)
        return
    visible = Visible(turn, request.prompt, request.session, request.draw)
    if limits.router == AFFINE:
        for lane in range(len(world.lanes)):
            world.matches[lane] = matched(world, lane, latest)
    number = choose(limits.router, visible, world.loads, world.matches)
    request.lane = number
    world.loads[number] += 1
    enqueue(world, number, latest, instant)


def enqueue(world: World, number: int, latest: int, instant: float) -> None:
    """Add a request to a lane's queue; cut the jump if the request may join the next step."""
    lane = world.lanes[number]
    alone = lane.head < 0
    world.requests[latest].follower = -1
    if alone:
        lane.head = latest
    else:
        world.requests[lane.tail].follower = latest
    lane.tail = latest
    lane.waiting += 1
    if lane.planned == 0:
        lane.now = instant
        schedule(world, number)
    elif alone and lane.planned > 1 and lane.running < world.limits.sequences:
        interrupt(world, number, instant)
