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


SHAPING = frozenset((
    "attn_res_block_size", "cla_share_factor", "compress_ratios", "global_head_dim",
        "hidden_size_per_layer_input", "kv_sharing_layers", "moe_latent_size",
    "num_kv_shared_layers", "routed_expert_hidden_size", "swa_num_key_value_heads",
    "use_double_wide_mlp", "zero_expert_num",
))  # fmt: skip
"""Fields that change the shape of layers; a family that does not read one given is refused."""


@dataclass(frozen=True, slots=True)
class Family:
    """How to read one `model_type`.

    Attributes:
        block: Reader of one layer.
        tied: Whether input and output embeddings are one matrix if the file does not say
            (the default of the family's configuration class in transformers 5.23.0).
        outside: Weights outside layers and embeddings.
        context: Longest context if the family's files do not say; None makes it an error.
        reads: Fields of `SHAPING` that the reader of layers takes into account.
        parts: Layers of ours in one layer of the file.
    """

    block: LayerReader
    tied: bool = False
    outside: Callable[[Fields], int] = final_norm
    context: int | None = None
    reads: frozenset[str] = frozenset()
    parts: int = 1
