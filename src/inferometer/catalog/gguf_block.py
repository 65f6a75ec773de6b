"""One layer of a GGUF file: attention by its metadata, weights by its tensors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from inferometer.catalog.architecture import (
    Attention,
    AttentionKind,
    Block,
    FeedForward,
    mixing_weights,
)
from inferometer.catalog.fields import Fields
from inferometer.catalog.gguf_header import Tensor

WINDOW_PERIOD: Mapping[str, int] = {
    "gemma2": 2, "gpt-oss": 2, "gemma3": 6, "cohere2": 4, "olmo2": 4, "exaone4": 4, "llama4": 4,
    "afmoe": 4, "phi3": 0,
}  # fmt: skip
"""Last layer of every period sees everything, the others a window; 0: all layers have a window.

From llama.cpp, src/llama-model.cpp, set_swa_pattern; files with a pattern of their own override.
"""
LLAMA4_CHUNK = 8192  # llama.cpp fixes it; files do not carry it


def blocks_of(
    c: Fields, arch: str, hidden: int, inside: Sequence[Mapping[str, Tensor]]
) -> list[Block]:
    """Return what each layer is made of.

    Args:
        c: Metadata.
        arch: Architecture, the prefix of its keys.
        hidden: Width of the residual stream.
        inside: Tensors of each layer by their name within it.

    Raises:
        CatalogError: metadata missing, or contradicting the tensors.
    """
    layers = len(inside)
    heads = _each(c, f"{arch}.attention.head_count", layers, [0] * layers)
    groups = _each(c, f"{arch}.attention.head_count_kv", layers, heads)
    windows = _windows(c, arch, layers)
    blocks: list[Block] = []
    for i, tensors in enumerate(inside):
        if not tensors:
            raise c.fault(f"{arch}.block_count", f"no tensor of block {i}")
        mixing = _mixing(c, arch, tensors, (heads[i], groups[i], windows[i]))
        extra = _weights(t for n, t in tensors.items() if _part(n) == "mixing")
        if "attn_k_b.weight" in tensors and "attn_kv_b.weight" in tensors:
            extra -= tensors["attn_kv_b.weight"].elements  # the same weights in both layouts
        extra -= mixing_weights(hidden, mixing)
        if extra < 0:
            raise c.fault(f"{arch}.attention", f"heads need more weights than block {i} holds")
        norms = _weights(t for n, t in tensors.items() if _part(n) == "norm")
        mixing = replace(mixing, extra_weights=extra)
        blocks.append((mixing, _channel(c, arch, hidden, tensors), norms))
    return blocks


def _each(c: Fields, key: str, layers: int, default: list[int]) -> list[int]:
    """Return a value per layer, which the file gives once or per layer."""
    value = c.raw.get(key)
    if isinstance(value, list):
        found = c.per_layer(key, len(value), lambda v: type(v) is int and 0 <= v <= 1 << 16)
        if len(found) < layers:
            raise c.fault(key, f"{len(found)} items for {layers} layers")
        return found
    return [c.whole(key, low=0)] * layers if c.has(key) else default


def _windows(c: Fields, arch: str, layers: int) -> list[int | None]:
    key = f"{arch}.attention.sliding_window"
    size = c.whole(key, default=LLAMA4_CHUNK if arch == "llama4" else 0, low=0)
    pattern = c.raw.get(f"{key}_pattern")
    if not size:
        return [None] * layers
    if isinstance(pattern, list):
        flags = c.per_layer(f"{key}_pattern", layers, lambda v: v in (0, 1))
        return [size if flag else None for flag in flags]
    if pattern is None and arch not in WINDOW_PERIOD:
        raise c.fault(key, f"given, but not which layers of {arch} have it")
    period = c.whole(f"{key}_pattern", default=WINDOW_PERIOD.get(arch), low=0)
    return [size if period == 0 or i % period < period - 1 else None for i in range(layers)]


def _part(name: str) -> str:
    """Return what a tensor of a block belongs to: "mixing", "channel", "norm" or "none"."""
    stem = name.split(".", 1)[0]
    if stem.startswith("rope_"):
        return "none"
    if stem.startswith(("ffn_", "exp_")) and "norm" not in stem:
        return "channel"
    inner = stem.startswith(("attn_q", "attn_k", "attn_sub", "ssm_")) or "k_norm" in name
    return "norm" if "norm" in stem and not inner else "mixing"


def _weights(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.elements for tensor in tensors)


def _mixing(
    c: Fields, arch: str, tensors: Mapping[str, Tensor], traits: tuple[int, int, int | None]
) -> Attention:
    """Return the token mixing of a block without its extra weights."""
    heads, groups, window = traits
    state, flop = _recurrence(c, arch, tensors, heads)
    if "attn_output.weight" not in tensors or not heads or not groups:
        kind = AttentionKind.LINEAR if state else AttentionKind.NONE
        return Attention(kind=kind, state_elements=state, extra_flop_per_token=flop)
    if heads % groups:
        raise c.fault(f"{arch}.attention.head_count_kv", f"{groups} does not divide {heads} heads")
    if c.has(f"{arch}.attention.kv_lora_rank"):
        return _latent(c, arch, heads)
    suffix = "_swa" if window and c.has(f"{arch}.attention.key_length_swa") else ""
    default = c.whole(f"{arch}.embedding_length") // heads
    return Attention(
        kind=AttentionKind.FULL if window is None else AttentionKind.WINDOW,
        query_heads=heads,
        kv_heads=groups,
        head_dim=c.whole(f"{arch}.attention.key_length{suffix}", default=default),
        value_dim=c.whole(f"{arch}.attention.value_length{suffix}", default=default),
        window=window,
        state_elements=state,
        extra_flop_per_token=flop,
    )


def _latent(c: Fields, arch: str, heads: int) -> Attention:
    prefix = f"{arch}.attention."
    width = c.whole(f"{arch}.rope.dimension_count")
    keys = "key_length_mla" if c.has(prefix + "key_length_mla") else "key_length"
    values = "value_length_mla" if c.has(prefix + "value_length_mla") else "value_length"
    topk = c.whole(prefix + "indexer.top_k", default=0, low=0)
    whole = c.whole(prefix + keys)
    if whole <= width:
        raise c.fault(prefix + keys, f"{whole} leaves nothing beside {width} rotary elements")
    return Attention(
        kind=AttentionKind.LATENT,
        query_heads=heads,
        kv_heads=1,
        head_dim=whole - width,
        value_dim=c.whole(prefix + values),
        q_rank=c.whole(prefix + "q_lora_rank", default=0, low=0) or None,
        kv_rank=c.whole(prefix + "kv_lora_rank"),
        rope_dim=width,
        index_topk=topk or None,
        index_heads=c.whole(prefix + "indexer.head_count") if topk else 0,
        index_dim=c.whole(prefix + "indexer.key_length") if topk else 0,
    )


def _recurrence(
    c: Fields, arch: str, tensors: Mapping[str, Tensor], heads: int
) -> tuple[int, float]:
    """Return state elements and FLOP per token of the recurrence in a block, 0 without one."""
    if any(name.startswith("shortconv.") for name in tensors):
        return (c.whole(f"{arch}.shortconv.l_cache") - 1) * c.whole(f"{arch}.embedding_length"), 0.0
    if not any(name.startswith("ssm_") for name in tensors):
        return 0, 0.0
    kernel = c.whole(f"{arch}.ssm.conv_kernel")
    if c.has(f"{arch}.kda.head_dim"):
        width = c.whole(f"{arch}.kda.head_dim")
        return heads * width * (width + 3 * (kernel - 1)), 7.0 * heads * width * width
    inner, state = c.whole(f"{arch}.ssm.inner_size"), c.whole(f"{arch}.ssm.state_size")
    groups = c.whole(f"{arch}.ssm.group_count", default=0, low=0)
    mixed = inner + 2 * groups * state
    steps = 7.0 if arch.startswith(("qwen3next", "qwen35")) else 5.0  # as catalog.mixing counts
    return inner * state + mixed * (kernel - 1), steps * inner * state


def _channel(c: Fields, arch: str, hidden: int, tensors: Mapping[str, Tensor]) -> FeedForward:
    mine = {n: t for n, t in tensors.items() if _part(n) == "channel"}
    routed = {n: t for n, t in mine.items() if "_exps." in n}
    always = _weights(t for n, t in mine.items() if n not in routed)
    width = sum(mine[n].shape[0] for n in mine if n in ("ffn_down.weight", "ffn_down_shexp.weight"))
    if not routed:
        if c.whole(f"{arch}.expert_count", default=0, low=0) and "ffn_gate_inp.weight" in mine:
            raise c.fault(f"{arch}.expert_count", "experts in single tensors; convert anew")
        matrices = min(3, always // (hidden * width)) if width else 0
        extra = always - matrices * hidden * width
        return FeedForward(width=width, matrices=matrices, extra_weights=extra)
    down = routed.get("ffn_down_exps.weight")
    if down is None or len(down.shape) != 3:
        raise c.fault("ffn_down_exps.weight", "missing or not of three dimensions")
    inner, outer, count = down.shape
    matrices, bias = divmod(_weights(routed.values()) // count, inner * outer)
    active = c.whole(f"{arch}.expert_used_count")
    if active > count or c.whole(f"{arch}.expert_count") != count:
        raise c.fault(f"{arch}.expert_count", f"contradicts {count} experts with {active} active")
    return FeedForward(
        width=inner,
        matrices=matrices,
        experts=count,
        experts_active=active,
        shared_width=width,
        extra_weights=always - matrices * hidden * width,
        expert_bias=bias,
        expert_hidden=0 if outer == hidden else outer,
    )
