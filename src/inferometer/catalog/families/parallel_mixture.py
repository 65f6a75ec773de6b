"""Families whose experts lie beside a dense block, or beside shared ones, that all tokens pass."""

from collections.abc import Mapping
from dataclasses import replace

from inferometer.catalog.architecture import Attention, AttentionKind, Block
from inferometer.catalog.channel import dense, experts
from inferometer.catalog.families.family import Family
from inferometer.catalog.families.mixture import deepseek_channel
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import grouped, head_dim_of, heads_of, hidden_of, latent


def _grok1(c: Fields, i: int, layers: int) -> Block:
    channel = experts(c, width=c.whole("intermediate_size"))
    return grouped(c), channel, 4 * hidden_of(c)


def _grok2(c: Fields, i: int, layers: int) -> Block:
    if not c.flag("residual_moe", default=False):
        raise c.fault("residual_moe", "missing; only Grok 2 is known under this model_type")
    width = c.whole("moe_intermediate_size")
    channel = experts(c, width=width, shared=c.whole("intermediate_size"))
    return grouped(c), channel, 4 * hidden_of(c)


def _of_layer(c: Fields, name: str, i: int, layers: int) -> int:
    """Return a number that the file gives once, or once per layer."""
    if not isinstance(c.raw.get(name), list):
        return c.whole(name)
    item: int = c.per_layer(name, layers, lambda value: type(value) is int and value > 0)[i]
    return item


def _hunyuan(c: Fields, i: int, layers: int) -> Block:
    norm = "head" if c.flag("use_qk_norm", default=True) else "none"
    width = _of_layer(c, "moe_intermediate_size", i, layers)
    shared = width * _of_layer(c, "num_shared_expert", i, layers)
    active = _of_layer(c, "moe_topk", i, layers)
    routed = Fields(c.where, {**c.raw, "num_experts_per_tok": active})
    return grouped(c, qk_norm=norm), experts(routed, width=width, shared=shared), 2 * hidden_of(c)


def _bailing2(c: Fields, i: int, layers: int) -> Block:
    bias = "qkv" if c.flag("use_qkv_bias", default=False) else "none"
    norm = "head" if c.flag("use_qk_norm", default=True) else "none"
    return grouped(c, bias=bias, qk_norm=norm), deepseek_channel(c, i), 2 * hidden_of(c)


def _step3(c: Fields, i: int, layers: int) -> Block:
    if i not in _listed(c, "moe_layers_enum", layers):
        return _factorised(c), dense(c), 2 * hidden_of(c)
    routed = Fields(
        c.where,
        {
            **c.raw,
            "num_experts": c.raw.get("moe_num_experts"),
            "num_experts_per_tok": c.raw.get("moe_top_k"),
        },
    )
    width, shared = c.whole("moe_intermediate_size"), c.whole("share_expert_dim")
    return _factorised(c), experts(routed, width=width, shared=shared), 2 * hidden_of(c)


def _listed(c: Fields, name: str, layers: int) -> set[int]:
    """Return the layers of a text such as "4,5,6"."""
    text = c.raw.get(name)
    items = text.split(",") if isinstance(text, str) else []
    if not items or not all(item.strip().isdecimal() for item in items):
        raise c.fault(name, f"layers such as '4,5,6' are wanted, not {text!r:.60}")
    return Fields(c.where, {name: [int(item) for item in items]}).positions(name, layers)


def _factorised(c: Fields) -> Attention:
    """Return attention whose query goes through a rank of its own, with one norm there."""
    groups = c.whole("num_attention_groups")
    mixing = grouped(c, kv_heads=groups)
    hidden, rank = hidden_of(c), c.whole("share_q_dim")
    query = heads_of(c) * head_dim_of(c)
    saved = hidden * query - rank * (hidden + query) - rank
    return replace(mixing, extra_weights=mixing.extra_weights - saved)


def _longcat(c: Fields, i: int, layers: int) -> Block:
    """Return half of one layer of the file, which holds two of attention and dense block.

    The experts lie beside the first half. Of those that a token is sent to, some do nothing: as
    many as their share of all, on average.
    """
    mixing = latent(c)
    block = dense(c)
    if i % 2:
        return mixing, block, 2 * hidden_of(c)
    count, idle = c.whole("n_routed_experts"), c.whole("zero_expert_num", low=0)
    real = round(c.whole("moe_topk") * count / (count + idle))
    routed = Fields(c.where, {**c.raw, "num_experts_per_tok": real})
    width = c.whole("expert_ffn_hidden_size")
    channel = experts(routed, width=width, shared=block.width)
    router = idle * hidden_of(c) + count + idle  # of the idle ones, and a bias for each
    return mixing, replace(channel, extra_weights=channel.extra_weights + router), 2 * hidden_of(c)


def _mllama(c: Fields, i: int, layers: int) -> Block:
    """Return a layer that reads the text, or one that reads the image.

    Keys and values of an image are of fixed length and are not counted; a text without one passes
    such a layer by, but its weights are there. Two gates open it, and heads have norms.
    """
    mixing = grouped(c)
    if i not in c.positions("cross_attention_layers", layers):
        return mixing, dense(c), 2 * hidden_of(c)
    width = mixing.query_heads * mixing.head_dim
    weights = 2 * hidden_of(c) * (width + mixing.kv_heads * mixing.head_dim)
    crossing = Attention(kind=AttentionKind.NONE, extra_weights=weights + 2 * mixing.head_dim + 2)
    return crossing, dense(c), 2 * hidden_of(c)


def _image_tokens(c: Fields) -> int:
    """Return the weights outside: the last norm, and eight tokens that are only read."""
    return hidden_of(c) + 8 * hidden_of(c)


FAMILIES: Mapping[str, Family] = {
    "grok-1": Family(_grok1, tied=True),
    "git": Family(_grok2),
    "hunyuan_v1_moe": Family(_hunyuan, tied=True),
    "bailing_moe_v2": Family(_bailing2),
    "step3_text": Family(_step3),
    "longcat_flash": Family(_longcat, parts=2, reads=frozenset(("zero_expert_num",))),
    "mllama_text_model": Family(_mllama, outside=_image_tokens),
}
"""Readers by `model_type`."""
