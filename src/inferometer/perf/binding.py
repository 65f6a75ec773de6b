"""Which constraint limits a configuration's capacity."""

import numpy as np

from inferometer.candidates import Ints
from inferometer.perf.demand import Demand
from inferometer.perf.lanes import Lanes
from inferometer.perf.roofline import Machine
from inferometer.perf.steady import Steady, steady

CONSTRAINTS = (
    "compute",
    "memory bandwidth",
    "network",
    "engine overhead",
    "KV cache memory",
    "sequence limit",
)
"""What can bind, by index."""

PROBE = 1.1
"""Growth of the batch by which the gain from more sequences is measured."""

WORTH = 1.03
"""Gain in throughput from `PROBE` below which more sequences no longer pay (a rule of reading)."""


def binding(full: Steady, lanes: Lanes, machine: Machine, demand: Demand) -> Ints:
    """Return the index into `CONSTRAINTS` of what limits each configuration [config].

    If a tenth more sequences would still raise throughput, what sets their limit binds: the KV
    cache or the engine's setting. Otherwise the resource that takes most of the step does.
    """
    more = steady(PROBE * lanes.limit, machine, demand)
    gain = PROBE * full.step / more.step
    parts = np.stack([_mean(full, part) for part in ("compute", "memory", "network", "overhead")])
    by_memory = lanes.memory_limit <= lanes.limit
    return np.where(gain < WORTH, np.argmax(parts, axis=0), np.where(by_memory, 4, 5))


def _mean(full: Steady, part: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return (1 - full.share) * getattr(full.plain, part) + full.share * getattr(full.mixed, part)
