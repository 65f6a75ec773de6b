"""What one rank of each configuration computes, reads and keeps: the model cut by its layout.

A rank passes each token through all layers (pipeline stages follow one another in time), so every
figure here is for a whole pass on one of the `tensor` ranks of one data-parallel group.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from inferometer.candidates import Candidates, Floats
from inferometer.perf.counts import LayerCounts, layer_counts

HEAD_BYTES = 2.0
"""Bytes per weight of embeddings and output head: published checkpoints keep them in 16 bit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shard:
    """Per-rank coefficients; `reach` runs over the distinct attention windows of the model.

    What belongs to the model alone is one number, or [config] where machines of several models
    stand side by side (`perf.stack`).

    Attributes:
        reaches: Tokens that one new token can see, per kind of layer; inf for full attention.
        layers: Layers of the model.
        moe_layers: Layers with routed experts.
        experts: Routed experts per such layer, 0 if the model is dense.
        experts_active: Routed experts per token.
        linear_flop: FLOP per token of projections and dense blocks.
        linear_bytes: Bytes of those weights, read once per step.
        expert_flop: FLOP per token of routed experts.
        expert_bytes: Bytes of all routed experts that the rank holds.
        head_flop: FLOP per sampled token of the output head.
        head_bytes: Bytes of the output head.
        embedding_bytes: Bytes of the input embedding that are kept beside the head.
        context_flop: FLOP per decoding token and visible token.
        prefill_context_flop: The same for a prompt token (latent attention expands its keys there).
        kv_bytes: KV bytes kept per token.
        read_bytes: KV bytes read per decoding token and visible token; fewer tokens are visible
            than kept where an indexer chooses among them.
        state_bytes: Recurrent state per sequence.
        state_flop: FLOP per token of recurrences.
        weight_bytes: Bytes of weights kept on one rank (one pipeline stage's share).
        activation_width: Bytes of one token's residual vector.
    """

    reaches: tuple[float, ...] | Floats
    layers: int | Floats
    moe_layers: int | Floats
    experts: int | Floats
    experts_active: int | Floats
    linear_flop: Floats  # [config]
    linear_bytes: Floats  # [config]
    expert_flop: Floats  # [config]
    expert_bytes: Floats  # [config]
    head_flop: Floats  # [config]
    head_bytes: Floats  # [config]
    embedding_bytes: Floats  # [config]
    context_flop: Floats  # [reach, config]
    prefill_context_flop: Floats  # [reach, config]
    kv_bytes: Floats  # [reach, config]
    read_bytes: Floats  # [reach, config]
    state_bytes: Floats  # [config]
    state_flop: Floats  # [config]
    weight_bytes: Floats  # [config]
    activation_width: float | Floats


