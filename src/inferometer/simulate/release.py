"""Requests that wait for others: turns of a session, calls of an agent, clients of a closed loop.

Each edge holds a delay and what it waits for, the predecessor's end or its dispatch. A request is
asked for at the latest of what its edges allow. Runs as it is, and compiled (`compiled`).
"""

from inferometer.simulate.heap import push, sink
from inferometer.simulate.state import RELEASED, World


def resolve(world: World, done: int, instant: float, trigger: int) -> None:
    """Let the requests that waited for `done` come once their delays are over."""
    for edge in range(world.offsets[done], world.offsets[done + 1]):
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
