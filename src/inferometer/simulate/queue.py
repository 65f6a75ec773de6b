"""Waiting requests of one lane, a linked list: interactive ones before batch ones, in order.

vLLM's `--scheduling-policy priority`: by priority, then by arrival; a preempted request keeps its
place, which is before all that wait in its class. Without priorities the list is first come, first
served. Runs as it is, and compiled (`compiled`).
"""

from inferometer.simulate.state import World


def append(world: World, number: int, latest: int) -> None:
    """Put an arriving request behind those of its class."""
    lane = world.lanes[number]
    if world.requests[latest].priority == 0:
        insert(world, number, lane.urgent, latest)
        lane.urgent = latest
    else:
        insert(world, number, lane.tail, latest)


def put_back(world: World, number: int, latest: int) -> None:
    """Put a preempted request before those of its class."""
    lane = world.lanes[number]
    if world.requests[latest].priority == 0:
        insert(world, number, -1, latest)
        if lane.urgent < 0:
            lane.urgent = latest
    else:
        insert(world, number, lane.urgent, latest)


def insert(world: World, number: int, ahead: int, latest: int) -> None:
    """Put a request behind `ahead`, or at the head for -1."""
    lane, request = world.lanes[number], world.requests[latest]
    if ahead < 0:
        request.follower = lane.head
        lane.head = latest
    else:
        request.follower = world.requests[ahead].follower
        world.requests[ahead].follower = latest
    if request.follower < 0:
        lane.tail = latest
    lane.waiting += 1


def take_head(world: World, number: int) -> int:
    """Take the first request off the list."""
    lane = world.lanes[number]
    first = lane.head
    take_out(world, number, -1, first)
    return int(first)


def take_out(world: World, number: int, ahead: int, latest: int) -> None:
    """Take a request off the list; `ahead` stands before it, -1 for none."""
    lane, behind = world.lanes[number], world.requests[latest].follower
    if ahead < 0:
        lane.head = behind
    else:
        world.requests[ahead].follower = behind
    if behind < 0:
        lane.tail = ahead
    if lane.urgent == latest:
        lane.urgent = ahead
    lane.waiting -= 1
