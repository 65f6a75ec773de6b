"""Which requests wait for which, by the way a workload is played."""

from typing import NamedTuple

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.simulate.play import Play
from inferometer.workload.trace import Floats, Ints, Trace


class Edges(NamedTuple):
    """Who waits for what, all [edge].

    Attributes:
        before: Request that is waited for; number of requests + k for the k-th end of a task of a
            closed loop, from 0.
        after: Request that waits; number of requests + k for task k, which ends with its requests.
        delay: Time between the two, s.
        trigger: `state.COMPLETION` or `state.DISPATCH` of the first.
    """

    before: Ints
    after: Ints
    delay: Floats
    trigger: Ints


def edges_of(trace: Trace, play: Play) -> Edges:
    """Return what waits for what, sorted by what is waited for.

    Agents follow their calls, closed sessions their turns. The tasks of a closed loop (an agent's
    run, or one request) wait in one queue: each of `play.clients` takes one, and the next as often
    as all requests of one have ended, answered or not.

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
        parts.append(_queue(_tasks(trace, agents=bool(parts)), play.clients))
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


def _tasks(trace: Trace, *, agents: bool) -> Ints:
    """Return the task of each request, numbered by first request."""
    if trace.calls is None or not agents:
        return np.arange(len(trace))
    _, first, numbered = np.unique(trace.calls.task, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[numbered]


def _queue(task: Ints, clients: int) -> Edges:
    """Let a task wait for its requests, and the requests of a later one for a client to be free."""
    size, later = len(task), np.flatnonzero(task >= clients)
    before = np.concatenate([np.arange(size), size + task[later] - clients])
    return _plain(before, np.concatenate([size + task, later]), 0.0)
