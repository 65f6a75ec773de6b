"""Transformer shapes of the Erdil model, with what their counts imply."""

import dataclasses
import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.catalog.load import read_toml, shipped
from inferometer.catalog.names import resolve
from inferometer.catalog.source import Source

_VARIANT = re.compile(r"^(.+?)[-_ ](mqa|w16|w8|w4|a8|16-?bit|8-?bit|4-?bit)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A transformer as the model sees it.

    Attributes:
        key: Name in the table.
        aliases: Other spellings.
        width: Model width d.
        feedforward: Feed-forward width f.
        matrices_in: Matrices d -> f of a feed-forward block (2 when gated).
        matrices_out: Matrices f -> d.
        layers: Layers L.
        experts: Experts E per layer, 1 when dense.
        active_experts: Experts k that a token uses.
        heads: Query heads h.
        head_size: Width e of a head.
        group_size: Query heads g that share one KV head.
        vocabulary: Entries of the vocabulary.
        weight_bytes: Bytes per weight.
        activation_bytes: Bytes per activation and per cached value.
        parallel_attention: Attention and feed-forward side by side: half the all-reduces of the
            toy model; the full model ignores it, as the notebook does.
        attention_flop_factor: Attention FLOP over those of grouped-query attention.
        note: What the shape leaves out, or how sure it is.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    aliases: tuple[str, ...] = ()
    width: float
    feedforward: float
    matrices_in: int
    matrices_out: int
    layers: int
    experts: int
    active_experts: int
    heads: int
    head_size: float
    group_size: float
    vocabulary: int
    weight_bytes: float
    activation_bytes: float
    parallel_attention: bool = False
    attention_flop_factor: float = 1.0
    note: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def sparsity(self) -> int:
        """Experts per active expert, rounded down: s."""
        return self.experts // self.active_experts

    @property
    def matrices(self) -> int:
        """Feed-forward matrices per expert."""
        return self.matrices_in + self.matrices_out

    @property
    def kv_heads(self) -> float:
        """K heads and V heads together."""
        return 2 * self.heads / self.group_size

    @property
    def qkv_width(self) -> float:
        """Output width D of the fused query, key and value projection."""
        return (self.heads + self.kv_heads) * self.head_size

    @property
    def parameters(self) -> float:
        """All parameters, both embeddings counted."""
        return self._attention + self._feedforward + self._embedding

    @property
    def active_parameters(self) -> float:
        """Parameters that a token uses; both embeddings are charged, as the notebook does."""
        return self._attention + self._feedforward // self.sparsity + self._embedding

    @property
    def kv_bytes(self) -> float:
        """Bytes of KV cache per token of context."""
        return self.kv_heads * self.head_size * self.layers * self.activation_bytes

    @property
    def attention_flop(self) -> float:
        """FLOP per token of context and token decoded."""
        return 4 * self.head_size * self.heads * self.layers * self.attention_flop_factor

    @property
    def _attention(self) -> float:
        projections = self.qkv_width * self.width + self.heads * self.head_size * self.width
        return self.layers * projections

    @property
    def _feedforward(self) -> float:
        return self.layers * self.experts * self.matrices * self.width * self.feedforward

    @property
    def _embedding(self) -> float:
        return 2.0 * self.vocabulary * self.width


def scaled(model: Architecture, factor: float) -> Architecture:
    """Return the model with about `factor` times the parameters, by the notebook's rule.

    Width, feed-forward width and depth grow as its cube root, heads and their size as its sixth
    root; KV heads, vocabulary and experts stay.
    """
    cube, sixth = factor ** (1 / 3), factor ** (1 / 6)
    heads = math.ceil(model.heads * sixth)
    return dataclasses.replace(
        model,
        width=model.width * cube,
        feedforward=model.feedforward * cube,
        layers=math.floor(model.layers * cube),
        heads=heads,
        head_size=model.head_size * sixth,
        group_size=heads * model.group_size / model.heads,
    )


@functools.cache
def architectures() -> Mapping[str, Architecture]:
    """Return the shipped shapes by key."""
    return read_toml(shipped("theory/models.toml"), Architecture)


def architecture(name: str) -> Architecture:
    """Return the shape of that name, in any spelling; endings derive a variant.

    "-mqa" shares one KV head among all query heads, "-w8" and "-w4" (or "-8bit", "-4bit") set the
    weight precision, "-a8" the activations'; they can follow one another: "llama3-70b-w8-mqa".

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    match = _VARIANT.match(name)
    if match is None:
        return resolve(architectures(), name, kind="model of the theory")
    model, ending = architecture(match[1]), match[2].lower().replace("-", "")
    changes: dict[str, dict[str, float]] = {
        "mqa": {"group_size": model.heads},
        "w16": {"weight_bytes": 2.0},
        "w8": {"weight_bytes": 1.0},
        "w4": {"weight_bytes": 0.5},
        "16bit": {"weight_bytes": 2.0},
        "8bit": {"weight_bytes": 1.0},
        "4bit": {"weight_bytes": 0.5},
        "a8": {"activation_bytes": 1.0},
    }
    return dataclasses.replace(model, key=f"{model.key}-{ending}", **changes[ending])  # type: ignore[arg-type]
