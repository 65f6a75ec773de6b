"""The KV cache of a lane in pages: what a page is, how many there are, what a window holds."""

from dataclasses import dataclass

import numpy as np

from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.perf.memory import memory
from inferometer.perf.roofline import Machine
from inferometer.simulate.coefficients import StepCoefficients
from inferometer.simulate.serving import Serving
from inferometer.workload.trace import Floats

WIDER = 1.25
"""Below this ratio of the largest to the smallest kind of layers all go into groups of the larger
size (vLLM's kv_cache_utils); else groups have the smallest kind's size and the last are padded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paging:
    """Pages of one lane.

    Attributes:
        size: Bytes of a page on one accelerator.
        pages: Pages of the lane.
        hosted: Pages in the host's memory.
        overhead: Pages of recurrent state per sequence.
        full: Pages per block of the layers that keep every block.
        windows: Pages per block of the layers that keep what their window reaches [reach].
    """

    size: float
    pages: int
    hosted: int
    overhead: int
    full: int
    windows: Floats


def paging(deployment: Deployment, machine: Machine, serving: Serving) -> Paging:
    """Return the pages of one lane; O(reaches).

    Under the hybrid allocator of vLLM v1 layers of one kind form groups of equal size, and a page
    holds one block of one group. Where no layer sees everything, or the engine has one pool for
    all layers, every block is kept, and a page holds a block of all layers.

    Raises:
        ScenarioError: no layer keeps a KV cache.
    """
    settings, stages = deployment.settings, deployment.parallelism.pipeline
    shard = machine.shard
    each = shard.kv_bytes[:, 0] / stages
    if each.sum() <= 0:
        raise ScenarioError(f"{deployment.model.key}: no layer keeps a KV cache; use predict")
    everything = np.isinf(np.array(shard.reaches, dtype=np.float64).reshape(-1))
    hybrid = settings.engine.hybrid_allocator and each[everything].sum() > 0
    if hybrid and (each[~everything] > 0).any():
        group = _group(each)
        full = int(np.ceil(each[everything].sum() / group - 1e-9))
        windows = np.where(everything, 0.0, np.ceil(each / group - 1e-9))
    else:
        group, full, windows = float(each.sum()), 1, np.zeros(len(each))
    size = group * settings.engine.block_size
    room = float(memory(machine.candidates, shard).kv[0]) / stages
    state = float(np.max(shard.state_bytes)) / stages
    return Paging(
        size=size,
        pages=int(room // size),
        hosted=int(serving.host_kv / stages // size),
        overhead=int(np.ceil(state / size)),
        full=full,
        windows=windows,
    )


def _group(each: Floats) -> float:
    """Return the bytes per token of one group of layers."""
    kinds = each[each > 0]
    return float(kinds.max() if kinds.max() < WIDER * kinds.min() else kinds.min())


def beyond(
    step: StepCoefficients, deployment: Deployment, machine: Machine, serving: Serving
) -> StepCoefficients:
    """Return a step's coefficients with what moves KV: to a decode lane, from the host.

    Every accelerator of a lane moves its own share, at the bandwidth of its own link.
    """
    paged = paging(deployment, machine, serving)
    per_token = float(machine.shard.kv_bytes.sum()) / deployment.parallelism.pipeline
    wire = deployment.accelerator.network_bandwidth
    return step._replace(
        fetch=paged.size / serving.host_bandwidth if serving.host_bandwidth else 0.0,
        handover=per_token / wire if serving.prefill_replicas else 0.0,
        handover_fixed=serving.handover_latency,
        pages=paged.windows,
    )
