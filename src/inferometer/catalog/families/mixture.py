"""Families with mixtures of experts, over grouped or latent attention."""

from collections.abc import Mapping
from dataclasses import replace

from inferometer.catalog.architecture import Block, FeedForward
from inferometer.catalog.channel import dense, experts
from inferometer.catalog.families.dense import bias_of, qwen3, qwen3_attention
from inferometer.catalog.families.family import Family, final_layer_norm
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import grouped, hidden_of, latent
from inferometer.catalog.windows import qwen_window, window_of


def _mixtral(c: Fields, i: int, layers: int) -> Block:
    mixing = grouped(c, window=window_of(c, i, layers, rest="all"))
    return mixing, experts(c, width=c.whole("intermediate_size")), 2 * hidden_of(c)


def _phimoe(c: Fields, i: int, layers: int) -> Block:
    mixing = grouped(c, window=window_of(c, i, layers, rest="all"), bias=bias_of(c))
    return mixing, experts(c, width=c.whole("intermediate_size")), 4 * hidden_of(c)


def _phimoe_outside(c: Fields) -> int:
    bias = c.flag("lm_head_bias", default=False)
    return final_layer_norm(c) + bias * c.whole("vocab_size")


def _sparse(c: Fields, i: int, layers: int) -> bool:
    """Return whether layer i has experts, by the fields of the Qwen families."""
    skipped = c.positions("mlp_only_layers", layers)
    return i not in skipped and (i + 1) % c.whole("decoder_sparse_step", default=1) == 0


def _qwen2_moe(c: Fields, i: int, layers: int) -> Block:
    bias = "qkv" if c.flag("qkv_bias", default=True) else "none"
    mixing = grouped(c, bias=bias, window=qwen_window(c, i, layers))
    if not _sparse(c, i, layers):
        return mixing, dense(c), 2 * hidden_of(c)
    shared = c.whole("shared_expert_intermediate_size")
    width = c.whole("moe_intermediate_size")
    return mixing, experts(c, width=width, shared=shared, shared_gate=True), 2 * hidden_of(c)


def _qwen3_moe(c: Fields, i: int, layers: int) -> Block:
    if not _sparse(c, i, layers):
        return qwen3(c, i, layers)
    channel = experts(c, width=c.whole("moe_intermediate_size"))
    return qwen3_attention(c, i, layers), channel, 2 * hidden_of(c)


def _deepseek(c: Fields, i: int, layers: int) -> Block:
    mixing = latent(c, indexer=c.has("index_topk"))
    return mixing, deepseek_channel(c, i), 2 * hidden_of(c)


def deepseek_channel(c: Fields, i: int, *, correction: bool = True) -> FeedForward:
    """Return the channel mixing of DeepSeek's kind: first dense, then routed and shared experts.

    Args:
        c: Fields.
        i: Layer.
        correction: Whether the router has one bias per expert.
    """
    first = c.whole("first_k_dense_replace", low=0)
    if i < first or i % c.whole("moe_layer_freq", default=1):
        return dense(c)
    width = c.whole("moe_intermediate_size")
    shared = width * c.whole("n_shared_experts", "num_shared_experts", default=0, low=0)
    return experts(c, width=width, shared=shared, correction=correction)


def _deepseek_v2(c: Fields, i: int, layers: int) -> Block:
    return latent(c), deepseek_channel(c, i, correction=_corrected(c)), 2 * hidden_of(c)


def _corrected(c: Fields) -> bool:
    return c.raw.get("topk_method") == "noaux_tc"


def _deepseek_v1(c: Fields, i: int, layers: int) -> Block:
    return grouped(c, bias=bias_of(c)), deepseek_channel(c, i, correction=False), 2 * hidden_of(c)


def _glm4_moe(c: Fields, i: int, layers: int) -> Block:
    bias = "qkv" if c.flag("attention_bias", default=False) else "none"
    norm = "head" if c.flag("use_qk_norm", default=False) else "none"
    return grouped(c, bias=bias, qk_norm=norm), deepseek_channel(c, i), 2 * hidden_of(c)


