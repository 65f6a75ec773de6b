"""Sequences that decode in a lane: they join at a step boundary and leave at one."""

from inferometer.simulate.blocks import held
from inferometer.simulate.heap import push
from inferometer.simulate.prefix import release
from inferometer.simulate.state import World
from inferometer.simulate.windows import place

ORDER = 2**31  # a heap key is last step x ORDER + order of admission


def join(world: World, number: int, latest: int, kept: int) -> None:
    """Let a sequence decode that holds `kept` tokens and has its token for the step before."""
    lane, request = world.lanes[number], world.requests[latest]
    request.base = kept - lane.steps
    last = lane.steps + request.output - request.produced
    key = last * ORDER + request.order
    push(world.keys[number], world.heap[number], lane.running, key, latest)
    lane.running += 1
    world.members[number, request.group] += 1
    place(world, number, request.base, 1)


def leave(world: World, number: int, latest: int) -> None:
    """Take a sequence out of the decoding ones; its key is off the heap already."""
    lane, request = world.lanes[number], world.requests[latest]
    lane.running -= 1
    world.members[number, request.group] -= 1
    place(world, number, request.base, -1)
    release(world, number, latest, held(world, request.base + lane.steps))
