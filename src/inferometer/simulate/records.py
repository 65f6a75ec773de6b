"""What became of every request, and that none was lost."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer.errors import LedgerError
from inferometer.outcome import Counts
from inferometer.simulate.state import FINISHED, LOST, REJECTED, TIMED_OUT, WAITING, World
from inferometer.simulate.world import column
from inferometer.workload.trace import Floats, Ints

STATUSES = 5
"""Values of `state.Request.status`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """What became of every request, in the order of the trace; -1 s where it did not happen.

    Attributes:
        asked: When its user began to wait; endless if it was never sent [request] s.
        arrival: When it reached the router, or will, the last time it was sent [request] s.
        admitted: When its first prompt token was scheduled [request] s.
        first_token: When its first output token left the engine [request] s.
        finished: When its last one did [request] s.
        prompt: Prompt tokens [request].
        output: Output tokens [request].
        group: Its row of `groups.Groups` [request].
        lane: Lane that served it, -1 if rejected [request].
        status: `state.WAITING` (in flight), `FINISHED`, `REJECTED`, `TIMED_OUT` or `LOST`
            [request].
        preemptions: How often it was preempted [request].
        cached: Prompt tokens served from the prefix cache [request].
        attempts: How often it was sent [request].
    """

    asked: Floats
    arrival: Floats
    admitted: Floats
    first_token: Floats
    finished: Floats
    prompt: Ints
    output: Ints
    group: Ints
    lane: Ints
    status: Ints
    preemptions: Ints
    cached: Ints
    attempts: Ints

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def done(self) -> Any:
        """Whether a request was answered in full [request]."""
        return self.status == FINISHED


def records_of(world: World, chosen: Any = slice(None)) -> Records:
    """Return the records of the `chosen` requests, all by default."""
    fields: dict[str, Any] = {
        name: column(world.requests, name)[chosen] for name in Records.__dataclass_fields__
    }
    return Records(**fields)


def ended(records: Records, chosen: Any = True) -> Ints:
    """Return the `chosen` requests by status, without those that were never sent [status]."""
    known = chosen & ((records.attempts > 0) | (records.status != WAITING))
    return np.bincount(records.status[known], minlength=STATUSES).astype(np.int64)


def conserved(records: Records, held: int, before: Ints | None = None) -> Counts:
    """Return where the requests ended, having checked that none is lost or out of order.

    Those that a failed replica took with it, and that nobody sent again, count as rejected.

    Args:
        records: Every request, or those that are left.
        held: What the fleet holds then (`simulation.holding`).
        before: Requests by status that are no longer in `records` [status].

    Raises:
        LedgerError: arrived != finished + rejected + timed out + in flight, more or fewer in flight
            than are held, or an effect before its cause.
    """
    gone = np.zeros(STATUSES, np.int64) if before is None else before
    status = ended(records) + gone
    counts = Counts(
        arrived=float((records.attempts > 0).sum() + gone.sum()),
        finished=float(status[FINISHED]),
        rejected=float(status[REJECTED] + status[LOST]),
        timed_out=float(status[TIMED_OUT]),
        in_flight=float(held),
    )
    sum_ended = counts.finished + counts.rejected + counts.timed_out
    if counts.arrived != sum_ended + counts.in_flight or status[WAITING] != held:
        raise LedgerError(f"requests were lost: {counts}, {status[WAITING]} not answered")
    in_order(records)
    return counts


def in_order(records: Records) -> None:
    """Check that of every finished request each effect follows its cause.

    Raises:
        LedgerError: one does not.
    """
    names = ("asked", "arrival", "admitted", "first_token", "finished")
    times = np.stack([getattr(records, name)[records.done] for name in names])
    if (np.diff(times, axis=0) < 0).any():
        raise LedgerError("a request was answered before it was admitted")
