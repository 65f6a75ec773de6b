"""What fits: weights, KV cache, activations and the engine's own reserve on one accelerator."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Candidates, Floats
from inferometer.perf.sharding import Shard

ACTIVATION_VECTORS = 12.0
"""Residual-width vectors alive per batched token at the peak of a step: input, norm, QKV, output,
gate and up projections of a gated block about four times as wide, in 16 bit (Llama-style counts;
engines profile it at start-up)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory:
    """Memory of one accelerator by use, bytes per configuration.

    Attributes:
        weights: Weights of the rank.
        activations: Working space of the largest step.
        reserve: Runtime context, graphs, communication buffers.
        kv: What is left for the KV cache under the engine's rule; negative if weights do not fit.
    """

    weights: Floats
    activations: Floats
    reserve: Floats
    kv: Floats


def memory(candidates: Candidates, shard: Shard) -> Memory:
    """Return the memory of one accelerator of every configuration.

    vLLM and SGLang give the KV cache total x fraction - rest, TensorRT-LLM (total - rest) x
    fraction (conventions of each engine's documentation); the reserve counts as rest.
    """
    capacity = np.array([chip.memory for chip in candidates.accelerators])[candidates.accelerator]
    engines = candidates.engines
    reserve = np.array([engine.reserve for engine in engines])[candidates.engine]
    of_free = np.array([engine.memory_rule == "of-free" for engine in engines])[candidates.engine]
    working = candidates.column("max_batched_tokens") * shard.activation_width * ACTIVATION_VECTORS
    rest = shard.weight_bytes + working + reserve
    fraction = candidates.memory_fraction
    kv = np.where(of_free, (capacity - rest) * fraction, capacity * fraction - rest)
    return Memory(weights=shard.weight_bytes, activations=working, reserve=reserve, kv=kv)


def sequence_bytes(candidates: Candidates, shard: Shard, context: Floats) -> Floats:
    """Return the KV bytes of one sequence on one accelerator [config].

    Args:
        candidates: The configurations.
        shard: Their per-rank coefficients.
        context: Tokens held per reach, at most the reach under a hybrid allocator [reach, 1].
    """
    hybrid = np.array([engine.hybrid_allocator for engine in candidates.engines])
    kept = np.where(hybrid[candidates.engine], context, context.max(axis=0))
    return ((shard.kv_bytes * kept).sum(axis=0) + shard.state_bytes) / candidates.pipeline
