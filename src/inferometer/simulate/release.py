"""Requests that wait for others: turns of a session, calls of an agent, clients of a closed loop.

Each edge holds a delay and what it waits for, the predecessor's end or its dispatch. A request is
asked for at the latest of what its edges allow. The clients of a closed loop share one queue: which
of them has ended a task does not matter, only how many tasks have ended. So tasks and their ends
are numbered on from the requests: an edge leads from each request to its task, and one from the
k-th end of a task to each request that comes with it. Runs as it is, and compiled (`compiled`).
"""

from inferometer.simulate.heap import push, sink
from inferometer.simulate.state import COUNTERS, ENDED, RELEASED, World


def resolve(world: World, done: int, instant: float, trigger: int) -> None:
    """Let those come that waited for `done`, and the next task if it frees a client; O(log)."""
    if follow(world, done, instant, trigger):
        world.counters[ENDED] += 1
        follow(world, len(world.requests) + world.counters[ENDED] - 1, instant, trigger)


def follow(world: World, before: int, instant: float, trigger: int) -> bool:
    """Let the requests come that waited for `before`; return whether a task has ended with it."""
    ended = False
    for edge in range(world.offsets[before], world.offsets[before + 1]):
        if world.triggers[edge] == trigger:
            after = int(world.children[edge])
            if after >= len(world.requests):
                left = COUNTERS + after - len(world.requests)
                world.counters[left] -= 1
                ended = world.counters[left] == 0
            else:
                allow(world, after, instant + world.delays[edge])
    return ended


def allow(world: World, latest: int, when: float) -> None:
    """Let a request come from `when` on, as far as one of those it waits for goes."""
    request = world.requests[latest]
    request.earliest = max(request.earliest, when)
    request.pending -= 1
    if request.pending == 0:
        request.asked = request.earliest
        send(world, latest, request.asked + request.prepared)


def send(world: World, latest: int, when: float) -> None:
    """Put a request into the heap of released ones, to arrive at `when`."""
    push(world.due, world.released, world.counters[RELEASED], when, latest)
    world.counters[RELEASED] += 1


def take(world: World) -> int:
    """Take the first request out of the heap of released ones."""
    size = world.counters[RELEASED]
    first = int(world.released[0])
    sink(world.due, world.released, size - 1, 0, world.due[size - 1], world.released[size - 1])
    world.counters[RELEASED] -= 1
    return first
