"""What the metrics endpoints of a pool show: the signals that policies decide by."""

from dataclasses import dataclass, field

import numpy as np

from inferometer.simulate.fleet import ARRIVED, HELD, Fleet
from inferometer.simulate.histogram import at_level
from inferometer.simulate.scaling import Signals
from inferometer.simulate.state import Ints
from inferometer.simulate.tally import BUCKETS


@dataclass(slots=True, kw_only=True)
class Metrics:
    """A pool's signals so far, and the counts of the last look.

    Attributes:
        fleet: The fleet.
        blocks: KV blocks of one lane of the pool.
        history: Signals so far.
        arrived: Arrivals up to the last look.
        gaps: Gaps between tokens up to the last look, by bucket.
    """

    fleet: Fleet
    blocks: int
    history: list[Signals] = field(default_factory=list[Signals])
    arrived: int = 0
    gaps: Ints = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))


def look(
    metrics: Metrics, now: float, ready: int, starting: int, lanes: list[int]
) -> list[Signals]:
    """Add the signals of `now`, of the `lanes` that serve; return all so far, the latest last.

    Who scales and who sets clocks may look at one instant: both see the same. A look before any
    time has passed has no rate, and is not kept.
    """
    world, counters = metrics.fleet.world, metrics.fleet.counters
    last = metrics.history[-1].at if metrics.history else 0.0
    if metrics.history and now == last:
        return metrics.history
    shown = [world.lanes[number] for number in lanes]
    used = sum(int(lane.used) for lane in shown)
    seen = Signals(
        at=now,
        ready=ready,
        starting=starting,
        waiting=sum(int(lane.waiting) for lane in shown),
        running=sum(int(lane.running + lane.ready) + (lane.partial >= 0) for lane in shown),
        held=int(counters[HELD]),
        kv_fraction=used / max(len(lanes) * metrics.blocks, 1),
        rate=(int(counters[ARRIVED]) - metrics.arrived) / (now - last) if now > last else 0.0,
        itl=_slowest(metrics),
    )
    if now == last:
        return [seen]
    metrics.arrived = int(counters[ARRIVED])
    metrics.history.append(seen)
    return metrics.history


def _slowest(metrics: Metrics) -> float:
    """Return the 99th percentile of the gaps between tokens since the last look, s."""
    counted = metrics.fleet.world.gaps.reshape(-1, BUCKETS).sum(axis=0)
    fresh = counted - metrics.gaps
    metrics.gaps = counted
    return at_level(fresh, 0.99)
