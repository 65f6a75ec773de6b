"""What a family of models is to the reader: a layer, and what lies outside the layers."""

from collections.abc import Callable
from dataclasses import dataclass

from inferometer.catalog.architecture import Block
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import hidden_of

LayerReader = Callable[[Fields, int, int], Block]
"""Reader of one layer: of fields, layer index and number of layers."""


def final_norm(c: Fields) -> int:
    """Return the weights outside layers and embeddings of a model with one RMS norm."""
    return hidden_of(c)


def final_layer_norm(c: Fields) -> int:
    """Return the same for a LayerNorm, which has weight and bias."""
    return 2 * hidden_of(c)


@dataclass(frozen=True, slots=True)
class Family:
    """How to read one `model_type`.

    Attributes:
        block: Reader of one layer.
        tied: Whether input and output embeddings are one matrix if the file does not say
            (the default of the family's configuration class in transformers 5.23.0).
        outside: Weights outside layers and embeddings.
        context: Longest context if the family's files do not say; None makes it an error.
    """

    block: LayerReader
    tied: bool = False
    outside: Callable[[Fields], int] = final_norm
    context: int | None = None
