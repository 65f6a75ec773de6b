"""Requests that end unanswered: turned away, given up by their clients, lost with a replica.

A client sends such a request again while it has retries. Runs as it is, and compiled (`compiled`).
"""

from inferometer.simulate.engine import take_partial, take_running
from inferometer.simulate.jump import interrupt
from inferometer.simulate.limits import Rules
from inferometer.simulate.queue import take_out
from inferometer.simulate.release import resolve, send
from inferometer.simulate.state import (
    COMPLETION,
    TIMED_OUT,
    World,
)


def refuse(world: World, rules: Rules, latest: int, instant: float, status: int) -> None:
    """End an attempt at `instant`: the request comes again after a pause, or ends as `status`.

    The pause doubles with each attempt and varies by half either way with the request's own draw,
    so that clients who were refused together do not come back together.
    """
    request = world.requests[latest]
    if request.attempts > rules.retries:
        fail(world, latest, instant, status)
        return
    forget(world, latest)
    pause = rules.backoff * 2.0 ** (request.attempts - 1) * (0.5 + request.draw)
    request.arrival = instant + pause  # so that the deadline of this attempt is void
    send(world, latest, request.arrival)


def forget(world: World, latest: int) -> None:
    """Undo what an attempt did to a request."""
    request = world.requests[latest]
    request.lane = -1
    request.doomed = 0
    request.computed = 0
    request.produced = 0
    request.admitted = -1.0
    request.first_token = -1.0


def fail(world: World, latest: int, instant: float, status: int) -> None:
    """End a request for good as `status`; those that wait for it come all the same."""
    forget(world, latest)
    world.requests[latest].status = status
    resolve(world, latest, instant, COMPLETION)


def expire(world: World, rules: Rules, latest: int, instant: float) -> bool:
    """Take a request whose client has gone out of its lane; return whether that waits for a step.

    One in the queue goes at once, one in the batch at the end of the running step.
    """
    request = world.requests[latest]
    number = request.lane
    lane = world.lanes[number]
    if request.computed > 0:
        request.doomed = 1
        if lane.planned > 1:
            interrupt(world, number, instant)
        return True
    headed = lane.head == latest
    leave_queue(world, number, latest)
    world.loads[number] -= 1
    refuse(world, rules, latest, instant, TIMED_OUT)
    if headed and lane.head >= 0 and lane.planned > 1:  # the next may fit where this did not
        interrupt(world, number, instant)
    return False


def leave_queue(world: World, number: int, latest: int) -> None:
    """Take a request out of a lane's waiting queue."""
    ahead, place = -1, world.lanes[number].head
    while place != latest:
        ahead, place = place, world.requests[place].follower
    take_out(world, number, ahead, latest)


def drop(world: World, rules: Rules, number: int) -> None:
    """Take the doomed requests of a lane's batch out of it, at a step boundary."""
    lane = world.lanes[number]
    if lane.partial >= 0 and world.requests[lane.partial].doomed == 1:
        latest = take_partial(world, number)
        world.loads[number] -= 1
        refuse(world, rules, latest, lane.now, TIMED_OUT)
    place = 0
    while place < lane.running:
        latest = int(world.heap[number, place])
        if world.requests[latest].doomed == 1:
            take_running(world, number, place)
            world.loads[number] -= 1
            refuse(world, rules, latest, lane.now, TIMED_OUT)
            place = 0
        else:
            place += 1
