"""Requests that wait for others: turns of a session, calls of an agent, clients of a closed loop.

Each edge holds a delay and what it waits for, the predecessor's end or its dispatch. A request is
asked for at the latest of what its edges allow. The clients of a closed loop share one queue: which
of them has ended a task does not matter, only how many tasks have ended, so the requests that come
with the k-th end are edges of row requests + k. Runs as it is, and compiled (`compiled`).
"""

from inferometer.simulate.heap import push, sink
from inferometer.simulate.state import COMPLETION, ENDED, RELEASED, World


def resolve(world: World, done: int, instant: float, trigger: int) -> None:
    """Let those come that waited for `done`, and the next task if it frees a client; O(log)."""
    follow(world, done, instant, trigger)
    if trigger == COMPLETION and len(world.left) > 0:
        world.left[world.task[done]] -= 1
        if world.left[world.task[done]] == 0:
            follow(world, len(world.requests) + world.counters[ENDED], instant, trigger)
            world.counters[ENDED] += 1


def follow(world: World, row: int, instant: float, trigger: int) -> None:
    """Let the requests of a row of edges come once their delays are over."""
    for edge in range(world.offsets[row], world.offsets[row + 1]):
        if world.triggers[edge] == trigger:
            request = world.requests[world.children[edge]]
            request.earliest = max(request.earliest, instant + world.delays[edge])
            request.pending -= 1
            if request.pending == 0:
                request.asked = request.earliest
                send(world, int(world.children[edge]), request.asked + request.prepared)


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
