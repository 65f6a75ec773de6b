"""Time of collectives between the ranks of one replica."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Candidates, Floats
from inferometer.perf.sharding import Shard

DISPATCH_BYTES = 1.0
"""Bytes per element of an all-to-all dispatch: DeepEP and TensorRT-LLM send 8-bit activations."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """Collectives of one pass through all layers, as latency and bytes per token.

    Attributes:
        reductions: All-reduces per pass, times whether there is more than one tensor rank.
        reduction_bytes: Bytes over the slowest link per token, all all-reduces of a pass.
        exchange_bytes: Bytes over the slowest link per token, all all-to-alls of a pass.
        exchanges: All-to-alls per pass.
        hops: Pipeline transfers per pass.
        hop_bytes: Bytes per token of all pipeline transfers.
        tensor_bandwidth: Link that tensor ranks share, B/s.
        expert_bandwidth: Link that expert ranks share, B/s.
        pipeline_bandwidth: Link between pipeline stages, B/s.
        ranks: Tensor ranks.
    """

    reductions: Floats  # [config]
    reduction_bytes: Floats  # [config]
    exchange_bytes: Floats  # [config]
    exchanges: Floats  # [config]
    hops: Floats  # [config]
    hop_bytes: Floats  # [config]
    tensor_bandwidth: Floats  # [config]
    expert_bandwidth: Floats  # [config]
    pipeline_bandwidth: Floats  # [config]
    ranks: Floats  # [config]


def links(candidates: Candidates, shard: Shard) -> Links:
    """Return the collectives of every configuration.

    A ring all-reduce moves 2 (n - 1) / n of the message through each link; a layer has two, or one
    where data-parallel ranks share routed experts: an all-to-all pair over `tensor x data` ranks
    takes the second's place, and moves (r - 1) / r of k copies of each token there and back. Tensor
    ranks alone hold the same tokens, so whole experts on them need the all-reduce and no exchange.
    """
    tensor = candidates.column("tensor")
    ranks = tensor * candidates.data
    shared = (tensor > 1).astype(np.float64)
    spread = ((candidates.data > 1) & (shard.moe_layers > 0)).astype(np.float64)
    exchanges = 2.0 * shard.moe_layers * spread
    reductions = (2.0 * shard.layers - shard.moe_layers * spread) * shared
    volume = 2 * (tensor - 1) / tensor * shard.activation_width
    copies = np.minimum(shard.experts_active, ranks) * (ranks - 1) / ranks / tensor
    there_and_back = shard.activation_width * (DISPATCH_BYTES / 2 + 1)
    hops = candidates.column("pipeline") - 1
    return Links(
        reductions=reductions,
        reduction_bytes=reductions * volume,
        exchange_bytes=exchanges / 2 * copies * there_and_back,
        exchanges=exchanges,
        hops=hops,
        hop_bytes=hops * shard.activation_width,
        tensor_bandwidth=_bandwidth(candidates, tensor),
        expert_bandwidth=_bandwidth(candidates, ranks),
        pipeline_bandwidth=_bandwidth(candidates, ranks * candidates.pipeline),
        ranks=tensor,
    )


def _bandwidth(candidates: Candidates, ranks: Floats) -> Floats:
    chips = candidates.accelerators
    domain = np.array([float(chip.link_domain) for chip in chips])[candidates.accelerator]
    inside = np.array([chip.link_bandwidth for chip in chips])[candidates.accelerator]
    between = np.array([chip.network_bandwidth for chip in chips])[candidates.accelerator]
    return np.where(ranks <= domain, inside, np.minimum(inside, between))
