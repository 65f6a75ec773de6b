"""Families whose layers differ in kind: recurrent, softmax, or neither, one beside the other."""

from collections.abc import Mapping
from dataclasses import replace

from inferometer.catalog.architecture import Attention, AttentionKind, Block, FeedForward
from inferometer.catalog.channel import PLAIN, dense, experts
from inferometer.catalog.families.dense import bias_of
from inferometer.catalog.families.family import Family
from inferometer.catalog.families.mixture import deepseek_channel, granite_channel
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import grouped, heads_of, hidden_of, latent
from inferometer.catalog.recurrence import (
    delta_net,
    kimi_delta,
    lightning,
    mamba1,
    mamba2,
    short_convolution,
)

_FULL, _LINEAR = (
    frozenset(("full_attention", "attention")),
    frozenset(("linear_attention", "mamba")),
)
_KINDS = _FULL | _LINEAR | {"conv"}
_NOTHING, _IDLE = Attention(kind=AttentionKind.NONE), FeedForward()


def _is_full(c: Fields, i: int, layers: int) -> bool:
    return c.per_layer("layer_types", layers, _KINDS.__contains__)[i] in _FULL


def _qwen3_next(c: Fields, i: int, layers: int) -> Block:
    if c.has("layer_types"):
        full = _is_full(c, i, layers)
    else:
        full = (i + 1) % c.whole("full_attention_interval") == 0
    mixing = grouped(c, qk_norm="head", gate=True) if full else delta_net(c)
    if not c.has("num_experts"):
        return mixing, dense(c), 2 * hidden_of(c)
    shared = c.whole("shared_expert_intermediate_size")
    width = c.whole("moe_intermediate_size")
    return mixing, experts(c, width=width, shared=shared, shared_gate=True), 2 * hidden_of(c)


def _nemotron_h(c: Fields, i: int, layers: int) -> Block:
    kind, norm = _nemotron_kinds(c, layers)[i], hidden_of(c)
    return {
        "mamba": lambda: (mamba2(c), _IDLE, norm),
        "attention": lambda: (grouped(c), _IDLE, norm),
        "mlp": lambda: (_NOTHING, dense(c, matrices=PLAIN), norm),
        "moe": lambda: (_NOTHING, _nemotron_experts(c), norm),
    }[kind]()


def _nemotron_kinds(c: Fields, layers: int) -> list[str]:
    """Return the kind of each layer, which files give by names or by letters."""
    names = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
    if c.has("layers_block_type"):
        return c.per_layer("layers_block_type", layers, [*names.values()].__contains__)
    pattern = c.raw.get("hybrid_override_pattern")
    if not isinstance(pattern, str) or len(pattern) != layers or set(pattern) - names.keys():
        raise c.fault("hybrid_override_pattern", f"{layers} letters of M, *, - and E are wanted")
    return [names[letter] for letter in pattern]


def _nemotron_experts(c: Fields) -> FeedForward:
    hidden = hidden_of(c)
    shared = c.whole("moe_shared_expert_intermediate_size", default=0, low=0)
    routed = experts(c, width=c.whole("moe_intermediate_size"), shared=shared, correction=True)
    inner = c.whole("moe_latent_size", default=hidden)
    down_up = 2 * hidden * inner if inner != hidden else 0
    return replace(
        routed,
        matrices=PLAIN,
        extra_weights=routed.extra_weights + down_up,
        expert_hidden=inner,
    )


def _nemotron_nas(c: Fields, i: int, layers: int) -> Block:
    """Return a layer that architecture search shaped: heads and width of its own, or nothing."""
    blocks = c.per_layer("block_configs", layers, lambda item: isinstance(item, Mapping))
    own = Fields(f"{c.where}: block_configs[{i}]", blocks[i])
    mixing, channel = own.nested("attention"), own.nested("ffn")
    for part in (mixing, channel):
        if part.flag("replace_with_linear", default=False):
            raise part.fault("replace_with_linear", "true is not known of any published model")
    attention, block, norms = _NOTHING, _IDLE, 0
    if not mixing.flag("no_op", default=False):
        groups = heads_of(c) // mixing.whole("n_heads_in_group")
        attention, norms = grouped(c, kv_heads=groups), hidden_of(c)
    if not channel.flag("no_op", default=False):
        block, norms = dense(c, width=_nas_width(c, channel)), norms + hidden_of(c)
    return attention, block, norms


