"""A closed loop as the load client runs it, simulated: whoever is free takes the next request.

The simulator's own closed loop gives each client its requests beforehand. Over a long run the two
are alike; over a few dozen requests they differ in which ones meet, and in how long clients without
work wait for the others at the end.
"""

from dataclasses import replace

import numpy as np

from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.workload.trace import Calls, Trace

Order = tuple[int, ...]
"""The request whose end lets each request that waits come."""


def played(
    trace: Trace, deployment: Deployment, efficiencies: Efficiencies, *, clients: int
) -> Simulation:
    """Return what becomes of a trace whose requests wait in one queue for the next free client.

    Which request frees a client is known only once it is played, so it is played until the order
    of the ends stays. That comes about: ends up to an instant depend on earlier ones alone, so
    each time at least one more of them is right for good. It took 3 to 13 times for 32 to 48
    requests, and 28 for 200 of 8 clients.

    Args:
        trace: The requests; their times do not matter.
        deployment: The engine.
        efficiencies: Its parameters.
        clients: Requests in flight.
    """
    order: Order = tuple(range(max(len(trace) - clients, 0)))
    for _ in range(len(trace) + 1):
        found = simulate(_waiting(trace, order), deployment, efficiencies=efficiencies, play=Play())
        ends = _freeing(found, clients)
        if ends == order:
            return found
        order = ends
    raise AssertionError("the order of a closed loop does not settle")


def _freeing(found: Simulation, clients: int) -> Order:
    """Return which end lets each waiting request come: the first free one of a request before it.

    The last condition binds only while the order has not settled.
    """
    ends = np.argsort(found.records.finished, kind="stable").tolist()
    order = list[int]()
    for waiting in range(clients, len(ends)):
        order.append(next(row for row in ends if row < waiting))
        ends.remove(order[-1])
    return tuple(order)


def _waiting(trace: Trace, order: Order) -> Trace:
    """Return the trace whose last requests wait for the ends in `order`, one each."""
    size, free = len(trace), len(order)
    calls = Calls(
        before=np.array(order, np.int64),
        after=np.arange(size - free, size),
        delay=np.zeros(free),
        dispatched=np.zeros(free, np.bool_),
        earliest=np.zeros(size),
        task=np.arange(size),
    )
    return replace(trace, arrival=np.zeros(size), calls=calls)
