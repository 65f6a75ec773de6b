"""GGUF file -> Model: attention from the metadata, every weight from the tensor table."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inferometer.catalog.architecture import Checkpoint, Model, grouped_layers
from inferometer.catalog.fields import MAX_LAYERS, Fields
from inferometer.catalog.gguf_block import blocks_of
from inferometer.catalog.gguf_header import Tensor, read_header

ARCHITECTURES = frozenset((
    "llama", "llama4", "deci", "falcon", "falcon-h1", "baichuan", "grok", "gpt2", "gptj",
    "gptneox", "mpt", "starcoder", "refact", "bloom", "stablelm", "qwen", "qwen2", "qwen2moe",
    "qwen2vl", "qwen3", "qwen3moe", "qwen3next", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe",
    "phi2", "phi3", "phimoe", "orion", "internlm2", "minicpm", "minicpm3", "gemma", "gemma2",
    "gemma3", "starcoder2", "mamba", "mamba2", "jamba", "xverse", "command-r", "cohere2", "dbrx",
    "olmo", "olmo2", "olmoe", "arctic", "deepseek", "deepseek2", "chatglm", "glm4", "glm4moe",
    "glm-dsa", "bitnet", "nemotron", "nemotron_h", "nemotron_h_moe", "exaone", "exaone4",
    "granite", "granitemoe", "granitehybrid", "chameleon", "bailingmoe", "bailingmoe2", "dots1",
    "arcee", "afmoe", "ernie4_5", "ernie4_5-moe", "hunyuan-moe", "hunyuan-dense", "smollm3",
    "gpt-oss", "lfm2", "lfm2moe", "seed_oss", "apertus", "minimax-m2", "mistral3", "mistral4",
    "mimo2", "kimi-linear",
))  # fmt: skip
"""Decoders of llama.cpp (src/llama-arch.cpp) whose layers are attention, recurrence and MLPs."""

MIXTURES: Mapping[int, str] = {
    10: "q2_k", 11: "q3_k_s", 12: "q3_k_m", 13: "q3_k_l",
    14: "q4_k_s", 15: "q4_k_m", 16: "q5_k_s", 17: "q5_k_m",
}  # fmt: skip
"""Number format by general.file_type (llama.h, llama_ftype) where a file mixes block formats."""

SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)")
"""Part and number of parts in the name of a file of a split model."""
_BLOCK = re.compile(r"blk\.(\d+)\.(.+)")


def read_gguf(path: str | Path, *, name: str = "") -> Model:
    """Return the model that a GGUF file, or the set of files it belongs to, holds.

    Args:
        path: The file; of a split model any of its parts, beside the others.
        name: Key of the model; else general.name or the file's name.

    Raises:
        CatalogError: broken, of an unknown architecture, or with metadata that contradict the
            tensors; the message names file and field.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    c = Fields(str(path), metadata)
    arch = c.raw.get("general.architecture")
    if not isinstance(arch, str) or arch not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise c.fault("general.architecture", f"unknown {arch!r:.60}; known: {known}")
    if not tensors:
        raise c.fault("tensor_count", "0: no weights in this file; name one that holds them")
    return _model(c, arch, tensors, name or _name(c, path))


def _read(path: Path) -> tuple[Mapping[str, Any], list[Tensor]]:
    """Return the metadata of the first part and the tensors of all."""
    found = SHARD.search(path.name)
    if not found:
        header = read_header(path)
        return header.metadata, list(header.tensors)
    metadata, tensors = dict[str, Any](), list[Tensor]()
    for part in range(1, min(int(found[2]), MAX_LAYERS) + 1):
        header = read_header(path.with_name(SHARD.sub(f"-{part:05d}-of-{found[2]}", path.name)))
        metadata = metadata or dict(header.metadata)
        tensors += header.tensors
    return metadata, tensors


def _name(c: Fields, path: Path) -> str:
    given = c.raw.get("general.name")
    return given if isinstance(given, str) and given.strip() else path.stem


def _model(c: Fields, arch: str, tensors: Sequence[Tensor], name: str) -> Model:
    layers = c.whole(f"{arch}.block_count")
    if layers > MAX_LAYERS:
        raise c.fault(f"{arch}.block_count", f"{layers} is more than {MAX_LAYERS}")
    layers -= c.whole(f"{arch}.nextn_predict_layers", default=0, low=0)
    inside: list[dict[str, Tensor]] = [{} for _ in range(layers)]
    outside: dict[str, Tensor] = {}
    for tensor in tensors:
        block = _BLOCK.fullmatch(tensor.name)
        if block is None:
            outside[tensor.name] = tensor
        elif int(block[1]) < layers:
            inside[int(block[1])][block[2]] = tensor
    hidden, vocab = _embedding(c, arch, outside)
    extra = [n for n in outside if n not in ("token_embd.weight", "output.weight")]
    return Model(
        key=name,
        name=name,
        family=arch,
        hidden=hidden,
        vocab=vocab,
        tied_embeddings="output.weight" not in outside,
        max_context=c.whole(f"{arch}.context_length"),
        layers=grouped_layers(blocks_of(c, arch, hidden, inside)),
        extra_weights=sum(outside[n].elements for n in extra if not n.startswith("rope_")),
        checkpoints=(_checkpoint(c, tensors, name),),
    )


def _embedding(c: Fields, arch: str, outside: Mapping[str, Tensor]) -> tuple[int, int]:
    hidden, table = c.whole(f"{arch}.embedding_length"), outside.get("token_embd.weight")
    if table is None or len(table.shape) != 2:
        raise c.fault("token_embd.weight", "missing from the tensor table")
    if table.shape[0] != hidden:
        raise c.fault(f"{arch}.embedding_length", f"{hidden}, but the embedding is {table.shape}")
    return hidden, table.shape[1]


def _checkpoint(c: Fields, tensors: Sequence[Tensor], name: str) -> Checkpoint:
    """Return the formats: of the mixture that the file names, else of most of its weights."""
    kind = c.whole("general.file_type", default=0, low=0) % 1024  # 1024 marks a guessed type
    if kind in MIXTURES:
        return Checkpoint(name=name, linear=MIXTURES[kind])
    matrices = [t for t in tensors if t.name.startswith("blk.") and len(t.shape) > 1]
    experts = _commonest(t for t in matrices if "_exps." in t.name)
    linear = _commonest(t for t in matrices if "_exps." not in t.name)
    return Checkpoint(name=name, linear=linear, experts=experts if experts != linear else "")


def _commonest(tensors: Iterable[Tensor]) -> str:
    weight: Counter[str] = Counter()
    for tensor in tensors:
        weight[tensor.format] += tensor.elements
    return weight.most_common(1)[0][0] if weight else ""
