"""Dense families of the Llama generation: RMS norm, gated blocks, grouped or windowed attention."""

from collections.abc import Mapping

from inferometer.catalog.architecture import Attention, Block, FeedForward
from inferometer.catalog.channel import PLAIN, dense
from inferometer.catalog.families.family import Family, final_layer_norm
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import grouped, hidden_of, kv_heads_of
from inferometer.catalog.windows import qwen_window, window_of


def llama(c: Fields, i: int, layers: int) -> Block:
    """Return a layer with optional biases: Llama, Granite, Yi, Vicuna, MiniCPM, SmolLM."""
    return grouped(c, bias=bias_of(c)), dense(c, bias=_mlp_bias(c)), 2 * hidden_of(c)


def bias_of(c: Fields, name: str = "attention_bias") -> str:
    """Return which projections have a bias by a flag that means all of them."""
    return "all" if c.flag(name, default=False) else "none"


def _mlp_bias(c: Fields) -> bool:
    return c.flag("mlp_bias", default=False)


def _biased(flag: str, which: str) -> Family:
    """Return a family whose flag gives the projections `which` a bias; True if left out."""

    def block(c: Fields, i: int, layers: int) -> Block:
        bias = which if c.flag(flag, default=True) else "none"
        return grouped(c, bias=bias), dense(c, bias=_mlp_bias(c)), 2 * hidden_of(c)

    return Family(block)


def _internlm2(c: Fields, i: int, layers: int) -> Block:
    bias = bias_of(c, "bias")
    return grouped(c, bias=bias), dense(c), 2 * hidden_of(c)


def _ernie(c: Fields, i: int, layers: int) -> Block:
    bias = c.flag("use_bias", default=False)
    return grouped(c, bias="all" if bias else "none"), dense(c, bias=bias), 2 * hidden_of(c)


def mistral(c: Fields, i: int, layers: int) -> Block:
    """Return a layer of a family in which all layers have the window, if there is one."""
    return grouped(c, window=window_of(c, i, layers, rest="all")), dense(c), 2 * hidden_of(c)


def qwen2(c: Fields, i: int, layers: int) -> Block:
    """Return a layer with biases on queries, keys and values."""
    return grouped(c, bias="qkv", window=qwen_window(c, i, layers)), dense(c), 2 * hidden_of(c)


def qwen3_attention(c: Fields, i: int, layers: int) -> Attention:
    """Return attention with normalised queries and keys."""
    return grouped(c, bias=bias_of(c), qk_norm="head", window=qwen_window(c, i, layers))


def qwen3(c: Fields, i: int, layers: int) -> Block:
    """Return a dense layer of Qwen3."""
    return qwen3_attention(c, i, layers), dense(c), 2 * hidden_of(c)


def _gemma(c: Fields, i: int, layers: int) -> Block:
    return grouped(c), dense(c), 2 * hidden_of(c)


def _gemma2(c: Fields, i: int, layers: int) -> Block:
    return grouped(c, window=window_of(c, i, layers, rest="even")), dense(c), 4 * hidden_of(c)


def _gemma3(c: Fields, i: int, layers: int) -> Block:
    window = window_of(c, i, layers, rest="stated")
    return grouped(c, window=window, qk_norm="head"), dense(c), 4 * hidden_of(c)


def _glm4(c: Fields, i: int, layers: int) -> Block:
    bias = "qkv" if c.flag("attention_bias", default=True) else "none"
    return grouped(c, bias=bias), dense(c), 4 * hidden_of(c)


def _chatglm(c: Fields, i: int, layers: int) -> Block:
    bias = "qkv" if c.flag("add_qkv_bias", default=False) else "none"
    groups = (
        c.whole("multi_query_group_num") if c.flag("multi_query_attention", default=False) else None
    )
    return grouped(c, bias=bias, kv_heads=groups), dense(c), 2 * hidden_of(c)


def _qwen1(c: Fields, i: int, layers: int) -> Block:
    # The file's intermediate_size is that of both halves of the gated block together.
    width = c.whole("intermediate_size", low=2) // 2
    return grouped(c, bias="qkv"), dense(c, width=width), 2 * hidden_of(c)


def _starcoder2(c: Fields, i: int, layers: int) -> Block:
    bias = c.flag("use_bias", default=True)
    window = window_of(c, i, layers, rest="all")
    mixing = grouped(c, window=window, bias="all" if bias else "none")
    return mixing, dense(c, matrices=PLAIN, bias=bias), 4 * hidden_of(c)


def _nemotron(c: Fields, i: int, layers: int) -> Block:
    channel = dense(c, matrices=PLAIN, bias=_mlp_bias(c))
    return grouped(c, bias=bias_of(c)), channel, 4 * hidden_of(c)


def _arcee(c: Fields, i: int, layers: int) -> Block:
    channel = dense(c, matrices=PLAIN, bias=_mlp_bias(c))
    return grouped(c, bias=bias_of(c)), channel, 2 * hidden_of(c)


def _apertus(c: Fields, i: int, layers: int) -> Block:
    plain = dense(c, matrices=PLAIN)
    # Two learned numbers shape the activation of each layer.
    channel = FeedForward(width=plain.width, matrices=PLAIN, extra_weights=2)
    return grouped(c, bias=bias_of(c), qk_norm="head"), channel, 2 * hidden_of(c)


