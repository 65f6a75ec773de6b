"""Experts beside dense blocks, variable layers, image layers: counted by hand, refused if bad."""

import tomllib
from typing import Any

import pytest

from inferometer.catalog.architecture import AttentionKind
from inferometer.catalog.huggingface import read_config
from inferometer.catalog.load import shipped
from inferometer.catalog.models import model
from inferometer.errors import CatalogError
from inferometer.perf.counts import parameters


def config(file: str, key: str) -> dict[str, Any]:
    text = shipped(f"models/{file}.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)[key]["config"]
    return found


def test_grok_2_counts_the_dense_block_beside_its_experts() -> None:
    """Its publisher's sizes: 270 billion, of which two experts in eight make 115 billion active."""
    hidden, layers = 8192, 64
    experts, dense = 8 * 3 * hidden * 16384 * layers, 3 * hidden * 32768 * layers
    mixing = (2 * hidden * hidden + 2 * hidden * 1024) * layers
    small = layers * (4 * hidden + 8 * hidden) + hidden  # norms and routers
    total = experts + dense + mixing + small + 2 * 131072 * hidden
    counted = parameters(model("grok-2"))
    assert counted.total == total
    assert counted.active == total - experts * 6 // 8


def test_longcat_has_two_attentions_in_a_layer_and_idle_experts() -> None:
    """A token goes to 12 of 768 experts; 256 of them do nothing, so 8 work on average."""
    found = model("longcat-flash")
    assert sum(layer.count for layer in found.layers) == 2 * 28
    (sparse,) = (layer for layer in found.layers if layer.feed_forward.experts)
    assert (sparse.count, sparse.feed_forward.experts_active) == (28, 8)
    assert all(layer.attention.kind is AttentionKind.LATENT for layer in found.layers)


def test_step_3_factorises_its_queries() -> None:
    found = model("step-3").layers[0].attention
    assert (found.query_heads, found.kv_heads, found.head_dim) == (64, 1, 256)
    full = 7168 * 64 * 256
    low = 2048 * (7168 + 64 * 256) + 2048
    assert found.extra_weights == low - full


def test_layers_of_images_keep_no_text() -> None:
    """Without its eight image layers and tokens it is Llama-3.1-8B."""
    vision, text = model("llama-3.2-11b-vision"), model("llama-3.1-8b")
    (image,) = (layer for layer in vision.layers if layer.attention.kind is AttentionKind.NONE)
    assert image.count == 8
    width, hidden = 14336, 4096
    each = 2 * hidden * (hidden + 1024) + 3 * hidden * width + 2 * hidden + 2 * 128 + 2
    assert parameters(vision).total == parameters(text).total + 8 * each + 8 * hidden


@pytest.mark.parametrize("listed", [True, False])
def test_hunyuan_states_numbers_once_or_per_layer(listed: bool) -> None:
    raw = config("other", "hunyuan-a13b")
    names = ("moe_topk", "moe_intermediate_size", "num_shared_expert")
    if listed:
        raw |= {name: [raw[name]] * 32 for name in names}
    assert parameters(read_config(raw)).total == parameters(model("hunyuan-a13b")).total


@pytest.mark.parametrize(
    ("file", "key", "field", "value"),
    [
        ("grok", "grok-2", "residual_moe", False),
        ("grok", "grok-2", "moe_intermediate_size", 0),
        ("grok", "grok-1", "num_experts_per_tok", 9),
        ("other", "hunyuan-a13b", "moe_topk", [8] * 31),
        ("other", "hunyuan-a13b", "moe_topk", [0] * 32),
        ("step", "step-3", "moe_layers_enum", "4,5,x"),
        ("step", "step-3", "moe_layers_enum", [4, 5]),
        ("step", "step-3", "moe_layers_enum", "61"),
        ("step", "step-3", "share_q_dim", None),
        ("longcat", "longcat-flash", "moe_topk", None),
        ("longcat", "longcat-flash", "zero_expert_num", -1),
        ("ling", "ling-1t", "first_k_dense_replace", None),
        ("llama", "llama-3.2-11b-vision", "cross_attention_layers", [40]),
        ("phi", "phi-3-small", "ff_intermediate_size", None),
    ],
)
def test_bad_fields_are_named(file: str, key: str, field: str, value: object) -> None:
    with pytest.raises(CatalogError, match=field):
        read_config({**config(file, key), field: value})