def _dots1(c: Fields, i: int, layers: int) -> Block:
    window = qwen_window(c, i, layers)
    mixing = grouped(c, bias=bias_of(c), qk_norm="head", window=window)
    return mixing, deepseek_channel(c, i), 2 * hidden_of(c)


def _ernie_moe(c: Fields, i: int, layers: int) -> Block:
    bias = c.flag("use_bias", default=False)
    mixing = grouped(c, bias="all" if bias else "none")
    last = c.whole("moe_layer_end_index", default=layers - 1, low=-1) % layers
    inside = c.whole("moe_layer_start_index", low=0) <= i <= last
    if not inside or (i + 1) % c.whole("moe_layer_interval", default=1):
        return mixing, dense(c, bias=bias), 2 * hidden_of(c)
    width = c.whole("moe_intermediate_size")
    shared = width * c.whole("moe_num_shared_experts", default=0, low=0)
    return mixing, experts(c, width=width, shared=shared, correction=True), 2 * hidden_of(c)


def _minimax_m2(c: Fields, i: int, layers: int) -> Block:
    norm = "full" if c.flag("use_qk_norm", default=False) else "none"
    channel = experts(c, width=c.whole("intermediate_size"), correction=True)
    return grouped(c, qk_norm=norm), channel, 2 * hidden_of(c)


def _gpt_oss(c: Fields, i: int, layers: int) -> Block:
    width, hidden = c.whole("intermediate_size"), hidden_of(c)
    mixing = grouped(c, window=window_of(c, i, layers, rest="even"), bias="all", sinks=True)
    channel = experts(c, width=width, correction=True)
    return mixing, replace(channel, expert_bias=2 * width + hidden), 2 * hidden


def _llama4(c: Fields, i: int, layers: int) -> Block:
    # Layers without rotary positions see everything; the others see their chunk, on average half
    # of it, at most all of it.
    mixing = grouped(c, window=None if _no_rope(c, i, layers) else c.whole("attention_chunk_size"))
    sparse = (i + 1) % c.whole("interleave_moe_layer_step", default=1) == 0
    if c.has("moe_layers"):
        sparse = i in c.positions("moe_layers", layers)
    if not sparse:
        return mixing, dense(c, width=c.whole("intermediate_size_mlp")), 2 * hidden_of(c)
    width = c.whole("intermediate_size")
    return mixing, experts(c, width=width, shared=width), 2 * hidden_of(c)


def _no_rope(c: Fields, i: int, layers: int) -> bool:
    if c.raw.get("no_rope_layers"):  # one number per layer, 0 where there are no positions
        return not c.per_layer("no_rope_layers", layers, lambda item: item in (0, 1))[i]
    return (i + 1) % c.whole("no_rope_layer_interval", default=4) == 0


def _olmoe(c: Fields, i: int, layers: int) -> Block:
    channel = experts(c, width=c.whole("intermediate_size"))
    return grouped(c, bias=bias_of(c), qk_norm="full"), channel, 2 * hidden_of(c)


def granite_channel(c: Fields) -> FeedForward:
    """Return Granite's channel mixing: experts beside a shared block, or that block alone."""
    shared = c.whole("shared_intermediate_size", default=0, low=0)
    if c.whole("num_local_experts", low=0) == 0:
        return dense(c, width=shared)
    return experts(c, width=c.whole("intermediate_size"), shared=shared)


def _granite_moe(c: Fields, i: int, layers: int) -> Block:
    return grouped(c, bias=bias_of(c)), granite_channel(c), 2 * hidden_of(c)