def shard(candidates: Candidates) -> Shard:
    """Return the per-rank coefficients of every configuration; O(layers groups x configurations).

    Heads and widths are cut by `tensor`; KV heads are cut until each rank has one and replicated
    beyond; experts are spread over `tensor x data` ranks, whole or cut.
    """
    model, groups = candidates.model, layer_counts(candidates.model)
    tensor = candidates.column("tensor")
    expert_ranks = tensor * candidates.data
    # Full reach is always there: an allocator that is blind to windows keeps all tokens.
    used = {reach(g) for g in groups if g.kv_elements for reach in (_kept, _attended)}
    reaches = tuple(sorted({np.inf, *used}))
    over = partial(_by_reach, groups, reaches, tensor)
    index_flop = over(_kept, lambda g: g.index_flop / tensor)
    linear = _total(groups, lambda g: g.attention_weights + g.dense_weights)
    experts = _total(groups, lambda g: g.experts * g.expert_weights)
    active = _total(groups, lambda g: g.experts_active * g.expert_weights)
    head = float(model.hidden * model.vocab)
    linear_bytes = linear * _bytes(candidates, "linear") / tensor
    expert_bytes = experts * _bytes(candidates, "experts") / expert_ranks
    embedding = np.where(model.tied_embeddings, 0.0, HEAD_BYTES * head) / tensor
    head_bytes = HEAD_BYTES * head / tensor
    stages = candidates.pipeline
    return Shard(
        reaches=reaches,
        layers=sum(group.count for group in groups),
        moe_layers=sum(group.count for group in groups if group.experts),
        experts=max(group.experts for group in groups),
        experts_active=max(group.experts_active for group in groups),
        linear_flop=2 * linear / tensor,
        linear_bytes=linear_bytes,
        expert_flop=2 * active / tensor,
        expert_bytes=expert_bytes,
        head_flop=2 * head / tensor,
        head_bytes=head_bytes,
        embedding_bytes=embedding,
        context_flop=over(_attended, lambda g: g.context_flop / tensor) + index_flop,
        prefill_context_flop=over(_attended, lambda g: g.prefill_context_flop / tensor)
        + index_flop,
        kv_bytes=over(_kept, lambda g: g.kv_elements * _each(g, candidates)),
        read_bytes=over(
            _attended, lambda g: (g.kv_elements - g.index_elements) * _each(g, candidates)
        )
        + over(_kept, lambda g: g.index_elements * _each(g, candidates)),
        state_bytes=_total(groups, lambda g: g.state_bytes) / tensor,
        state_flop=_total(groups, lambda g: g.state_flop) / tensor,
        weight_bytes=(linear_bytes + expert_bytes) / stages + head_bytes + embedding,
        activation_width=2.0 * model.hidden,
    )


def _kept(group: LayerCounts) -> float:
    return np.inf if group.window is None else float(group.window)


def _attended(group: LayerCounts) -> float:
    return _kept(group) if group.index_topk is None else float(min(_kept(group), group.index_topk))


def _total(groups: tuple[LayerCounts, ...], count: Callable[[LayerCounts], float]) -> float:
    return float(sum(group.count * count(group) for group in groups))


def _by_reach(
    groups: tuple[LayerCounts, ...],
    reaches: tuple[float, ...],
    tensor: Floats,
    reach_of: Callable[[LayerCounts], float],
    count: Callable[[LayerCounts], Floats],
) -> Floats:
    mixing = [group for group in groups if group.kv_elements]
    none = np.zeros_like(tensor)
    rows = [
        sum((g.count * count(g) for g in mixing if reach_of(g) == reach), start=none)
        for reach in reaches
    ]
    return np.array(rows, dtype=np.float64)


def _each(group: LayerCounts, candidates: Candidates) -> Floats:
    """Return bytes per KV element on one rank: KV heads are cut until each rank has one."""
    ranks = np.minimum(candidates.column("tensor"), group.kv_heads)
    return _bytes(candidates, "kv") / ranks


def _bytes(candidates: Candidates, part: str) -> Floats:
    table = [getattr(precision, part).bytes_per_element for precision in candidates.precisions]
    return np.array(table)[candidates.precision]


def coverage(tokens: Floats, experts: int | Floats, active: int | Floats) -> Floats:
    """Return the expected share of routed experts that `tokens` tokens visit.

    1 - (1 - k/E)^t for uniform, independent routing (Erdil 2025, Eq. 29); 0 without experts.
    """
    if not np.any(experts):
        return np.zeros_like(tokens)
    missed = 1 - active / np.maximum(experts, 1)
    with np.errstate(divide="ignore"):
        return -np.expm1(tokens * np.log(missed))


def buildable(candidates: Candidates) -> NDArray[np.bool_]:
    """Return which layouts an engine would accept [config].

    Tensor ranks must divide the query heads of every layer; pipeline stages must not exceed the
    layers; whole experts must spread evenly over their ranks.
    """
    groups = layer_counts(candidates.model)
    heads = [group.query_heads for group in groups if group.query_heads]
    divides = np.ones(len(candidates), np.bool_)
    for count in heads:
        divides &= count % candidates.tensor == 0
    layers = sum(group.count for group in groups)
    experts = max(group.experts for group in groups)
    ranks = candidates.tensor * candidates.data
    whole = ~candidates.expert | ((experts > 0) & (experts % ranks == 0))
    return divides & (candidates.pipeline <= layers) & whole
