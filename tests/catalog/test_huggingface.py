import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.catalog.huggingface import read_config
from inferometer.errors import CatalogError

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
