"""Hugging Face config.json -> Model, family by family; an unknown family is an error."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inferometer.catalog.architecture import (
    Attention,
    AttentionKind,
    Block,
    FeedForward,
    Model,
    grouped_layers,
)
from inferometer.catalog.channel import PLAIN, dense, experts
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import delta_net, grouped, hidden_of, latent, mamba2
from inferometer.catalog.quantisation import checkpoint
from inferometer.errors import CatalogError

MAX_BYTES = 64 << 20


def read_config(
    source: str | Path | Mapping[str, Any], *, name: str = "", where: str = ""
) -> Model:
    """Return the model that a config.json describes.

    Args:
        source: The file, a folder that holds it, or its content.
        name: Key of the model; else the folder's name.
        where: Origin for messages; else the file.

    Raises:
        CatalogError: unreadable, of an unknown architecture, or with a missing, contradictory or
            impossible field; the message names file and field.
    """
    if isinstance(source, Mapping):
        raw, origin = source, where or name or "config.json"
    else:
        path = Path(source)
        path = path / "config.json" if path.is_dir() else path
        raw, origin = _json(path), str(path)
        name = name or path.resolve().parent.name
        side = path.parent / "hf_quant_config.json"
        if side.is_file():
            raw = {**raw, "hf_quant_config": _json(side)}
    return _model(Fields(origin, raw), name or "model")


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CatalogError(f"{path}: larger than any config.json ({MAX_BYTES} bytes)")
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(raw, dict):
        raise CatalogError(f"{path}: an object is wanted")
    return raw


def _model(outer: Fields, name: str) -> Model:
    c = _text_part(outer)
    kind = c.raw.get("model_type")
    family = FAMILIES.get(kind) if isinstance(kind, str) else None
    if family is None:
        raise c.fault("model_type", f"unknown architecture {kind!r:.60}; known: {_known()}")
    layers = c.layers()
    blocks = [family(c, i, layers) for i in range(layers)]
    tied = kind in TIED_BY_DEFAULT
    if not c.has("tie_word_embeddings"):
        tied = outer.flag("tie_word_embeddings", default=tied)
    hidden = hidden_of(c)
    return Model(
        key=name,
        name=name,
        family=str(kind),
        hidden=hidden,
        vocab=c.whole("vocab_size"),
        tied_embeddings=c.flag("tie_word_embeddings", default=tied),
        max_context=c.whole("max_position_embeddings", "n_positions"),
        layers=grouped_layers(blocks),
        extra_weights=hidden * (2 if kind in LAYER_NORM else 1),
        checkpoints=(checkpoint(outer, name),),
    )


def _text_part(c: Fields) -> Fields:
    """Return the fields of the language model, which multimodal files nest."""
    for name in ("text_config", "llm_config", "language_config"):
        if c.has(name):
            return c.nested(name)
    return c


def _known() -> str:
    return ", ".join(sorted(FAMILIES))


def _window(c: Fields, i: int, layers: int, *, default: str = "full") -> int | None:
    """Return the window of layer i: by layer_types, by a pattern, or by the family's default."""
    names = {"full_attention", "sliding_attention", "linear_attention", "chunked_attention"}
    if c.has("layer_types"):
        kinds = c.per_layer("layer_types", layers, lambda item: item in names)
        windowed = kinds[i] == "sliding_attention"
    elif c.has("sliding_window_pattern"):
        windowed = (i + 1) % c.whole("sliding_window_pattern") != 0
    elif default == "pattern":
        raise c.fault("layer_types", "missing, and sliding_window_pattern too")
    else:
        windowed = default == "all" or (default == "even" and i % 2 == 0)
    if not windowed or (default == "all" and not c.has("sliding_window")):
        return None
    return c.whole("sliding_window")


def _llama(c: Fields, i: int, layers: int) -> Block:
    bias = "all" if c.flag("attention_bias", default=False) else "none"
    block = dense(c, bias=c.flag("mlp_bias", default=False))
    return grouped(c, bias=bias), block, 2 * hidden_of(c)


def _mistral(c: Fields, i: int, layers: int) -> Block:
    window = _window(c, i, layers, default="all")
    return grouped(c, window=window), dense(c), 2 * hidden_of(c)


def _phi3(c: Fields, i: int, layers: int) -> Block:
    return _mistral(c, i, layers)


def _mixtral(c: Fields, i: int, layers: int) -> Block:
    window = _window(c, i, layers, default="all")
    return (
        grouped(c, window=window),
        experts(c, width=c.whole("intermediate_size")),
        2 * hidden_of(c),
    )