def _chameleon(c: Fields, i: int, layers: int) -> Block:
    # Norms of queries and keys: weight and bias per element of each head, shared by no head.
    mixing = grouped(c)
    width = hidden_of(c) + mixing.kv_heads * mixing.head_dim
    return mixing, dense(c), 2 * hidden_of(c) + 2 * width


def _olmo(c: Fields, i: int, layers: int) -> Block:
    return grouped(c, bias=bias_of(c)), dense(c), 0  # its norms have no weights


def _olmo2(c: Fields, i: int, layers: int) -> Block:
    window = window_of(c, i, layers)
    return grouped(c, window=window, qk_norm="full"), dense(c), 2 * hidden_of(c)


def _olmo3(c: Fields, i: int, layers: int) -> Block:
    window = window_of(c, i, layers, rest="fourth")
    return grouped(c, window=window, qk_norm="full"), dense(c), 2 * hidden_of(c)


def _exaone4(c: Fields, i: int, layers: int) -> Block:
    windowed = c.has("sliding_window") and not _sees_everything(c, i, layers)
    window = c.whole("sliding_window") if windowed else None
    return grouped(c, window=window, qk_norm="head"), dense(c), 2 * hidden_of(c)


def _sees_everything(c: Fields, i: int, layers: int) -> bool:
    """Return whether layer i has no window, by a pattern of letters such as "LLLG" or a period."""
    pattern = c.raw.get("sliding_window_pattern")
    if not isinstance(pattern, str):
        return window_of(c, i, layers, rest="stated") is None
    if not pattern or set(pattern) - set("LG"):
        raise c.fault("sliding_window_pattern", f"letters L and G are wanted, not {pattern!r:.60}")
    return pattern[i % len(pattern)] == "G"


def _stablelm(c: Fields, i: int, layers: int) -> Block:
    norms = 2 if c.flag("use_parallel_residual", default=False) else 4
    bias = "qkv" if c.flag("use_qkv_bias", default=False) else "none"
    mixing = grouped(c, bias=bias)
    # Norms of queries and keys: one per head, each with weights for its width.
    inner = c.flag("qk_layernorm", default=False) * mixing.head_dim
    return mixing, dense(c), norms * hidden_of(c) + inner * (mixing.query_heads + mixing.kv_heads)


def _cohere(c: Fields, i: int, layers: int) -> Block:
    mixing = grouped(c, bias=bias_of(c))
    norm = c.flag("use_qk_norm", default=False) * mixing.head_dim
    return mixing, dense(c), hidden_of(c) + norm * (mixing.query_heads + kv_heads_of(c))


def _cohere2(c: Fields, i: int, layers: int) -> Block:
    window = window_of(c, i, layers, rest="fourth")
    return grouped(c, bias=bias_of(c), window=window), dense(c), hidden_of(c)


def _phi3_small(c: Fields, i: int, layers: int) -> Block:
    # Every other layer looks at blocks; its keys and values are all kept, so it counts as full.
    width = c.whole("ff_intermediate_size")
    return grouped(c, bias="all"), _with_gate_bias(c, width), 4 * hidden_of(c)


def _with_gate_bias(c: Fields, width: int) -> FeedForward:
    """Return a gated block whose three matrices have biases."""
    return FeedForward(width=width, extra_weights=2 * width + hidden_of(c))


def _no_norm(c: Fields) -> int:
    return 0


FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(
        ("llama", "granite", "minicpm", "ministral3", "baichuan", "exaone", "xverse", "internlm"),
        Family(llama),
    ),
    **dict.fromkeys(("internlm2", "internlm3"), Family(_internlm2)),
    "smollm3": Family(llama, tied=True),
    "ernie4_5": Family(_ernie, tied=True),
    "glm": _biased("attention_bias", "qkv"),
    "seed_oss": _biased("attention_bias", "qkv"),
    "mimo": _biased("attention_bias", "qkv"),
    "glm4": Family(_glm4),
    "chatglm": Family(_chatglm),
    "qwen": Family(_qwen1),
    **dict.fromkeys(("mistral", "phi3", "ministral"), Family(mistral)),
    **dict.fromkeys(
        ("qwen2", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"), Family(qwen2)
    ),
    **dict.fromkeys(("qwen3", "qwen3_vl_text"), Family(qwen3)),
    "hunyuan_v1_dense": Family(qwen3),
    "gemma": Family(_gemma, tied=True),
    "gemma2": Family(_gemma2, tied=True),
    **dict.fromkeys(("gemma3_text", "gemma3"), Family(_gemma3, tied=True)),
    "starcoder2": Family(_starcoder2, tied=True, outside=final_layer_norm),
    "nemotron": Family(_nemotron, outside=final_layer_norm),
    "arcee": Family(_arcee),
    "apertus": Family(_apertus),
    "chameleon": Family(_chameleon),
    "phi3small": Family(_phi3_small, tied=True, outside=final_layer_norm),
    "olmo": Family(_olmo, outside=_no_norm),
    "olmo2": Family(_olmo2),
    "olmo3": Family(_olmo3),
    "exaone4": Family(_exaone4),
    "stablelm": Family(_stablelm, outside=final_layer_norm),
    "cohere": Family(_cohere, tied=True),
    "cohere2": Family(_cohere2, tied=True),
}
"""Readers by `model_type`."""
