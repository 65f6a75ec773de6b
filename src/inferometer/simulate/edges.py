"""Which requests wait for which, by the way a workload is played."""

from typing import NamedTuple

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.simulate.play import Play
from inferometer.workload.trace import Floats, Ints, Trace


class Edges(NamedTuple):
    """Who waits for what.

    Attributes:
        before: Request that is waited for; in a closed loop number of requests + k for the k-th
            end of a task, from 0 [edge].
        after: Request that waits [edge].
        delay: Time between the two, s [edge].
        trigger: `state.COMPLETION` or `state.DISPATCH` of the first [edge].
        task: Task of a closed loop that each request is part of; empty in an open one [request].
    """

    before: Ints
    after: Ints
    delay: Floats
    trigger: Ints
    task: Ints


Columns = tuple[Ints, Ints, Floats, Ints]
"""The first four fields of `Edges`."""


def edges_of(trace: Trace, play: Play) -> Edges:
    """Return what waits for what, sorted by what is waited for.

    Agents follow their calls, closed sessions their turns. The tasks of a closed loop (an agent's
    run, or one request) wait in one queue: each of `play.clients` takes one, and the next as often
    as all requests of one have ended, answered or not.

    Raises:
        ScenarioError: closed sessions of a trace that names none, or that has calls or clients.
    """
    nobody, agents = np.zeros(0, np.int64), trace.calls is not None and not play.timestamps
    parts = [_calls(trace) if agents else _plain(nobody, nobody, 0.0)]
    if play.think is not None:
        if trace.session is None or play.clients > 0 or agents:
            raise ScenarioError(
                "think time: a trace with sessions and without calls is wanted, and no closed loop"
            )
        parts.append(_turns(trace.session, play.think))
    task = nobody
    if play.clients > 0:
        task = _tasks(trace, agents=agents)
        parts.append(_queue(task, play.clients))
    before, after, delay, trigger = (np.concatenate(same) for same in zip(*parts, strict=True))
    order = np.argsort(before, kind="stable")
    return Edges(before[order], after[order], delay[order], trigger[order], task)


def _calls(trace: Trace) -> Columns:
    calls = trace.calls
    assert calls is not None  # noqa: S101 - the caller has looked
    return calls.before, calls.after, calls.delay, calls.dispatched.astype(np.int64)


def _plain(before: Ints, after: Ints, delay: float) -> Columns:
    return before, after, np.full(len(before), delay), np.zeros(len(before), np.int64)


def _turns(session: Ints, think: float) -> Columns:
    order = np.argsort(session, kind="stable")
    same = np.diff(session[order]) == 0
    return _plain(order[:-1][same], order[1:][same], think)


def _tasks(trace: Trace, *, agents: bool) -> Ints:
    """Return the task of each request, numbered by first request."""
    if trace.calls is None or not agents:
        return np.arange(len(trace))
    _, first, numbered = np.unique(trace.calls.task, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[numbered]


def _queue(task: Ints, clients: int) -> Columns:
    """Let all requests of a task wait for the end of a task that frees a client for it."""
    later = np.flatnonzero(task >= clients)
    return _plain(len(task) + task[later] - clients, later, 0.0)
