"""Who pays for a replica's hour: its cost shared over the requests in flight, instant by instant.

Between two events (a request begins, gets its first token, ends) the weights are constant. A
request weighs its modelled share of the replica's time (prompt arithmetic; its part of the weights
read in each decode step, divided by the batch; its own cache read) plus its share of the cache,
since capacity held costs as time used does. Two bases, as in `account.bill`:

*Allocation*: while anything is in flight the whole cost goes to what is in flight, by weight; the
rest is idle. *Usage*: at each instant only the share that is in use, time or cache, whichever is
more, goes to requests; what is left is head-room. Both add up to the cost exactly, in integers.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from inferometer.account.split import split
from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt
from inferometer.meter.work import Phase, Work, phases

Key = tuple[str, int]
IDLE: Key = ("idle", 0)
HEADROOM: Key = ("headroom", 0)
UNMETERED: Key = ("unmetered", 0)
"""Buckets that are no request: nothing in flight; not filled; served but not seen by the ledger."""


_FIXED = 1 << 60
"""Weights are summed in fixed point: floats would not come back to what they were."""


class Seconds(NamedTuple):
    """Seconds of a window by who held them; each adds up to the window."""

    allocation: dict[Key, float]
    usage: dict[Key, float]


class Curve(NamedTuple):
    """Integrals over time at the instants where weights change.

    Attributes:
        times: The instants, ns.
        own: Of 1 / W, s: times a phase's constant weight it is the phase's share of time.
        step: Of s(B) / (B W), s: likewise for the shared part of decode steps.
        idle: Of time with nothing in flight, s.
    """

    times: list[int]
    own: list[float]
    step: list[float]
    idle: list[float]


def shared(rows: Sequence[Attempt], work: Work, start_ns: int, end_ns: int) -> Seconds:
    """Return the seconds of a window, shared over requests on both bases.

    Args:
        rows: Attempts on this replica; those outside the window are left out.
        work: The replica's table.
        start_ns: Begin of the window, Unix.
        end_ns: Its end.

    Raises:
        LedgerError: an empty window.
    """
    if end_ns <= start_ns:
        raise LedgerError(f"window from {start_ns} to {end_ns} ns is empty")
    parts = [
        ((row.request, row.attempt), _cut(phase, start_ns, end_ns))
        for row in rows
        if row.ended_ns > start_ns and row.started_ns < end_ns
        for phase in phases(row, work)
        if phase.end_ns > start_ns and phase.start_ns < end_ns
    ]
    allocation, usage = _curves([phase for _, phase in parts], work, start_ns, end_ns)
    found = Seconds(_held(parts, allocation), _held(parts, usage))
    found.allocation[IDLE] = found.usage[IDLE] = allocation.idle[-1]
    whole = (end_ns - start_ns) / 1e9
    found.usage[HEADROOM] = max(0.0, whole - sum(found.usage.values()))
    return found


def _cut(phase: Phase, start_ns: int, end_ns: int) -> Phase:
    return phase._replace(start_ns=max(phase.start_ns, start_ns), end_ns=min(phase.end_ns, end_ns))


def _curves(parts: Sequence[Phase], work: Work, start_ns: int, end_ns: int) -> tuple[Curve, Curve]:
    """Return the integrals on both bases, by one sweep over the events."""
    events: dict[int, list[tuple[int, Phase]]] = {start_ns: [], end_ns: []}
    for phase in parts:
        events.setdefault(phase.start_ns, []).append((1, phase))
        events.setdefault(phase.end_ns, []).append((-1, phase))
    times = sorted(events)
    own = rate = kv = decoding = 0
    pieces: list[tuple[float, float, float, float, float]] = []
    for now, then in pairwise(times):
        for sign, phase in events[now]:
            own += sign * round(phase.own * _FIXED)
            rate += sign * round(phase.token_rate * _FIXED)
            kv += sign * round(phase.kv * _FIXED)
            decoding += sign * (phase.token_rate > 0)
        seconds, sums = (then - now) / 1e9, (own / _FIXED, rate / _FIXED, kv / _FIXED)
        pieces.append(_piece(seconds, work, sums, decoding))
    columns = list(zip(*pieces, strict=True))
    summed = [list(accumulate(column, initial=0.0)) for column in columns]
    idle = summed[4]
    return Curve(times, summed[0], summed[1], idle), Curve(times, summed[2], summed[3], idle)


def _piece(
    seconds: float, work: Work, sums: tuple[float, float, float], decoding: int
) -> tuple[float, float, float, float, float]:
    """Return a stretch's part of the five integrals: two per basis, and idle time."""
    own, rate, kv = sums
    step = work.step(decoding) / decoding if decoding else 0.0
    busy = own + rate * step
    weight = busy + kv
    if weight <= 0:
        return 0.0, 0.0, 0.0, 0.0, seconds
    used = min(1.0, max(busy, kv))
    each = seconds / weight
    return each, each * step, each * used, each * used * step, 0.0


def _held(parts: Sequence[tuple[Key, Phase]], curve: Curve) -> dict[Key, float]:
    held: dict[Key, float] = {}
    for key, phase in parts:
        first, last = (bisect_left(curve.times, t) for t in (phase.start_ns, phase.end_ns))
        own = (phase.own + phase.kv) * (curve.own[last] - curve.own[first])
        step = phase.token_rate * (curve.step[last] - curve.step[first])
        held[key] = held.get(key, 0.0) + own + step
    return held


def corrected(seconds: Seconds, metered: float, counted: float) -> Seconds:
    """Return shares in which work that the engine counted and no row shows is a bucket of its own.

    Args:
        seconds: Shares of the rows.
        metered: Modelled work of the rows' tokens, s.
        counted: Modelled work of the tokens that the engine's counters grew by, s.

    Raises:
        LedgerError: negative work.
    """
    if min(metered, counted) < 0:
        raise LedgerError(f"work of {metered} and {counted} s: an engine's counters went backwards")
    if counted <= metered or counted == 0:
        return seconds
    missing = 1 - metered / counted
    return Seconds(
        _with_unmetered(seconds.allocation, missing), _with_unmetered(seconds.usage, missing)
    )


def _with_unmetered(held: Mapping[Key, float], missing: float) -> dict[Key, float]:
    nobody = {IDLE, HEADROOM}
    scaled = {k: s if k in nobody else s * (1 - missing) for k, s in held.items()}
    scaled[UNMETERED] = sum(s for k, s in held.items() if k not in nobody) * missing
    return scaled


def amounts_of(total: int, held: Mapping[Key, float]) -> dict[Key, int]:
    """Return a whole amount (nano-dollars, microjoules, ...) shared by seconds, exactly.

    Raises:
        LedgerError: nothing holds any second.
    """
    return split(total, {key: max(0.0, seconds) for key, seconds in held.items()})
