import csv
import gzip
import json
from pathlib import Path

import pytest

from inferometer.catalog.models import model, models
from inferometer.catalog.names import index
from inferometer.catalog.source import Evidence
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


TRANSFORMERS: dict[str, int] = json.loads(
    Path(__file__).with_name("transformers_counts.json").read_text()
)
"""Parameters that transformers 5.23.0 makes of our shipped config (meta device, embeddings tied
as stated); files of a `model_type` that it does not know were given under the equal one it does."""


@pytest.mark.parametrize("key", sorted(TRANSFORMERS))
def test_another_program_counts_the_same_weights(key: str) -> None:
    record = models()[key]
    # Biases by which routers balance experts are weights in the files, but buffers there.
    balancing = sum(g.count * g.feed_forward.experts for g in record.layers)
    assert parameters(record).total - TRANSFORMERS[key] in {0, balancing}


@pytest.mark.parametrize("key", sorted(k for k, m in models().items() if m.published_active))
def test_active_parameters_match_one_of_the_publishers_conventions(key: str) -> None:
    record, counted = models()[key], parameters(models()[key])
    embedding = record.vocab * record.hidden
    # Publishers count all weights that a token uses, or leave out the embedding, which is looked
    # up and not multiplied, or the output head as well.
    conventions = (counted.active, counted.active - embedding, counted.active - 2 * embedding)
    # They round to billions or to tenths of one, or cut off (DeepSeek-V2 Lite: 2.45 is "2.4B").
    unit = 1e9 if record.published_active % 1e9 == 0 else 1e8
    assert any(-0.5 * unit <= n - record.published_active < unit for n in conventions)


def test_every_model_says_how_it_is_known() -> None:
    for record in models().values():
        source = record.sources[""]
        remembered = "from memory" in source.source
        assert remembered == (source.evidence is Evidence.ASSUMED), record.key


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


def test_every_name_means_one_model() -> None:
    assert len(index(models())) > len(models())


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("google/gemma-2-9b-it", "gemma-2-9b"),
        ("zai-org/GLM-4.6-FP8", "glm-4.6"),
        ("amd/Llama-3.1-70B-Instruct-FP8-KV", "llama-3.1-70b"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8", "llama-3.1-8b"),
        ("hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", "llama-3.1-70b"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "llama-3.3-70b"),
        ("internlm/internlm2_5-7b-chat", "internlm2-7b"),
        ("01-ai/Yi-1.5-9B-Chat", "yi-9b"),
        ("allenai/OLMo-2-1124-7B-Instruct", "olmo-2-7b"),
        ("facebook/opt-6.7b", "opt-6.7b"),
        ("MiniMaxAI/MiniMax-M2", "minimax-m2.5"),
    ],
)
def test_tunings_and_conversions_are_their_base_model(name: str, key: str) -> None:
    assert model(name).key == key
