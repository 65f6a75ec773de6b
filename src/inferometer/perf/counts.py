"""What one token costs a model: parameters, FLOP, bytes, KV cache, by layer group."""

from dataclasses import dataclass

from inferometer.catalog.models import AttentionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCounts:
    """Counts of ONE layer of a group of `count` identical layers; elements, not bytes.

    Attributes:
        count: Layers in the group.
        kind: Attention mechanism.
        attention_weights: Weights of token mixing, read once per step, 2 FLOP each per token.
        dense_weights: Always-active channel-mixing weights: dense block, shared experts, router,
            norms.
        expert_weights: Weights of ONE routed expert; 0 if the layer is dense.
        experts: Routed experts; 0 if dense.
        experts_active: Routed experts per token.
        query_heads: Query heads: tensor parallelism cuts these.
        kv_heads: KV heads: beyond this many ranks KV is replicated (1 for latent attention).
        kv_elements: Elements of KV cache per cached token, all KV heads together.
        context_flop: FLOP per new token and visible earlier token (scores and weighted sum).
        window: Most tokens visible to one new token; None for all.
        state_bytes: Recurrent state per sequence, bytes.
        state_flop: FLOP per token of the recurrence beyond 2 per weight.
        feed_forward_width: Summed hidden width that tensor parallelism cuts.
    """

    count: int
    kind: AttentionKind
    attention_weights: int
    dense_weights: int
    expert_weights: int
    experts: int
    experts_active: int
    query_heads: int
    kv_heads: int
    kv_elements: int
    context_flop: float
    window: int | None
    state_bytes: float
    state_flop: float
    feed_forward_width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Parameter counts of a model.

    Attributes:
        total: All weights, embeddings included (once if tied).
        active: Weights that one token uses, by the publishers' convention: total less the routed
            experts it does not visit.
        embedding: Weights of the input embedding and the output head.
    """

    total: int
    active: int
    embedding: int
