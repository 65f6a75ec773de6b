"""How long agents took for their tasks, and how much of it nobody's service could save."""

from dataclasses import dataclass

import numpy as np

from inferometer.simulate.records import Records
from inferometer.units import Duration
from inferometer.workload.trace import Calls, Floats, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimes:
    """Times from a task's first call to the end of its last, over tasks answered in full.

    Attributes:
        tasks: How many.
        unfinished: Tasks of which a call was not answered.
        mean: Mean time.
        p50: Median.
        p99: 99th percentile.
        tools_mean: Mean time of the tools along the longest chain of calls: that of a task whose
            calls are answered at once.
    """

    tasks: int
    unfinished: int
    mean: Duration
    p50: Duration
    p99: Duration
    tools_mean: Duration


def task_times(trace: Trace, records: Records) -> TaskTimes | None:
    """Return how long the tasks of a trace took; None for no agents, or no task answered.

    Args:
        trace: The requests.
        records: What became of every one.
    """
    if trace.calls is None:
        return None
    tasks, task = np.unique(trace.calls.task, return_inverse=True)
    begin, end = _span(task, records.asked, records.finished)
    soonest = _at_once(trace, trace.calls)
    first, last = _span(task, soonest, soonest)
    answered = np.ones(len(tasks), np.bool_)
    np.logical_and.at(answered, task, records.done)
    if not answered.any():
        return None
    took = (end - begin)[answered]
    p50, p99 = np.quantile(took, (0.5, 0.99))
    return TaskTimes(
        tasks=len(took),
        unfinished=int((~answered).sum()),
        mean=float(took.mean()),
        p50=float(p50),
        p99=float(p99),
        tools_mean=float((last - first)[answered].mean()),
    )


def _span(task: np.ndarray, begins: Floats, ends: Floats) -> tuple[Floats, Floats]:
    first, last = np.full(task.max() + 1, np.inf), np.full(task.max() + 1, -np.inf)
    np.minimum.at(first, task, begins)
    np.maximum.at(last, task, ends)
    return first, last


def _at_once(trace: Trace, calls: Calls) -> Floats:
    """Return when each call would come if all were answered at once [request] s."""
    order = np.argsort(calls.after, kind="stable")  # a call's predecessors are before it
    waits = np.isin(np.arange(len(trace)), calls.after)
    due = np.where(waits, calls.earliest, trace.arrival).tolist()
    edges = zip(*(c[order].tolist() for c in (calls.before, calls.after, calls.delay)), strict=True)
    for before, after, delay in edges:
        due[after] = max(due[after], due[before] + delay)
    return np.array(due)