def _dbrx(c: Fields, i: int, layers: int) -> Block:
    own, channel = c.nested("attn_config"), c.nested("ffn_config")
    routed = Fields(
        channel.where,
        {
            **channel.raw,
            "hidden_size": hidden_of(c),
            "num_experts": channel.raw.get("moe_num_experts"),
            "num_experts_per_tok": channel.raw.get("moe_top_k"),
        },
    )
    mixing = grouped(c, kv_heads=own.whole("kv_n_heads"))
    return mixing, experts(routed, width=channel.whole("ffn_hidden_size")), 2 * hidden_of(c)


def _gemma4(c: Fields, i: int, layers: int) -> Block:
    window, hidden = window_of(c, i, layers, rest="stated"), hidden_of(c)
    if window is None:
        width = c.whole("global_head_dim")
        groups = (
            c.whole("num_global_key_value_heads") if c.has("num_global_key_value_heads") else None
        )
        mixing = grouped(c, qk_norm="head", head_dim=width, kv_heads=groups)
        if c.flag("attention_k_eq_v", default=False):  # one projection makes keys and values
            saved = hidden * mixing.kv_heads * width
            mixing = replace(mixing, extra_weights=mixing.extra_weights - saved)
    else:
        mixing = grouped(c, window=window, qk_norm="head")
    block = dense(c)
    if not c.flag("enable_moe_block", default=False):
        return mixing, block, 4 * hidden
    routed = experts(c, width=c.whole("moe_intermediate_size"), shared=block.width)
    scales = hidden + routed.experts  # of the router's input and of each expert
    return mixing, replace(routed, extra_weights=routed.extra_weights + scales), 7 * hidden


def _mimo_v2(c: Fields, i: int, layers: int) -> Block:
    windowed = c.per_layer("hybrid_layer_pattern", layers, lambda item: item in (0, 1))[i] == 1
    prefix = "swa_" if windowed else ""
    mixing = grouped(
        c,
        window=c.whole("sliding_window") if windowed else None,
        head_dim=c.whole(f"{prefix}head_dim"),
        kv_heads=c.whole(f"{prefix}num_key_value_heads"),
        value_dim=c.whole(f"{prefix}v_head_dim"),
        sinks=c.flag(f"add_{'swa' if windowed else 'full'}_attention_sink_bias", default=False),
    )
    sparse = c.per_layer("moe_layer_freq", layers, lambda item: item in (0, 1))[i] == 1
    if not sparse:
        return mixing, dense(c), 2 * hidden_of(c)
    channel = experts(c, width=c.whole("moe_intermediate_size"), correction=True)
    return mixing, channel, 2 * hidden_of(c)


FAMILIES: Mapping[str, Family] = {
    "mixtral": Family(_mixtral),
    "phimoe": Family(_phimoe, outside=_phimoe_outside),
    "qwen2_moe": Family(_qwen2_moe),
    **dict.fromkeys(("qwen3_moe", "qwen3_vl_moe_text"), Family(_qwen3_moe)),
    **dict.fromkeys(
        ("deepseek_v3", "deepseek_v32", "kimi_k2", "glm_moe_dsa", "glm4_moe_lite"),
        Family(_deepseek),
    ),
    "deepseek_v2": Family(_deepseek_v2),
    **dict.fromkeys(("deepseek", "bailing_moe"), Family(_deepseek_v1)),
    "glm4_moe": Family(_glm4_moe),
    "dots1": Family(_dots1),
    "ernie4_5_moe": Family(_ernie_moe, tied=True),
    "minimax_m2": Family(_minimax_m2),
    "gpt_oss": Family(_gpt_oss),
    "llama4_text": Family(_llama4),
    "gemma4_text": Family(_gemma4, tied=True, reads=frozenset(("global_head_dim",))),
    "mimo_v2_flash": Family(_mimo_v2, reads=frozenset(("swa_num_key_value_heads",))),
    "olmoe": Family(_olmoe),
    **dict.fromkeys(("granitemoe", "granitemoeshared"), Family(_granite_moe)),
    "dbrx": Family(_dbrx),
}
"""Readers by `model_type`."""
