"""The shipped models, by name: facts of their config.json, read as any config.json is."""

import dataclasses
import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.catalog.architecture import (
    Attention,
    AttentionKind,
    Checkpoint,
    FeedForward,
    Layer,
    Model,
)
from inferometer.catalog.huggingface import read_config
from inferometer.catalog.load import shipped, shipped_texts
from inferometer.catalog.model_files import is_path, model_in, models_in, read_model
from inferometer.catalog.names import normalise, resolve
from inferometer.catalog.schema import PROVENANCE, build
from inferometer.catalog.source import Source
from inferometer.errors import CatalogError

__all__ = [
    "Attention",
    "AttentionKind",
    "Checkpoint",
    "FeedForward",
    "Layer",
    "Model",
    "model",
    "models",
    "models_in",
]

_NOT_THE_MODEL = re.compile(
    r"\(ollama tag\)$|:[0-9a-f]{40,}$|-v1$|[-_]latest$|-hf$|-(?:instruct|chat|it|thinking|base)\b"
    r"|-\d{4}\b|-(?:fp8|nvfp4|fp4|mxfp4|bf16|awq|gptq|int4|int8|w\d+a\d+)\b|-8k$"
    r"|-quantized(?:\.w\d+a\d+)?$|-4b-128g$|-(?:kv|dynamic|gguf|kv-fp8)$"
)
"""Parts of a name that tell a tuning, a date or a number format, but not the architecture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A shipped model whose config.json is not read yet: that of all takes half a second.

    Attributes:
        key: Name in the catalogue.
        name: Full name.
        aliases: Further names.
        raw: Its table.
        where: Where that is, for messages.
    """

    key: str
    name: str
    aliases: tuple[str, ...]
    raw: Mapping[str, Any]
    where: str


@functools.cache
def _files() -> Mapping[str, str]:
    """Return the file of every shipped model by key."""
    names = sorted(file.name for file in shipped("models").iterdir())
    files = [f"models/{name}" for name in names if name.endswith(".toml")]
    return {key: file for file in files for key in shipped_texts(file)}


@functools.cache
def _entry(key: str) -> Entry:
    file = _files()[key]
    raw = tomllib.loads(shipped_texts(file)[key])[key]
    return Entry(
        key=key,
        name=str(raw.get("name", key)),
        aliases=tuple(raw.get("aliases", ())),
        raw=raw,
        where=f"catalog/data/{file}: {key}",
    )


@functools.cache
def _entries() -> Mapping[str, Entry]:
    """Return all shipped models by key, their config.json unread."""
    return {key: _entry(key) for key in _files()}


@functools.cache
def models() -> Mapping[str, Model]:
    """Return all shipped models by key.

    Raises:
        CatalogError: a shipped file is at fault.
    """
    return {key: _model(key) for key in _files()}


def model(name: str, overlay: Path | None = None) -> Model:
    """Return the model of that name: a path, or a name with or without tuning and format.

    Args:
        name: Path of a config.json, of a GGUF file or of a folder with one; key, alias or
            repository of a shipped model.
        overlay: Folder of models that is asked before the catalogue: one folder per model id,
            "/" written "--".

    Raises:
        CatalogError: the file is at fault, or no model has the name; the message lists the
            nearest names.
    """
    if is_path(name):
        return read_model(name)
    given = None if overlay is None else model_in(overlay, name)
    return given or _shipped(name)


def _shipped(name: str) -> Model:
    if name in _files():
        return _model(name)
    try:
        return _model(resolve(_entries(), name, kind="model").key)
    except CatalogError:
        plain = _plain(name)
        for entry in _entries().values():
            if plain in {_plain(n) for n in (entry.key, entry.name, *entry.aliases)}:
                return _model(entry.key)
        raise


def _plain(name: str) -> str:
    bare = name.strip().rsplit("/", 1)[-1].lower()
    while (shorter := _NOT_THE_MODEL.sub("", bare).strip()) != bare:
        bare = shorter
    return normalise(bare)


@functools.cache
def _model(key: str) -> Model:
    entry = _entry(key)
    record, where = dict(entry.raw), entry.where
    if not isinstance(record.get("config"), dict):
        raise CatalogError(f"{where}.config: missing; it holds the fields of config.json")
    model = read_config(record.pop("config"), name=key, where=where)
    provenance = {name: record.pop(name) for name in PROVENANCE if name in record}
    own = build(Source, provenance, where)
    base = dataclasses.replace(model, sources={"": own})
    return build(Model, {**record, **provenance}, where, base=base)
