"""Time of one collective: a latency and a bandwidth part, by NCCL's protocols or on a ring."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inferometer.perf.theory.chip import Chip, Collectives, protocols
from inferometer.units import Seconds

Array: TypeAlias = NDArray[np.float64]

RING_HOP: Seconds = 1e-6
"""Latency of one hop on a ring; source: section 3 of the Erdil notebook, type "tpu"."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Latency and volume of a collective over those of one pass around the ranks.

    Attributes:
        hops: Factor on latency.
        volume: Factor on bytes moved, 1 for an all-reduce.
    """

    hops: float
    volume: float


ALL_REDUCE = Pattern(2, 1)
POINT_TO_POINT = Pattern(1, 0.5)
ALL_TO_ALL = POINT_TO_POINT  # costed as half an all-reduce


def collective(
    chip: Chip, ranks: Array, nodes: Array, size: Array, pattern: Pattern = ALL_REDUCE
) -> tuple[Array, Array]:
    """Return latency and bandwidth time of the fastest protocol, both 0 for a single rank.

    Args:
        chip: Where it runs.
        ranks: Ranks R that take part, real-valued.
        nodes: Nodes K that they sit on, real-valued.
        size: Bytes X per rank.
        pattern: All-reduce, or half of it.
    """
    if chip.collectives is Collectives.RING:
        latency = pattern.hops * (ranks - 1) * RING_HOP * chip.latency_factor
        transfer = pattern.volume * (ranks - 1) * size / (ranks * chip.inter_bandwidth)
        return np.where(ranks > 1, latency, 0.0), np.where(ranks > 1, transfer, 0.0)
    return _nccl(chip, ranks, nodes, size, pattern)


def _nccl(
    chip: Chip, ranks: Array, nodes: Array, size: Array, pattern: Pattern
) -> tuple[Array, Array]:
    best_latency, best_transfer = np.asarray(np.inf), np.asarray(np.inf)
    within, doublings = ranks / nodes - 1, np.log2(nodes)
    links = nodes * np.maximum(0, within) / chip.intra_bandwidth
    wire = pattern.volume * (links + (nodes - 1) / chip.inter_bandwidth) * size / ranks
    for protocol in protocols().values():
        hops = within * protocol.intra_latency + doublings * protocol.inter_latency
        latency = (pattern.hops * hops + protocol.base_latency) * chip.latency_factor
        transfer = wire / protocol.bandwidth_factor
        better = latency + transfer < best_latency + best_transfer
        best_latency = np.where(better, latency, best_latency)
        best_transfer = np.where(better, transfer, best_transfer)
    return np.where(ranks > 1, best_latency, 0.0), np.where(ranks > 1, best_transfer, 0.0)
