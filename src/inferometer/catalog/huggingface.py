"""Hugging Face config.json -> Model, family by family; an unknown family is an error."""

import functools
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inferometer.catalog.architecture import Model, grouped_layers
from inferometer.catalog.families import dense, early, hybrid, mixture, parallel_mixture
from inferometer.catalog.families.family import SHAPING, Family
from inferometer.catalog.fields import Fields
from inferometer.catalog.load import shipped
from inferometer.catalog.mixing import hidden_of
from inferometer.catalog.quantisation import checkpoint
from inferometer.errors import CatalogError

FAMILIES: Mapping[str, Family] = {
    **dense.FAMILIES,
    **early.FAMILIES,
    **mixture.FAMILIES,
    **parallel_mixture.FAMILIES,
    **hybrid.FAMILIES,
}
"""Families by `model_type`."""
CONTEXT = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length"),
    *("seq_length", "model_max_length"),
)
"""Names of the longest context, the first given counts: the later ones were lengths of training."""
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
        raw = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(raw, dict):
        raise CatalogError(f"{path}: an object is wanted")
    return raw


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; a field given twice is a fault, not the last one's value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {twice!r:.60} is given twice")
    return found


def _model(outer: Fields, name: str) -> Model:
    c = _text_part(outer)
    kind = c.raw.get("model_type")
    family = FAMILIES.get(kind) if isinstance(kind, str) else None
    if family is None:
        raise c.fault("model_type", f"unknown architecture {kind!r:.60}; known: {_known()}")
    for field in sorted(SHAPING - family.reads):
        if c.raw.get(field):
            raise c.fault(field, f"given, but not known of {kind}")
    layers = c.layers() * family.parts
    tied = outer.flag("tie_word_embeddings", default=family.tied)
    return Model(
        key=name,
        name=name,
        family=str(kind),
        hidden=hidden_of(c),
        vocab=c.whole("vocab_size", "padded_vocab_size"),
        tied_embeddings=c.flag("tie_word_embeddings", default=tied),
        max_context=_context(c, family),
        layers=grouped_layers(family.block(c, i, layers) for i in range(layers)),
        extra_weights=family.outside(c),
        checkpoints=(checkpoint(outer, c, name),),
        image_tokens=outer.whole("image_seq_length", default=0),
    )


def _text_part(c: Fields) -> Fields:
    """Return the fields of the language model, which multimodal files nest.

    What a nested table leaves out has the default of its class; transformers writes it so. A file
    that is not nested states everything.
    """
    for name in ("text_config", "llm_config", "language_config"):
        if c.has(name):
            inner = c.nested(name)
            left_out = _class_defaults().get(str(inner.raw.get("model_type")), {})
            return Fields(inner.where, {**left_out, **inner.raw})
    return c


@functools.cache
def _class_defaults() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(shipped("config_defaults.toml").read_text(encoding="utf-8"))


def _context(c: Fields, family: Family) -> int:
    given = next((name for name in CONTEXT if c.has(name)), CONTEXT[0])
    return c.whole(given, default=family.context)


def _known() -> str:
    return ", ".join(sorted(FAMILIES))
