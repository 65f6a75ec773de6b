"""Shipped files cut into records: what is read one by one is what the TOML parser reads whole."""

import tomllib

import pytest

from inferometer.catalog import load, tables
from inferometer.catalog.hardware import Accelerator
from inferometer.catalog.load import read_toml, shipped, shipped_record, shipped_texts
from inferometer.catalog.models import models
from inferometer.catalog.sections import sections

CUT = sorted(
    [f"{name}.toml" for name in load.SECTIONS if name != "models"]
    + [f"models/{file.name}" for file in shipped("models").iterdir()]
)
"""Files that are read record by record."""


@pytest.mark.parametrize("name", CUT)
def test_the_cuts_are_those_of_the_parser(name: str) -> None:
    text = shipped(name).read_text(encoding="utf-8")
    one_by_one = {key: tomllib.loads(part) for key, part in sections(text).items()}
    whole = tomllib.loads(text)
    assert list(one_by_one) == list(whole)
    assert one_by_one == {key: {key: value} for key, value in whole.items()}


def test_no_model_is_in_two_files() -> None:
    files = [shipped("models") / name.removeprefix("models/") for name in CUT if "/" in name]
    assert sum(len(sections(f.read_text(encoding="utf-8"))) for f in files) == len(models())


def test_a_record_read_alone_is_the_one_of_the_whole_file() -> None:
    file = "accelerators.toml"
    whole = read_toml(shipped(file), Accelerator)
    assert {key: shipped_record(file, Accelerator, key) for key in shipped_texts(file)} == whole
    assert tables.accelerators() == whole


def test_one_name_gives_one_record_however_it_is_asked_for() -> None:
    chip = tables.accelerator("h100-sxm")
    assert tables.accelerator("NVIDIA H100 SXM") is chip
    assert tables.accelerators()["h100-sxm"] is chip
    assert tables.node("h100-sxm") is tables.nodes()["h100-sxm"]
    assert tables.engine("vllm") is tables.engines()["vllm"]


def test_headers_with_quotes_points_and_comments() -> None:
    text = '# head\n["a.1"]  # why\nx = [\n  1,\n]\n["a.1".config]\ny = "[no]"\n[b-2]\nz = 1\n'
    parts = sections(text)
    assert {key: tomllib.loads(part)[key] for key, part in parts.items()} == tomllib.loads(text)
    assert list(parts) == ["a.1", "b-2"]