def _nas_width(c: Fields, channel: Fields) -> int:
    """Return two thirds of multiplier times width, rounded up to whole blocks of 256."""
    factor = channel.raw.get("ffn_mult")
    if not isinstance(factor, (int, float)) or not 0 < factor < 64:
        raise channel.fault("ffn_mult", f"a multiple of the width is wanted, not {factor!r:.60}")
    return -(-int(2 * factor * hidden_of(c) / 3) // 256) * 256


def _jamba(c: Fields, i: int, layers: int) -> Block:
    full = i % c.whole("attn_layer_period") == c.whole("attn_layer_offset", low=0)
    mixing = grouped(c) if full else mamba1(c)
    sparse = i % c.whole("expert_layer_period") == c.whole("expert_layer_offset", low=0)
    if not sparse or c.whole("num_experts") == 1:
        return mixing, dense(c), 2 * hidden_of(c)
    return mixing, experts(c, width=c.whole("intermediate_size")), 2 * hidden_of(c)


def _granite(c: Fields, i: int, layers: int) -> Block:
    full = _is_full(c, i, layers)
    return grouped(c, bias=bias_of(c)) if full else mamba2(c), granite_channel(c), 2 * hidden_of(c)


def _bamba(c: Fields, i: int, layers: int) -> Block:
    full = i in c.positions("attn_layer_indices", layers)
    return grouped(c) if full else mamba2(c), dense(c), 2 * hidden_of(c)


def _falcon_h1(c: Fields, i: int, layers: int) -> Block:
    """Return a layer with softmax and recurrence side by side: one record holds both."""
    full, state = grouped(c, bias=bias_of(c)), mamba2(c)
    both = replace(
        full,
        state_elements=state.state_elements,
        extra_weights=full.extra_weights + state.extra_weights,
        extra_flop_per_token=state.extra_flop_per_token,
    )
    return both, dense(c, bias=c.flag("mlp_bias", default=False)), 2 * hidden_of(c)


def _minimax(c: Fields, i: int, layers: int) -> Block:
    if c.has("attn_type_list"):  # 1: softmax, 0: lightning
        full = c.per_layer("attn_type_list", layers, lambda item: item in (0, 1))[i] == 1
    else:
        full = _is_full(c, i, layers)
    if c.whole("shared_intermediate_size", default=0, low=0):
        raise c.fault("shared_intermediate_size", "not known of any published model")
    channel = experts(c, width=c.whole("intermediate_size"))
    return grouped(c) if full else lightning(c), channel, 2 * hidden_of(c)


def _kimi_linear(c: Fields, i: int, layers: int) -> Block:
    linear = c.nested("linear_attn_config")
    full = {position - 1 for position in linear.positions("full_attn_layers", layers + 1)}
    mixing = latent(c) if i in full else kimi_delta(c, linear)
    return mixing, deepseek_channel(c, i), 2 * hidden_of(c)


def _lfm2(c: Fields, i: int, layers: int) -> Block:
    if c.has("layer_types"):
        full = _is_full(c, i, layers)
    else:
        full = i in c.positions("full_attn_idxs", layers)
    mixing = grouped(c, qk_norm="head") if full else short_convolution(c)
    return mixing, dense(c, width=_lfm2_width(c)), 2 * hidden_of(c)


def _lfm2_width(c: Fields) -> int:
    width = c.whole("block_ff_dim", "intermediate_size")
    if not c.flag("block_auto_adjust_ff_dim", default=True):
        return width
    factor = c.raw.get("block_ffn_dim_multiplier", 1.0)
    if not isinstance(factor, (int, float)) or not 0 < factor < 64:
        raise c.fault("block_ffn_dim_multiplier", f"a factor is wanted, not {factor!r:.60}")
    unit = c.whole("block_multiple_of", default=256)
    return -(-int(factor * (2 * width // 3)) // unit) * unit


FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"), Family(_qwen3_next)),
    "nemotron_h": Family(_nemotron_h, reads=frozenset(("moe_latent_size",))),
    "nemotron-nas": Family(_nemotron_nas),
    "jamba": Family(_jamba),
    "granitemoehybrid": Family(_granite),
    "bamba": Family(_bamba),
    "falcon_h1": Family(_falcon_h1),
    **dict.fromkeys(("minimax", "minimax_text_01", "minimax_m1"), Family(_minimax)),
    "kimi_linear": Family(_kimi_linear),
    "lfm2": Family(_lfm2, tied=True),
}
"""Readers by `model_type`."""
