"""Families before Llama: LayerNorm with bias, plain blocks, positions in a table or by ALiBi."""

from collections.abc import Mapping

from inferometer.catalog.architecture import Block, FeedForward
from inferometer.catalog.channel import PLAIN, dense
from inferometer.catalog.families.family import Family, final_layer_norm
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import grouped, heads_of, hidden_of


def _plain(c: Fields, *, bias: bool = True) -> FeedForward:
    """Return a plain block, four times as wide as the model unless the file says otherwise."""
    width = c.whole("intermediate_size", "n_inner", "ffn_dim", default=4 * hidden_of(c))
    return dense(c, matrices=PLAIN, bias=bias, width=width)


def _gpt2(c: Fields, i: int, layers: int) -> Block:
    return grouped(c, bias="all"), _plain(c), 4 * hidden_of(c)


def _bigcode(c: Fields, i: int, layers: int) -> Block:
    groups = 1 if c.flag("multi_query", default=True) else heads_of(c)
    return grouped(c, bias="all", kv_heads=groups), _plain(c), 4 * hidden_of(c)


def _gptj(c: Fields, i: int, layers: int) -> Block:
    return grouped(c), _plain(c), 2 * hidden_of(c)  # attention and block share one norm


def _neox(c: Fields, i: int, layers: int) -> Block:
    bias = "all" if c.flag("attention_bias", default=True) else "none"
    return grouped(c, bias=bias), _plain(c), 4 * hidden_of(c)


def _opt(c: Fields, i: int, layers: int) -> Block:
    narrow = c.whole("word_embed_proj_dim", default=hidden_of(c))
    if narrow != hidden_of(c):
        raise c.fault("word_embed_proj_dim", f"{narrow} is not the model's width")
    bias = c.flag("enable_bias", default=True)
    mixing = grouped(c, bias="all" if bias else "none")
    return mixing, _plain(c, bias=bias), 4 * hidden_of(c)


def _mpt(c: Fields, i: int, layers: int) -> Block:
    own = c.nested("attn_config") if c.has("attn_config") else Fields(c.where, {})
    one = own.raw.get("attn_type") == "multiquery_attention"
    groups = 1 if one else own.whole("kv_n_heads", default=heads_of(c))
    if not c.flag("no_bias", default=True):
        raise c.fault("no_bias", "false is not known of any published model")
    width = hidden_of(c) * c.whole("expansion_ratio", default=4)
    return grouped(c, kv_heads=groups), dense(c, matrices=PLAIN, width=width), 2 * hidden_of(c)


def _falcon(c: Fields, i: int, layers: int) -> Block:
    new = c.flag("new_decoder_architecture", default=False)
    one = c.flag("multi_query", default=True)
    heads = c.whole("num_kv_heads", "n_head_kv", default=heads_of(c)) if new else 1
    bias = c.flag("bias", default=False)
    mixing = grouped(
        c, kv_heads=heads if new or one else heads_of(c), bias="all" if bias else "none"
    )
    width = c.whole("ffn_hidden_size", default=4 * hidden_of(c))
    return mixing, dense(c, matrices=PLAIN, width=width, bias=bias), _falcon_norms(c, new)


def _falcon_norms(c: Fields, new: bool) -> int:
    """Return two LayerNorms, or one where attention and block share it."""
    shared = c.flag("parallel_attn", default=True)
    if new:
        shared = c.whole("num_ln_in_parallel_attn", default=2) == 1
    return (2 if shared else 4) * hidden_of(c)


def _phi(c: Fields, i: int, layers: int) -> Block:
    if c.flag("qk_layernorm", default=False):
        raise c.fault("qk_layernorm", "true is not known of any published model")
    return grouped(c, bias="all"), _plain(c), 2 * hidden_of(c)


def _table(c: Fields) -> int:
    """Return a table of learned positions and the final norm."""
    return hidden_of(c) * (2 + c.whole("n_positions", "max_position_embeddings"))


def _opt_table(c: Fields) -> int:
    """Return the same with the two rows by which OPT shifts its table."""
    return _table(c) + 2 * hidden_of(c)


def _head_bias(c: Fields) -> int:
    """Return the final norm and the bias of the output head."""
    return 2 * hidden_of(c) + c.whole("vocab_size")


def _two_norms(c: Fields) -> int:
    """Return the norms of the embeddings and of the last layer."""
    return 4 * hidden_of(c)


FAMILIES: Mapping[str, Family] = {
    "gpt2": Family(_gpt2, tied=True, outside=_table),
    "gpt_bigcode": Family(_bigcode, tied=True, outside=_table),
    **dict.fromkeys(("gptj", "codegen"), Family(_gptj, outside=_head_bias)),
    "gpt_neox": Family(_neox, outside=final_layer_norm),
    "opt": Family(_opt, tied=True, outside=_opt_table),
    "bloom": Family(_gpt2, tied=True, outside=_two_norms),
    "mpt": Family(_mpt, tied=True),
    "falcon": Family(_falcon, tied=True, outside=final_layer_norm, context=2048),
    "phi": Family(_phi, outside=_head_bias),
}
"""Readers by `model_type`."""
