"""The weights of a GGUF file in another number format: taken apart, rounded again, written anew.

What was lost when the file was first quantised stays lost: an F16 variant of a 4-bit file is the
reference for what follows from it, not the model that its makers trained.
"""

import hashlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inferometer.catalog.gguf import read_gguf
from inferometer.errors import ScenarioError
from inferometer.loop.launch import model_file
from inferometer.loop.setting import AS_SHIPPED
from inferometer.loop.supervise import Say

FORMATS = ("f16", "q8_0", "q5_0", "q4_0")
"""Formats that weights can be written in here."""

FILE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 7, "q5_0": 8}
"""general.file_type of each, llama_ftype in llama.h."""


def weights_file(weights: str, shipped: Path | None, say: Say) -> Path:
    """Return the file with the weights in a format, made on first use and kept in the cache.

    Args:
        weights: "as-shipped", or one of `FORMATS`.
        shipped: The GGUF file to start from; None for the packaged one.
        say: Told when a file is made, which takes seconds.

    Raises:
        ScenarioError: an unknown format, no `gguf` to write it with, or no room for it.
    """
    source = model_file(shipped)
    if weights in {AS_SHIPPED, format_of(source)}:
        return source
    if weights not in FORMATS:
        known = ", ".join((AS_SHIPPED, *FORMATS))
        raise ScenarioError(f"weights {weights!r}: one of {known}")
    target = _cache() / f"{source.stem}-{_mark(source)}-{weights}.gguf"
    if not target.is_file():
        say(f"writing {source.name} as {weights} to {target}")
        _write(source, target, weights)
    return model_file(target)


def format_of(path: Path) -> str:
    """Return the number format of most weights of a GGUF file."""
    return read_gguf(path).checkpoints[0].linear


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "inferometer" / "weights"


def _mark(source: Path) -> str:
    """Return what tells a file from another of its name: a digest of its head and size."""
    with source.open("rb") as file:
        head = file.read(1 << 20)
    return hashlib.sha256(head + str(source.stat().st_size).encode()).hexdigest()[:12]


def _write(source: Path, target: Path, weights: str) -> None:
    """Write `source` in format `weights`; the file appears whole or not at all."""
    try:
        gguf: Any = importlib.import_module("gguf")
    except ImportError as error:
        raise ScenarioError(f"weights {weights!r} need the package gguf: {error}") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.partial")
    try:
        _copy(gguf, source, partial, weights)
        partial.replace(target)
    except OSError as error:
        raise ScenarioError(f"{target}: cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(gguf: Any, source: Path, target: Path, weights: str) -> None:
    reader = gguf.GGUFReader(source)
    architecture = reader.get_field("general.architecture").contents()
    writer = gguf.GGUFWriter(target, architecture)
    for name, value, kind, inner in _metadata(gguf, reader):
        changed = FILE_TYPES[weights] if name == "general.file_type" else value
        writer.add_key_value(name, changed, kind, inner)
    for tensor in reader.tensors:
        values, kind = _converted(gguf, tensor, weights)
        writer.add_tensor(tensor.name, values, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _metadata(gguf: Any, reader: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield the metadata to copy: not the counts, nor the architecture, which the writer adds."""
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        yield field.name, field.contents(), kind, inner


def _converted(gguf: Any, tensor: Any, weights: str) -> tuple[Any, Any]:
    """Return a tensor's data in the format.

    Vectors stay as they are, and so does the embedding where it is wider than the format: it is the
    output layer too, and whoever made the file kept it wide for that.
    """
    kind = gguf.GGMLQuantizationType[weights.upper()]
    wider = _width(gguf, tensor.tensor_type) > _width(gguf, kind)
    if len(tensor.shape) < 2 or (wider and tensor.name in _OUTPUTS):
        return tensor.data, tensor.tensor_type
    plain = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return gguf.quants.quantize(plain, kind), kind


_OUTPUTS = ("token_embd.weight", "output.weight")


def _width(gguf: Any, kind: Any) -> float:
    """Return the bytes of one weight."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    width: float = size / block
    return width
