"""Token mixing of one layer from the fields of its config.json: softmax, latent, recurrent."""

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
    """
    heads = c.whole("num_attention_heads", "n_head")
    groups = kv_heads or kv_heads_of(c)
    width = head_dim or head_dim_of(c)
    query, keys = heads * width, groups * width
    biases = {"none": 0, "qkv": query + 2 * keys, "all": query + 2 * keys + hidden_of(c)}[bias]
    norms = {"none": 0, "head": 2 * width, "full": query + keys}[qk_norm]
    return Attention(
        kind=AttentionKind.FULL if window is None else AttentionKind.WINDOW,
        query_heads=heads,
        kv_heads=groups,
        head_dim=width,
        value_dim=width,
        window=window,
        extra_weights=biases + norms + gate * hidden_of(c) * query + sinks * heads,
    )


def hidden_of(c: Fields) -> int:
    """Return the width of the residual stream."""
    return c.whole("hidden_size", "n_embd")


def kv_heads_of(c: Fields) -> int:
    """Return the KV heads; as many as query heads if the file does not say.

    Raises:
        CatalogError: they do not divide the query heads.
    """
    heads = c.whole("num_attention_heads", "n_head")
    groups = c.whole("num_key_value_heads", "num_kv_heads", default=heads)
    if heads % groups:
        raise c.fault("num_key_value_heads", f"{groups} does not divide {heads} query heads")
    return groups


def head_dim_of(c: Fields) -> int:
    """Return the width of a head; hidden width over heads only if the file does not say.

    Raises:
        CatalogError: it is missing and the heads do not divide the hidden width.
    """
    if c.has("head_dim") or c.has("attention_head_dim"):
        return c.whole("head_dim", "attention_head_dim")
    hidden, heads = hidden_of(c), c.whole("num_attention_heads", "n_head")
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


def mamba2(c: Fields) -> Attention:
    """Return a Mamba-2 block (Nemotron-H field names): state of heads x head width x state."""
    hidden, heads = hidden_of(c), c.whole("mamba_num_heads")
    inner, state = heads * c.whole("mamba_head_dim"), c.whole("ssm_state_size")
    mixed = inner + 2 * c.whole("n_groups") * state
    kernel = c.whole("conv_kernel")
    weights = hidden * (inner + mixed + heads) + mixed * (
        kernel + c.flag("use_conv_bias", default=True)
    )
    return Attention(
        kind=AttentionKind.LINEAR,
        query_heads=heads,
        kv_heads=heads,
        head_dim=inner // heads,
        value_dim=inner // heads,
        state_elements=inner * state + mixed * (kernel - 1),
        extra_weights=weights + 3 * heads + inner + inner * hidden,
        extra_flop_per_token=5.0 * inner * state,  # decay, input outer product, add, read-out
    )


def delta_net(c: Fields) -> Attention:
    """Return a gated delta net (Qwen3-Next, Qwen3.5): state of value heads x key x value width."""
    hidden, heads = hidden_of(c), c.whole("linear_num_value_heads")
    key, value = c.whole("linear_key_head_dim"), c.whole("linear_value_head_dim")
    keys, values = c.whole("linear_num_key_heads") * key, heads * value
    kernel, mixed = c.whole("linear_conv_kernel_dim"), 2 * keys + values
    weights = hidden * (mixed + values + 2 * heads) + mixed * kernel + 2 * heads + value
    return Attention(
        kind=AttentionKind.LINEAR,
        query_heads=heads,
        kv_heads=heads,
        head_dim=key,
        value_dim=value,
        state_elements=heads * key * value + mixed * (kernel - 1),
        extra_weights=weights + values * hidden,
        extra_flop_per_token=7.0 * heads * key * value,  # decay, recall, correct, read-out
    )
