"""Which requests wait for which, by the way a workload is played."""

from typing import NamedTuple

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.simulate.play import Play
from inferometer.workload.trace import Floats, Ints, Trace


class Edges(NamedTuple):
    """Pairs of requests, all [edge].

    Attributes:
        before: Request that is waited for.
        after: Request that waits.
        delay: Time between the two, s.
        trigger: `state.COMPLETION` or `state.DISPATCH` of the first.
    """

    before: Ints
    after: Ints
    delay: Floats
    trigger: Ints


def edges_of(trace: Trace, play: Play) -> Edges:
    """Return what waits for what, sorted by the request that is waited for.

    Agents follow their calls, closed sessions their turns. A closed loop of `play.clients` sends a
    task (an agent's run, or one request) once the one `clients` places earlier is done.

    Raises:
        ScenarioError: closed sessions of a trace that names none, or that has calls or clients.
    """
    parts = [_calls(trace)] if trace.calls is not None and not play.timestamps else []
    if play.think is not None:
        if trace.session is None or play.clients > 0 or parts:
            raise ScenarioError(
                "think time: a trace with sessions and without calls is wanted, and no closed loop"
            )
        parts.append(_turns(trace.session, play.think))
    if play.clients > 0:
        parts.append(_clients(_tasks(trace, follow=bool(parts)), play.clients))
    if not parts:
        return Edges(*(np.zeros(0, kind) for kind in (np.int64, np.int64, float, np.int64)))
    edges = Edges(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.argsort(edges.before, kind="stable")
    return Edges(edges.before[order], edges.after[order], edges.delay[order], edges.trigger[order])


def _calls(trace: Trace) -> Edges:
    calls = trace.calls
    assert calls is not None  # noqa: S101 - the caller has looked
    return Edges(calls.before, calls.after, calls.delay, calls.dispatched.astype(np.int64))


def _plain(before: Ints, after: Ints, delay: float) -> Edges:
    return Edges(before, after, np.full(len(before), delay), np.zeros(len(before), np.int64))


def _turns(session: Ints, think: float) -> Edges:
    order = np.argsort(session, kind="stable")
    same = np.diff(session[order]) == 0
    return _plain(order[:-1][same], order[1:][same], think)


def _tasks(trace: Trace, *, follow: bool) -> Ints:
    """Return the task of each request, numbered by first request."""
    if trace.calls is None or not follow:
        return np.arange(len(trace))
    _, first, numbered = np.unique(trace.calls.task, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[numbered]


def _clients(task: Ints, clients: int) -> Edges:
    """Join every request of a task to every one of the task `clients` places later."""
    order = np.argsort(task, kind="stable")
    starts = np.searchsorted(task[order], np.arange(int(task.max()) + 2))
    pairs = [
        (np.repeat(mine, len(later)), np.tile(later, len(mine)))
        for mine, later in (
            (
                order[starts[place] : starts[place + 1]],
                order[starts[place + clients] : starts[place + clients + 1]],
            )
            for place in range(len(starts) - 1 - clients)
        )
    ]
    if not pairs:
        return _plain(np.zeros(0, np.int64), np.zeros(0, np.int64), 0.0)
    before, after = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return _plain(before, after, 0.0)