def _qwen2(c: Fields, i: int, layers: int) -> Block:
    return grouped(c, bias="qkv", window=_qwen_window(c, i)), dense(c), 2 * hidden_of(c)


def _qwen_window(c: Fields, i: int) -> int | None:
    """Return the window of layer i: the first max_window_layers see everything."""
    if not c.flag("use_sliding_window", default=False) or i < c.whole("max_window_layers", low=0):
        return None
    return c.whole("sliding_window")


def _qwen3_attention(c: Fields, i: int) -> Attention:
    bias = "all" if c.flag("attention_bias", default=False) else "none"
    return grouped(c, bias=bias, qk_norm="head", window=_qwen_window(c, i))


def _qwen3(c: Fields, i: int, layers: int) -> Block:
    return _qwen3_attention(c, i), dense(c), 2 * hidden_of(c)


def _qwen3_moe(c: Fields, i: int, layers: int) -> Block:
    sparse = (i + 1) % c.whole("decoder_sparse_step", default=1) == 0
    if i in c.positions("mlp_only_layers", layers) or not sparse:
        return _qwen3(c, i, layers)
    width = c.whole("moe_intermediate_size")
    return _qwen3_attention(c, i), experts(c, width=width), 2 * hidden_of(c)


def _qwen3_next(c: Fields, i: int, layers: int) -> Block:
    if c.has("layer_types"):
        names = {"full_attention", "linear_attention"}
        full = c.per_layer("layer_types", layers, names.__contains__)[i] == "full_attention"
    else:
        full = (i + 1) % c.whole("full_attention_interval") == 0
    mixing = grouped(c, qk_norm="head", gate=True) if full else delta_net(c)
    if not c.has("num_experts"):
        return mixing, dense(c), 2 * hidden_of(c)
    shared = c.whole("shared_expert_intermediate_size")
    width = c.whole("moe_intermediate_size")
    return mixing, experts(c, width=width, shared=shared, shared_gate=True), 2 * hidden_of(c)


def _deepseek(c: Fields, i: int, layers: int) -> Block:
    mixing = latent(c, indexer=c.has("index_topk"))
    return mixing, _deepseek_channel(c, i), 2 * hidden_of(c)


def _deepseek_channel(c: Fields, i: int) -> FeedForward:
    if i < c.whole("first_k_dense_replace", low=0):
        return dense(c)
    width = c.whole("moe_intermediate_size")
    shared = width * c.whole("n_shared_experts", default=0, low=0)
    return experts(c, width=width, shared=shared, correction=True)


def _glm4_moe(c: Fields, i: int, layers: int) -> Block:
    bias = "qkv" if c.flag("attention_bias", default=False) else "none"
    norm = "head" if c.flag("use_qk_norm", default=False) else "none"
    return grouped(c, bias=bias, qk_norm=norm), _deepseek_channel(c, i), 2 * hidden_of(c)


def _minimax_m2(c: Fields, i: int, layers: int) -> Block:
    norm = "full" if c.flag("use_qk_norm", default=False) else "none"
    channel = experts(c, width=c.whole("intermediate_size"), correction=True)
    return grouped(c, qk_norm=norm), channel, 2 * hidden_of(c)


def _gpt_oss(c: Fields, i: int, layers: int) -> Block:
    width, hidden = c.whole("intermediate_size"), hidden_of(c)
    mixing = grouped(c, window=_window(c, i, layers, default="even"), bias="all", sinks=True)
    plain = experts(c, width=width, correction=True)
    channel = FeedForward(
        width=width,
        experts=plain.experts,
        experts_active=plain.experts_active,
        extra_weights=plain.extra_weights,
        expert_bias=2 * width + hidden,
    )
    return mixing, channel, 2 * hidden


def _gemma(c: Fields, i: int, layers: int) -> Block:
    return grouped(c), dense(c), 2 * hidden_of(c)


def _gemma2(c: Fields, i: int, layers: int) -> Block:
    return grouped(c, window=_window(c, i, layers, default="even")), dense(c), 4 * hidden_of(c)


def _gemma3(c: Fields, i: int, layers: int) -> Block:
    window = _window(c, i, layers, default="pattern")
    return grouped(c, window=window, qk_norm="head"), dense(c), 4 * hidden_of(c)


def _llama4(c: Fields, i: int, layers: int) -> Block:
    # Every fourth layer sees everything without rotary positions; the others see their chunk,
    # on average half of it, at most all of it.
    full = (i + 1) % 4 == 0
    mixing = grouped(c, window=None if full else c.whole("attention_chunk_size"))
    if (i + 1) % c.whole("interleave_moe_layer_step"):
        return mixing, dense(c, width=c.whole("intermediate_size_mlp")), 2 * hidden_of(c)
    width = c.whole("intermediate_size")
    return mixing, experts(c, width=width, shared=width), 2 * hidden_of(c)


