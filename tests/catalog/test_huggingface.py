import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.catalog.huggingface import read_config
from inferometer.catalog.models import model
from inferometer.errors import CatalogError
from inferometer.perf.counts import parameters

BASE: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 100,
    "max_position_embeddings": 512,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_hidden_layers", 0),
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", "2"),
        ("num_key_value_heads", 3),
        ("model_type", "no_such_model"),
        ("vocab_size", None),
        ("hidden_size", 63),
        ("hidden_size", True),
        ("quantization_config", {"quant_method": "magic"}),
        ("quantization_config", {"quant_method": ["fp8"]}),
    ],
)
def test_a_bad_field_is_named(field: str, value: object) -> None:
    named = (
        "head_dim" if value == 63 else "quant_method" if field == "quantization_config" else field
    )
    with pytest.raises(CatalogError, match=named):
        read_config({**BASE, field: value})


def test_file_and_folder_read_alike(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(BASE))
    assert read_config(file) == read_config(tmp_path)


def test_given_head_dim_is_never_derived() -> None:
    assert read_config({**BASE, "head_dim": 32}).layers[0].attention.head_dim == 32


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_broken_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CatalogError, match=r"config\.json"):
        read_config(tmp_path)


def test_nested_configs_leave_out_what_their_class_says() -> None:
    # google/gemma-3-4b-it and llava-hf/llava-1.5-7b-hf state no more than this.
    gemma = read_config(
        {
            "model_type": "gemma3",
            "text_config": {
                "model_type": "gemma3_text",
                "hidden_size": 2560,
                "intermediate_size": 10240,
                "num_hidden_layers": 34,
                "sliding_window": 1024,
            },
        }
    )
    assert parameters(gemma) == parameters(model("gemma-3-4b"))
    assert [(g.count, g.attention.window) for g in gemma.layers] == [(29, 1024), (5, None)]
    text = {"model_type": "llama", "max_position_embeddings": 4096, "vocab_size": 32064}
    llava = read_config({"model_type": "llava", "text_config": text})
    assert parameters(llava) == parameters(model("llava-1.5-7b"))
    assert not llava.tied_embeddings


def test_layers_without_positions_see_everything() -> None:
    shape = {
        **BASE,
        "model_type": "llama4_text",
        "attention_chunk_size": 128,
        "intermediate_size_mlp": 256,
        "num_hidden_layers": 4,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
    }
    by_rule = read_config(shape)
    assert [(g.count, g.attention.window) for g in by_rule.layers] == [(3, 128), (1, None)]
    stated = read_config({**shape, "no_rope_layers": [0, 1, 0, 1]})
    assert [(g.count, g.attention.window) for g in stated.layers] == [(2, None), (2, 128)]


@pytest.mark.parametrize("field", ["compress_ratios", "routed_expert_hidden_size"])
def test_a_field_that_reshapes_layers_is_never_passed_over(field: str) -> None:
    with pytest.raises(CatalogError, match=field):
        read_config({**BASE, field: [4]})


GROUP = {"weights": {"num_bits": 4, "type": "int", "group_size": 32}, "input_activations": None}
PACKED = {"quant_method": "compressed-tensors", "config_groups": {"group_0": GROUP}}
SPARED = {**PACKED, "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*"]}
FLOAT8 = {"num_bits": 8, "type": "float"}


@pytest.mark.parametrize(
    ("quantisation", "formats"),
    [
        ({"quant_method": "fp8"}, ("fp8", "", "")),
        ({"quant_method": "mxfp4"}, ("bf16", "mxfp4", "")),
        ({"quant_method": "awq", "bits": 4}, ("int4", "", "")),
        ({"quant_method": "gptq", "bits": 8}, ("w8a16", "", "")),
        ({"quant_method": "fp8", "kv_cache_scheme": "static"}, ("fp8", "", "fp8")),
        (
            {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp4"}}},
            ("mxfp4", "", ""),
        ),
        (PACKED, ("int4", "", "")),
        (SPARED, ("bf16", "int4", "")),
        (
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "kv_cache_scheme": FLOAT8},
            ("nvfp4", "", "fp8"),
        ),
    ],
)
def test_number_formats_of_a_checkpoint(
    quantisation: dict[str, Any], formats: tuple[str, str, str]
) -> None:
    for raw in (
        {**BASE, "quantization_config": quantisation},
        {"text_config": {**BASE, "quantization_config": quantisation}},
    ):
        made = read_config(raw).checkpoints[0]
        assert (made.linear, made.experts, made.kv) == formats
