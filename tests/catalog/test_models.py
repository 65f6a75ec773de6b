import csv
import gzip
from pathlib import Path

import pytest

from inferometer.catalog.models import model, models
from inferometer.catalog.tables import formats
from inferometer.errors import CatalogError
from inferometer.perf.counts import parameters

TABLES = ("serving.csv", "serving_unscored.csv", "energy.csv", "steps.csv.gz", "opspower.csv.gz")
TABLES += ("steps_static.csv", "dvfs.csv", "dvfs_unscored.csv")


@pytest.mark.parametrize("key", sorted(models()))
def test_counted_parameters_match_the_published_size(key: str) -> None:
    record = models()[key]
    if not record.published_total:
        pytest.skip("the publisher states no size of the language part alone")
    assert parameters(record).total == pytest.approx(record.published_total, rel=0.01)


def test_checkpoint_formats_are_known() -> None:
    for record in models().values():
        for checkpoint in record.checkpoints:
            used = {checkpoint.linear, checkpoint.experts, checkpoint.kv} - {""}
            assert used <= formats().keys(), checkpoint.name


@pytest.mark.parametrize("table", TABLES)
def test_every_measured_model_resolves(data: Path, table: str) -> None:
    file = data / "measured" / table
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        names = {row["model"] for row in csv.DictReader(lines)} - {""}
    assert names
    for name in names:
        model(name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Llama 3.1 405B", "llama-3.1-405b"),
        ("llama2-70b-99.9", "llama-2-70b"),
        ("nvidia/Qwen3-32B-NVFP4", "qwen3-32b"),
        ("meta-llama/Llama-2-70b", "llama-2-70b"),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", "qwen3-235b-a22b"),
        ("granite4_3b (ollama tag)", "granite-4.0-micro"),
    ],
)
def test_spellings(name: str, key: str) -> None:
    assert model(name).key == key


def test_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(CatalogError, match=r"llama-3\.1-8b"):
        model("llama-3.1-9b")