def _starcoder2(c: Fields, i: int, layers: int) -> Block:
    bias = c.flag("use_bias", default=True)
    mixing = grouped(c, window=_window(c, i, layers, default="all"), bias="all" if bias else "none")
    return mixing, dense(c, matrices=PLAIN, bias=bias), 4 * hidden_of(c)


def _chameleon(c: Fields, i: int, layers: int) -> Block:
    # Norms of queries and keys: weight and bias per element of each head, shared by no head.
    mixing, width = grouped(c), hidden_of(c) + grouped(c).kv_heads * grouped(c).head_dim
    return mixing, dense(c), 2 * hidden_of(c) + 2 * width


def _olmo2(c: Fields, i: int, layers: int) -> Block:
    window = _window(c, i, layers)
    return grouped(c, window=window, qk_norm="full"), dense(c), 2 * hidden_of(c)


def _falcon(c: Fields, i: int, layers: int) -> Block:
    new = c.flag("new_decoder_architecture", default=False)
    heads = c.whole("num_kv_heads", "n_head_kv") if new else 1
    hidden = hidden_of(c)
    mixing = grouped(c, kv_heads=heads)
    return mixing, dense(c, matrices=PLAIN, width=4 * hidden), (4 if new else 2) * hidden


def _nemotron_h(c: Fields, i: int, layers: int) -> Block:
    pattern = c.raw.get("hybrid_override_pattern")
    if not isinstance(pattern, str) or len(pattern) != layers or set(pattern) - set("M*-E"):
        raise c.fault("hybrid_override_pattern", f"{layers} letters of M, *, - and E are wanted")
    none, idle, norm = Attention(kind=AttentionKind.NONE), FeedForward(), hidden_of(c)
    return {
        "M": lambda: (mamba2(c), idle, norm),
        "*": lambda: (grouped(c), idle, norm),
        "-": lambda: (none, dense(c, matrices=PLAIN), norm),
        "E": lambda: (none, _nemotron_experts(c), norm),
    }[pattern[i]]()


def _nemotron_experts(c: Fields) -> FeedForward:
    width, hidden = c.whole("moe_intermediate_size"), hidden_of(c)
    shared = c.whole("moe_shared_expert_intermediate_size", default=0, low=0)
    gated = experts(c, width=width, correction=True)
    inner = c.whole("moe_latent_size", default=hidden)
    down_up = 2 * hidden * inner if inner != hidden else 0
    return FeedForward(
        width=width,
        matrices=PLAIN,
        experts=gated.experts,
        experts_active=gated.experts_active,
        shared_width=shared,
        extra_weights=gated.extra_weights + down_up,
        expert_hidden=inner,
    )


FAMILIES: Mapping[str, Callable[[Fields, int, int], Block]] = {
    **dict.fromkeys(("llama", "granite", "minicpm", "ministral3"), _llama),
    **dict.fromkeys(("mistral", "phi3", "ministral"), _mistral),
    "mixtral": _mixtral,
    **dict.fromkeys(("qwen2", "qwen2_5_vl_text"), _qwen2),
    **dict.fromkeys(("qwen3", "qwen3_vl_text"), _qwen3),
    **dict.fromkeys(("qwen3_moe", "qwen3_vl_moe_text"), _qwen3_moe),
    **dict.fromkeys(("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"), _qwen3_next),
    **dict.fromkeys(("deepseek_v3", "deepseek_v32", "kimi_k2", "glm_moe_dsa"), _deepseek),
    "glm4_moe": _glm4_moe,
    "minimax_m2": _minimax_m2,
    "gpt_oss": _gpt_oss,
    "gemma": _gemma,
    "gemma2": _gemma2,
    **dict.fromkeys(("gemma3_text", "gemma3"), _gemma3),
    "llama4_text": _llama4,
    "starcoder2": _starcoder2,
    "chameleon": _chameleon,
    **dict.fromkeys(("olmo2", "olmo3"), _olmo2),
    "falcon": _falcon,
    "nemotron_h": _nemotron_h,
}
"""Reader of one layer by `model_type`: of fields, layer index and number of layers."""

TIED_BY_DEFAULT = frozenset({"gemma", "gemma2", "gemma3", "gemma3_text", "falcon", "starcoder2"})
"""Families whose files may leave out tie_word_embeddings when it is true."""
LAYER_NORM = frozenset({"starcoder2", "falcon"})
"""Families whose final norm has a bias."""
