"""Softmax and latent attention of one layer, from the fields of its config.json."""

from inferometer.catalog.architecture import Attention, AttentionKind
from inferometer.catalog.fields import Fields


def grouped(  # noqa: PLR0913 - the traits in which families differ, all by name
    c: Fields,
    *,
    window: int | None = None,
    bias: str = "none",
    qk_norm: str = "none",
    gate: bool = False,
    sinks: bool = False,
    head_dim: int | None = None,
    kv_heads: int | None = None,
    value_dim: int | None = None,
) -> Attention:
    """Return softmax attention with grouped keys and values.

    Args:
        c: Fields.
        window: Tokens seen; None for all.
        bias: Which projections have one: "none", "qkv" or "all".
        qk_norm: "none", "head" (one weight per head element) or "full" (per projected element).
        gate: Whether the query projection also makes an output gate of its own width.
        sinks: Whether each head has a learned sink.
        head_dim: Width of a head if it is not the model's.
        kv_heads: KV heads if they are not the model's.
        value_dim: Width of a value head if it is not that of a key head.
    """
    heads = heads_of(c)
    groups = kv_heads or kv_heads_of(c)
    if heads % groups:
        raise c.fault("num_key_value_heads", f"{groups} does not divide {heads} query heads")
    width = head_dim or head_dim_of(c)
    query, keys = heads * width, groups * width
    biased = query + keys + groups * (value_dim or width)
    biases = {"none": 0, "qkv": biased, "all": biased + hidden_of(c)}[bias]
    norms = {"none": 0, "head": 2 * width, "full": query + keys}[qk_norm]
    return Attention(
        kind=AttentionKind.FULL if window is None else AttentionKind.WINDOW,
        query_heads=heads,
        kv_heads=groups,
        head_dim=width,
        value_dim=value_dim or width,
        window=window,
        extra_weights=biases + norms + gate * hidden_of(c) * query + sinks * heads,
    )


def hidden_of(c: Fields) -> int:
    """Return the width of the residual stream."""
    return c.whole("hidden_size", "n_embd", "n_embed", "d_model")


def heads_of(c: Fields) -> int:
    """Return the query heads."""
    return c.whole("num_attention_heads", "n_head", "n_heads")


def kv_heads_of(c: Fields) -> int:
    """Return the KV heads; as many as query heads if the file does not say."""
    return c.whole("num_key_value_heads", "num_kv_heads", default=heads_of(c))


def head_dim_of(c: Fields) -> int:
    """Return the width of a head; hidden width over heads only if the file does not say.

    Raises:
        CatalogError: it is missing and the heads do not divide the hidden width.
    """
    names = ("head_dim", "attention_head_dim", "kv_channels")
    if any(c.has(name) for name in names):
        return c.whole(*names)
    hidden, heads = hidden_of(c), heads_of(c)
    if hidden % heads:
        raise c.fault("head_dim", f"missing, and {heads} heads do not divide width {hidden}")
    return hidden // heads


def latent(c: Fields, *, indexer: bool = False) -> Attention:
    """Return multi-head latent attention, with a sparse indexer if the family has one."""
    rank = c.whole("q_lora_rank") if c.has("q_lora_rank") else None
    kv_rank, hidden = c.whole("kv_lora_rank"), hidden_of(c)
    heads, width, topk = 0, 0, None
    extra = (rank or 0) + kv_rank
    if indexer:
        heads, width = c.whole("index_n_heads"), c.whole("index_head_dim")
        topk = c.whole("index_topk")
        extra += (rank or hidden) * heads * width + hidden * (width + heads) + 2 * width
    return Attention(
        kind=AttentionKind.LATENT,
        query_heads=c.whole("num_attention_heads"),
        kv_heads=1,
        head_dim=c.whole("qk_nope_head_dim"),
        value_dim=c.whole("v_head_dim"),
        q_rank=rank,
        kv_rank=kv_rank,
        rope_dim=c.whole("qk_rope_head_dim"),
        extra_weights=extra,
        index_topk=topk,
        index_heads=heads,
        index_dim=width,
    )
