"""The precisions that a plan may use: what published checkpoints provide, and the KV cache."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inferometer.catalog.models import Checkpoint, Model
from inferometer.catalog.names import resolve
from inferometer.catalog.number_format import NumberFormat
from inferometer.deployment import Precision

KV = "kv-"
"""Before a format that the KV cache may be converted to, among the formats allowed with loss."""

FULL = ("bf16", "fp16", "fp32")
"""Formats of a KV cache that is not quantised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Number formats in which a model can be had.

    Attributes:
        precision: The formats.
        origin: Checkpoint that holds the weights, or how they would be made.
    """

    precision: Precision
    origin: str

    @property
    def quality(self) -> str:
        """Cited effect of the formats on quality, "not known" where none is.

        What is cited of a format is about weights and activations, so of a quantised KV cache
        nothing is known.
        """
        cited = (self.precision.linear.quality, self.precision.experts.quality)
        known = dict.fromkeys(text or "not known" for text in cited)
        cache = self.precision.kv.key
        return "; ".join((*known, *(() if cache in FULL else (f"{cache} KV cache: not known",))))


def provided(
    model: Model,
    formats: Mapping[str, NumberFormat],
    *,
    kv: Iterable[str] = ("bf16",),
    requantise: Iterable[str] = (),
) -> tuple[Weights, ...]:
    """Return the precisions that `model` can be served in, with where the weights come from.

    Args:
        model: The model; without checkpoints its weights are taken as 16 bit.
        formats: Number formats by key.
        kv: Formats tried for the KV cache, beside the one that a checkpoint asks for.
        requantise: Formats that the user allows the weights to be converted to, with loss; after
            `KV` ("kv-fp8"), formats that the KV cache may be converted to.

    Raises:
        CatalogError: a format without a record.
    """
    allowed = tuple(requantise)
    weights = [key for key in allowed if not key.startswith(KV)]
    kv = (*kv, *(key.removeprefix(KV) for key in allowed if key.startswith(KV)))
    checkpoints = list(model.checkpoints) or [Checkpoint(name=model.key)]
    checkpoints += [Checkpoint(name=f"own conversion to {key}", linear=key) for key in weights]
    found: dict[str, Weights] = {}
    for checkpoint in checkpoints:
        for cache in dict.fromkeys((*((checkpoint.kv,) if checkpoint.kv else ()), *kv)):
            precision = _precision(checkpoint, cache, formats)
            key = f"{precision.linear.key} {precision.experts.key} {precision.kv.key}"
            found.setdefault(key, Weights(precision=precision, origin=checkpoint.name))
    return tuple(found.values())


def _precision(
    checkpoint: Checkpoint, cache: str, formats: Mapping[str, NumberFormat]
) -> Precision:
    def of(key: str) -> NumberFormat:
        return resolve(formats, key, kind="number format")

    return Precision(
        linear=of(checkpoint.linear),
        experts=of(checkpoint.experts or checkpoint.linear),
        kv=of(cache),
    )
