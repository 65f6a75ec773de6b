"""Whose latencies are told apart: tenants, each of one class."""

from dataclasses import dataclass

import numpy as np

from inferometer.simulate.serving import Serving
from inferometer.workload.trace import Ints, Trace

MOST = 32
"""Tenants that are told apart; the loop visits each at every step that decodes."""

INTERACTIVE, BATCH = "interactive", "batch"
"""Classes, by `state.Request.priority`."""

OTHERS = "other tenants"
"""Name of those that are not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Rows of `state.World.gaps`: the tenants with the most requests, then the others by class.

    Attributes:
        names: Tenants [group].
        classes: `INTERACTIVE` or `BATCH` [group].
        listed: Places of the tenants that are told apart, by name.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    listed: dict[str, int]

    def __len__(self) -> int:
        return len(self.names)


def groups_of(trace: Trace, serving: Serving) -> Groups:
    """Return the groups of a trace, or of the first part of one."""
    if trace.tenant is None:
        return Groups(names=("all",), classes=(INTERACTIVE,), listed={})
    names, counts = np.unique(trace.tenant, return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")][:MOST].tolist()
    listed = {str(name): place for place, name in enumerate(largest)}
    classes = [BATCH if name in serving.batch_tenants else INTERACTIVE for name in listed]
    return Groups(
        names=(*listed, OTHERS, OTHERS), classes=(*classes, INTERACTIVE, BATCH), listed=listed
    )


def members(groups: Groups, trace: Trace, priority: Ints) -> Ints:
    """Return the group of every request [request].

    Args:
        groups: The groups.
        trace: The requests.
        priority: Their classes [request].
    """
    if trace.tenant is None:
        return np.zeros(len(trace), np.int64)
    names, places = np.unique(trace.tenant, return_inverse=True)
    known = np.array([groups.listed.get(str(name), -1) for name in names])[places]
    others = len(groups.listed) + priority
    return np.where(known >= 0, known, others).astype(np.int64)
