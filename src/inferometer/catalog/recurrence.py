"""Recurrent token mixing of one layer, from the fields of its config.json: state of fixed size."""

from inferometer.catalog.architecture import Attention, AttentionKind
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import head_dim_of, heads_of, hidden_of

SSM_FLOP, DELTA_FLOP = 5.0, 7.0
"""Arithmetic per state element and token: decay, input outer product, add, read-out; the delta
rule recalls and corrects besides."""


def _linear(heads: int, key: int, value: int, rolling: int, weights: int, flop: float) -> Attention:
    """Return recurrent mixing with a state of heads x key x value and `rolling` elements more."""
    state = heads * key * value
    return Attention(
        kind=AttentionKind.LINEAR,
        query_heads=heads,
        kv_heads=heads,
        head_dim=key,
        value_dim=value,
        state_elements=state + rolling,
        extra_weights=weights,
        extra_flop_per_token=flop * state,
    )


def mamba2(c: Fields) -> Attention:
    """Return a Mamba-2 block (Nemotron-H, Granite 4, Falcon-H1, Bamba)."""
    hidden, heads = hidden_of(c), c.whole("mamba_num_heads", "mamba_n_heads")
    inner, state = _inner(c, heads), c.whole("ssm_state_size", "mamba_d_state")
    mixed = inner + 2 * c.whole("n_groups", "mamba_n_groups") * state
    kernel = c.whole("conv_kernel", "mamba_d_conv")
    bias = c.flag("use_conv_bias", default=True) and c.flag("mamba_conv_bias", default=True)
    norm = inner if c.flag("mamba_rms_norm", default=not c.has("mamba_d_ssm")) else 0
    weights = hidden * (inner + mixed + heads) + mixed * (kernel + bias) + 3 * heads + norm
    weights += inner * hidden
    return _linear(heads, inner // heads, state, mixed * (kernel - 1), weights, SSM_FLOP)


def _inner(c: Fields, heads: int) -> int:
    """Return the inner width: given, by heads, or a multiple of the model's."""
    if c.has("mamba_d_ssm"):
        inner = c.whole("mamba_d_ssm")
    elif c.has("mamba_head_dim"):
        return heads * c.whole("mamba_head_dim")
    else:
        inner = c.whole("mamba_expand") * hidden_of(c)
    if inner % heads:
        raise c.fault("mamba_n_heads", f"{heads} does not divide the inner width {inner}")
    return inner


def mamba1(c: Fields) -> Attention:
    """Return a Mamba block with normalised time step, input and output (Jamba)."""
    hidden = hidden_of(c)
    inner, state = c.whole("mamba_expand") * hidden, c.whole("mamba_d_state")
    auto = c.raw.get("mamba_dt_rank") == "auto"
    rank = -(-hidden // 16) if auto else c.whole("mamba_dt_rank")
    kernel = c.whole("mamba_d_conv")
    weights = 3 * hidden * inner + inner * (kernel + c.flag("mamba_conv_bias", default=True))
    weights += (inner + 1) * (rank + 2 * state) + inner * rank + inner * (state + 2)
    return _linear(1, inner, state, inner * (kernel - 1), weights, SSM_FLOP)


def delta_net(c: Fields) -> Attention:
    """Return a gated delta net (Qwen3-Next, Qwen3.5): state of value heads x key x value width."""
    hidden, heads = hidden_of(c), c.whole("linear_num_value_heads")
    key, value = c.whole("linear_key_head_dim"), c.whole("linear_value_head_dim")
    keys, values = c.whole("linear_num_key_heads") * key, heads * value
    kernel, mixed = c.whole("linear_conv_kernel_dim"), 2 * keys + values
    weights = hidden * (mixed + values + 2 * heads) + mixed * kernel + 2 * heads + value
    weights += values * hidden
    return _linear(heads, key, value, mixed * (kernel - 1), weights, DELTA_FLOP)


def kimi_delta(c: Fields, linear: Fields) -> Attention:
    """Return Kimi delta attention: a delta net whose decay differs by channel.

    Args:
        c: Fields of the model.
        linear: Fields of its `linear_attn_config`.
    """
    hidden, heads, width = hidden_of(c), linear.whole("num_heads"), linear.whole("head_dim")
    inner, kernel = heads * width, linear.whole("short_conv_kernel_size")
    gates = 2 * (hidden * width + width * inner) + inner + heads
    weights = 4 * hidden * inner + 3 * inner * kernel + gates + hidden * heads + width
    return _linear(heads, width, width, 3 * inner * (kernel - 1), weights, DELTA_FLOP)


def lightning(c: Fields) -> Attention:
    """Return lightning attention (MiniMax-01, M1): linear attention with a fixed decay per head."""
    heads, width = heads_of(c), head_dim_of(c)
    inner = heads * width
    return _linear(heads, width, width, 0, 5 * hidden_of(c) * inner + inner, SSM_FLOP)


def short_convolution(c: Fields) -> Attention:
    """Return a gated short convolution (LFM2): its state is the last few inputs."""
    hidden, kernel = hidden_of(c), c.whole("conv_L_cache")
    bias = 5 * hidden if c.flag("conv_bias", default=False) else 0
    weights = 4 * hidden * hidden + hidden * kernel + bias
    return Attention(
        kind=AttentionKind.LINEAR, state_elements=hidden * (kernel - 1), extra_weights=weights
    )
