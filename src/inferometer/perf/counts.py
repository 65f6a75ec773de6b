"""What one token costs a model: parameters, FLOP, bytes, KV cache, by layer group."""

from dataclasses import dataclass

from inferometer.catalog.architecture import (
    Attention,
    AttentionKind,
    FeedForward,
    Layer,
    Model,
    mixing_weights,
)


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
        prefill_context_flop: The same in prefill, where latent attention expands keys and values
            instead of absorbing their projections; equal to `context_flop` elsewhere.
        window: Most tokens visible to one new token; None for all.
        index_topk: Tokens that a sparse indexer keeps of those visible; None for all.
        index_flop: FLOP of that indexer per new token and visible earlier token.
        index_elements: Elements of its keys per cached token, part of `kv_elements`; all are read.
        state_bytes: Recurrent state per sequence, bytes.
        state_flop: FLOP per token of the recurrence beyond 2 per weight.
        feed_forward_width: Hidden width that tensor parallelism cuts: of the dense block, or of
            one routed expert.
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
    prefill_context_flop: float
    window: int | None
    index_topk: int | None
    index_flop: float
    index_elements: int
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


def layer_counts(model: Model) -> tuple[LayerCounts, ...]:
    """Return the counts of every layer group, in the model's order."""
    return tuple(_counts(model.hidden, layer) for layer in model.layers)


def parameters(model: Model) -> Parameters:
    """Return the number of weights, from the architecture alone."""
    head = lm_head(model)
    embedding = head if model.tied_embeddings else 2 * head
    total, idle = embedding + model.extra_weights, 0
    for group in layer_counts(model):
        always = group.attention_weights + group.dense_weights
        total += group.count * (always + group.experts * group.expert_weights)
        idle += group.count * (group.experts - group.experts_active) * group.expert_weights
    return Parameters(total=total, active=total - idle, embedding=embedding)


def lm_head(model: Model) -> int:
    """Return the weights of the output head, read once per step even if tied."""
    return model.vocab * model.hidden


def kv_bytes_per_token(model: Model, bytes_per_element: float) -> float:
    """Return the KV cache that one token adds over all layers, windows not yet full, bytes."""
    return bytes_per_element * sum(g.count * g.kv_elements for g in layer_counts(model))


def kv_bytes(model: Model, tokens: float, bytes_per_element: float, *, hybrid: bool) -> float:
    """Return the KV cache of one sequence, bytes; recurrent state is not part of it.

    Args:
        model: Architecture.
        tokens: Cached tokens.
        bytes_per_element: Storage of one KV element.
        hybrid: Whether the engine frees what has left a window; without, it keeps everything.
    """
    elements = 0.0
    for group in layer_counts(model):
        kept = tokens if not hybrid else visible(tokens, group.window)
        elements += group.count * group.kv_elements * kept
    return bytes_per_element * elements


def state_bytes(model: Model) -> float:
    """Return the recurrent state of one sequence over all layers, bytes."""
    return sum(group.count * group.state_bytes for group in layer_counts(model))


def visible(tokens: float, window: int | None) -> float:
    """Return how many of `tokens` a layer with this window sees."""
    return tokens if window is None else min(tokens, window)


def decode_flop(model: Model, context: float) -> float:
    """Return the FLOP of one new token, its output head included.

    Args:
        model: Architecture.
        context: Tokens that the new one sees, itself included.
    """
    flop = 2.0 * lm_head(model)
    for group in layer_counts(model):
        seen = visible(visible(context, group.window), group.index_topk)
        flop += group.count * (
            _token_flop(group) + group.context_flop * seen + group.index_flop * context
        )
    return flop


def prefill_flop(model: Model, tokens: int, cached: int = 0) -> float:
    """Return the FLOP of a prompt, causal; the output head runs for its last token only.

    Args:
        model: Architecture.
        tokens: Prompt tokens to compute.
        cached: Tokens of a prefix already in the cache; they are seen but not computed.
    """
    flop = 2.0 * lm_head(model)
    for group in layer_counts(model):
        limits = [w for w in (group.window, group.index_topk) if w is not None]
        pairs = causal_pairs(tokens, cached, min(limits, default=None))
        flop += group.count * (
            tokens * _token_flop(group)
            + group.prefill_context_flop * pairs
            + group.index_flop * causal_pairs(tokens, cached, None)
        )
    return flop


def causal_pairs(tokens: int, cached: int, window: int | None) -> float:
    """Return the sum over new tokens of the tokens each sees, itself included.

    Token j (from 1) sees min(cached + j, window).
    """
    last = cached + tokens
    if window is None or last <= window:
        return tokens * cached + tokens * (tokens + 1) / 2
    rising = max(0, window - cached)
    return rising * cached + rising * (rising + 1) / 2 + (tokens - rising) * window


def _token_flop(group: LayerCounts) -> float:
    experts = group.experts_active * group.expert_weights
    return 2.0 * (group.attention_weights + group.dense_weights + experts) + group.state_flop


def _counts(hidden: int, layer: Layer) -> LayerCounts:
    mixing, channel = layer.attention, layer.feed_forward
    latent = mixing.kind is AttentionKind.LATENT
    return LayerCounts(
        count=layer.count,
        kind=mixing.kind,
        attention_weights=mixing_weights(hidden, mixing),
        dense_weights=_always_weights(hidden, channel) + layer.norm_weights,
        expert_weights=_expert_weights(hidden, channel) if channel.experts else 0,
        experts=channel.experts,
        experts_active=channel.experts_active,
        query_heads=mixing.query_heads,
        kv_heads=1 if latent else mixing.kv_heads,
        kv_elements=_kv_elements(mixing),
        context_flop=_absorbed_flop(mixing) if latent else _context_flop(mixing),
        prefill_context_flop=_context_flop(mixing),
        window=mixing.window,
        index_topk=mixing.index_topk,
        index_flop=2.0 * mixing.index_heads * mixing.index_dim,
        index_elements=mixing.index_dim,
        state_bytes=mixing.state_elements * mixing.state_bytes_per_element,
        state_flop=mixing.extra_flop_per_token,
        feed_forward_width=channel.width,
    )


def _expert_weights(hidden: int, f: FeedForward) -> int:
    return f.matrices * (f.expert_hidden or hidden) * f.width + f.expert_bias


def _always_weights(hidden: int, f: FeedForward) -> int:
    dense = 0 if f.experts else f.width
    return f.matrices * hidden * (dense + f.shared_width) + f.extra_weights


def _kv_elements(a: Attention) -> int:
    if a.kind is AttentionKind.LATENT:
        return a.kv_rank + a.rope_dim + a.index_dim
    return a.kv_heads * (a.head_dim + a.value_dim) if _softmax(a) else 0


def _context_flop(a: Attention) -> float:
    return 2.0 * a.query_heads * (a.head_dim + a.rope_dim + a.value_dim) * _softmax(a)


def _absorbed_flop(a: Attention) -> float:
    return 2.0 * a.query_heads * (2 * a.kv_rank + a.rope_dim)


def _softmax(a: Attention) -> bool:
    return a.kind not in (AttentionKind.LINEAR, AttentionKind.NONE)
