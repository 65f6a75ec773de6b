"""The architecture of a language model, layer group by layer group, as config.json states it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inferometer.catalog.source import Source


class AttentionKind(StrEnum):
    """How a layer mixes tokens."""

    FULL = "full"  # softmax over all earlier tokens (MHA, MQA, GQA)
    WINDOW = "window"  # softmax over the last `window` tokens
    LATENT = "latent"  # multi-head latent attention: one compressed vector per token
    LINEAR = "linear"  # recurrent state of fixed size (SSM, linear attention, delta nets)
    NONE = "none"  # no token mixing in this layer (feed-forward-only blocks of hybrids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Token mixing of one layer.

    Attributes:
        kind: Mechanism.
        query_heads: Heads of the query.
        kv_heads: Heads of keys and values; equal to `query_heads` without grouping.
        head_dim: Width of one query or key head (without the rotary part for LATENT).
        value_dim: Width of one value head.
        window: Tokens seen by a WINDOW layer, the current one included; None elsewhere.
        q_rank: Rank of the query projection for LATENT; None if the query is not compressed.
        kv_rank: Rank of the latent KV vector for LATENT.
        rope_dim: Width of the separately cached rotary key for LATENT.
        state_elements: Recurrent state per sequence for LINEAR, all heads together.
        state_bytes_per_element: Bytes of one state element (engines keep most in 32 bit).
        extra_weights: Weights that the head geometry does not give (biases, norms of queries and
            keys, gates, convolutions, SSM projections), so that parameter counts are exact.
        extra_flop_per_token: Arithmetic of those weights' recurrence beyond 2 FLOP per weight.
        index_topk: Tokens kept by a sparse-attention indexer; None without one.
        index_heads: Query heads of that indexer.
        index_dim: Width of its heads, and of the one key per token that it caches.
    """

    kind: AttentionKind
    query_heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    value_dim: int = 0
    window: int | None = None
    q_rank: int | None = None
    kv_rank: int = 0
    rope_dim: int = 0
    state_elements: int = 0
    state_bytes_per_element: float = 4.0
    extra_weights: int = 0
    extra_flop_per_token: float = 0.0
    index_topk: int | None = None
    index_heads: int = 0
    index_dim: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """Channel mixing of one layer, dense (`experts` = 0) or mixture of experts.

    Attributes:
        width: Hidden width of the dense block, or of ONE routed expert; 0 for none.
        matrices: Weight matrices per block: 3 gated (SwiGLU, GeGLU), 2 plain.
        experts: Routed experts; 0 if dense.
        experts_active: Routed experts that one token visits.
        shared_width: Total hidden width of the always-active experts beside the routed ones.
        extra_weights: Router, biases, gates: whatever width and matrices do not give.
        expert_bias: Bias weights of ONE routed expert.
        expert_hidden: Width at which the routed experts work if not the model's; 0 for that.
    """

    width: int = 0
    matrices: int = 3
    experts: int = 0
    experts_active: int = 0
    shared_width: int = 0
    extra_weights: int = 0
    expert_bias: int = 0
    expert_hidden: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A group of `count` identical layers.

    Attributes:
        count: Layers in the group.
        attention: Token mixing.
        feed_forward: Channel mixing.
        norm_weights: Weights of the layer's normalisations.
    """

    count: int
    attention: Attention
    feed_forward: FeedForward
    norm_weights: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One set of published weights.

    Attributes:
        name: Repository that holds it, e.g. "nvidia/Qwen3-32B-NVFP4".
        linear: Number format key of the dense linear layers.
        experts: Format of the routed experts; "" if the same as `linear`.
        kv: Format of the KV cache that the checkpoint asks for; "" leaves it to the engine.
        source: Where the checkpoint is published.
    """

    name: str
    linear: str = "bf16"
    experts: str = ""
    kv: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A decoder-only language model (of a multimodal model: its language part).

    Attributes:
        key: Name in the catalogue, e.g. "llama-3.1-70b".
        name: Name for people.
        aliases: Other spellings, benchmark names and repository ids that resolve to it.
        family: Architecture family, e.g. "llama3".
        hidden: Width of the residual stream.
        vocab: Vocabulary size.
        tied_embeddings: Whether input and output embeddings are one matrix.
        max_context: Longest context the model was published for, tokens.
        layers: Layer groups, in order of first appearance.
        extra_weights: Weights outside layers and embeddings (final norm, position table).
        checkpoints: Published weights; the first is the default.
        image_tokens: Tokens that an image takes in a prompt; 0 where unknown or no image is read.
        published_total: Parameter count that the publisher states, 0 if not stated.
        published_active: Active parameters that the publisher states, 0 if not stated.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    family: str = ""
    hidden: int
    vocab: int
    tied_embeddings: bool = False
    max_context: int
    layers: tuple[Layer, ...]
    extra_weights: int = 0
    checkpoints: tuple[Checkpoint, ...] = ()
    image_tokens: int = 0
    published_total: float = 0.0
    published_active: float = 0.0
    sources: Mapping[str, Source] = field(default_factory=dict)


Block = tuple[Attention, FeedForward, int]
"""Token mixing, channel mixing and norm weights of one layer."""


def grouped_layers(blocks: Iterable[Block]) -> tuple[Layer, ...]:
    """Return the groups of equal layers, in order of first appearance."""
    counted: dict[Block, int] = {}
    for block in blocks:
        counted[block] = counted.get(block, 0) + 1
    return tuple(
        Layer(count=n, attention=a, feed_forward=f, norm_weights=w)
        for (a, f, w), n in counted.items()
    )


def mixing_weights(hidden: int, a: Attention) -> int:
    """Return the weights of one layer's token mixing in a residual stream of width `hidden`."""
    if a.kind is AttentionKind.LATENT:
        return _latent_weights(hidden, a)
    if a.kind in (AttentionKind.FULL, AttentionKind.WINDOW):
        keys = hidden * a.kv_heads * (a.head_dim + a.value_dim)
        return hidden * a.query_heads * (a.head_dim + a.value_dim) + keys + a.extra_weights
    return a.extra_weights


def _latent_weights(hidden: int, a: Attention) -> int:
    width = a.query_heads * (a.head_dim + a.rope_dim)
    query = hidden * width if a.q_rank is None else a.q_rank * (hidden + width)
    down = hidden * (a.kv_rank + a.rope_dim)
    up = a.kv_rank * a.query_heads * (a.head_dim + a.value_dim)
    return query + down + up + a.query_heads * a.value_dim * hidden + a.extra_weights
