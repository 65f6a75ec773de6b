import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.catalog.models import model, models_in, read_model
from inferometer.errors import CatalogError

TINY: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 100,
    "max_position_embeddings": 512,
}


def place(folder: Path, name: str, **changes: Any) -> Path:
    home = folder / name.replace("/", "--")
    home.mkdir(parents=True)
    (home / "config.json").write_text(json.dumps(TINY | changes))
    return home


def test_a_path_is_read_and_a_name_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = place(tmp_path, "acme/tiny")
    folder, file = model(str(home)), model(str(home / "config.json"))
    assert folder.layers == file.layers
    assert file.sources[""].source == str(home / "config.json")
    assert model(str(home)).hidden == 64
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llama-3.1-8b").mkdir()  # a folder that holds no model is no model
    assert model("llama-3.1-8b").hidden == 4096


def test_the_users_folder_comes_first(tmp_path: Path) -> None:
    place(tmp_path, "meta-llama/Llama-3.1-8B", hidden_size=128)
    place(tmp_path, "acme/tiny")
    place(tmp_path, "acme/broken", num_hidden_layers=0)
    assert model("meta-llama/Llama-3.1-8B", tmp_path).hidden == 128
    assert model("llama-3.1-8b", tmp_path).hidden == 128
    assert model("acme/tiny", tmp_path).key == "acme/tiny"
    assert model("llama-3.1-70b", tmp_path).hidden == 8192
    with pytest.raises(CatalogError, match=r"acme--broken.*num_hidden_layers"):
        model("acme/broken", tmp_path)


def test_all_models_of_a_folder(tmp_path: Path) -> None:
    place(tmp_path, "acme/one")
    place(tmp_path, "acme/two", hidden_size=128)
    found = models_in(tmp_path)
    assert {name: m.hidden for name, m in found.items()} == {"acme/one": 64, "acme/two": 128}
    place(tmp_path, "acme/three", vocab_size=0)
    place(tmp_path, "acme/four", model_type="unheard_of")
    with pytest.raises(CatalogError, match=r"(?s)unheard_of.*vocab_size"):
        models_in(tmp_path)


@pytest.mark.parametrize("name", ["none/config.json", "none.gguf", "no\0name.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogError, match=r"none|name"):
        model(str(tmp_path / name))


def test_a_folder_of_several_gguf_models_is_ambiguous(tmp_path: Path) -> None:
    for name in ("a-00001-of-00002.gguf", "a-00002-of-00002.gguf"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CatalogError, match=r"a-00001-of-00002\.gguf: offset 0: magic"):
        model(str(tmp_path))
    (tmp_path / "b.gguf").write_bytes(b"")
    with pytest.raises(CatalogError, match="several"):
        model(str(tmp_path))


def test_a_folder_of_models_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="a folder of models is wanted"):
        model("acme/tiny", tmp_path / "absent")


def test_a_field_given_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"model_type": "llama", "hidden_size": 1, "hidden_size": 2}', encoding="utf-8")
    with pytest.raises(CatalogError, match="field 'hidden_size' is given twice"):
        read_model(file)
