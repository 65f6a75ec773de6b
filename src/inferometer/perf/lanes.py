"""How configurations divide their work into lanes, and how many sequences each lane may run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferometer.candidates import Floats
from inferometer.perf.demand import Demand
from inferometer.perf.memory import memory, sequence_bytes
from inferometer.perf.roofline import Machine
from inferometer.perf.sharding import buildable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lanes:
    """Lanes of every configuration; one lane is one pipeline micro-batch of one data rank.

    Attributes:
        count: Lanes of all replicas.
        limit: Most running sequences per lane.
        memory_limit: Sequences per lane that the KV cache holds.
        fits: Whether the layout can be built and weights and the longest request fit.
        kv_tokens: Tokens of mean-length requests that the KV cache of a replica holds.
    """

    count: Floats
    limit: Floats
    memory_limit: Floats
    fits: NDArray[np.bool_]
    kv_tokens: Floats


def divide(machine: Machine, demand: Demand) -> Lanes:
    """Return the lanes of every configuration and what limits their sequences.

    The KV cache must hold the running sequences at their mean length; bursts beyond it preempt.
    """
    candidates, work = machine.candidates, machine.shard
    kv = memory(candidates, work).kv
    per_sequence = sequence_bytes(candidates, work, demand.held)
    longest = sequence_bytes(candidates, work, demand.longest)
    stages = candidates.pipeline
    by_memory = np.maximum(kv, 0.0) / per_sequence / stages
    limit = np.maximum(np.minimum(candidates.max_num_seqs / stages, by_memory), 1.0)
    held = demand.held.max()
    return Lanes(
        count=(candidates.replicas * candidates.data * stages).astype(np.float64),
        limit=limit,
        memory_limit=np.maximum(by_memory, np.finfo(float).tiny),
        fits=buildable(candidates) & (kv >= longest),
        kv_tokens=by_memory * held * stages * candidates.data,
    )
