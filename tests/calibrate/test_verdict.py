from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.observation import observe
from inferometer.calibrate.verdict import judge, novelty, quantity
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.uncertainty import Basis, Residual

HEADER = "row_id,source,model,model_family,gpu,num_gpus,tp,load_type,isl,osl,concurrency_or_rate,"
HEADER += "precision,engine,tokens_per_s,tpot_ms_p50,note\n"
LLAMA = "lab,meta-llama/Llama-3.1-8B,llama3"
ROWS = f"""a,{LLAMA},H100-SXM,1,1,concurrency,1000,500,16,bf16,vllm,1500,10,
b,lab,nobody/Unknown-7B,none,H100-SXM,1,1,concurrency,1000,500,16,bf16,vllm,1500,,
c,{LLAMA},Abacus,1,1,concurrency,1000,500,16,bf16,vllm,,9,
d,{LLAMA},H100-SXM,1,1,concurrency,1000,500,64,bf16,vllm,4000,12,
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")
    return path


def known(observation: object) -> str:
    del observation
    return "known"


def test_every_metric_of_every_row_has_a_verdict_in_order(file: Path) -> None:
    verdicts = judge(read(file), finder(), efficiencies(), {}, known)
    assert [(v.row.key, v.metric) for v in verdicts] == [
        ("a", "tokens_per_s"), ("a", "tpot_ms_p50"), ("b", "tokens_per_s"), ("c", "tpot_ms_p50"),
        ("d", "tokens_per_s"), ("d", "tpot_ms_p50"),
    ]  # fmt: skip


def test_refusals_have_a_reason_and_no_number(file: Path) -> None:
    verdicts = {v.row.key: v for v in judge(read(file), finder(), efficiencies(), {}, known)}
    assert "Unknown-7B" in verdicts["b"].reason
    assert "Abacus" in verdicts["c"].reason
    assert np.isnan([verdicts["b"].predicted, verdicts["c"].predicted]).all()
    assert verdicts["a"].reason == ""
    assert 1 < verdicts["a"].predicted < 100


def test_intervals_are_ratios_around_the_prediction(file: Path) -> None:
    spreads = {"tpot.any.known": Residual(key="tpot.any.known", low=0.9, high=1.3, rows=100)}
    verdict = judge(read(file), finder(), efficiencies(), spreads, known)[1]
    assert verdict.lower == pytest.approx(0.9 * verdict.predicted)
    assert verdict.upper == pytest.approx(1.3 * verdict.predicted)


def test_a_model_folder_adds_what_the_catalogue_lacks(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "nobody--Unknown-7B"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(
        '{"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "vocab_size": 32000,'
        '"num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,'
        '"max_position_embeddings": 8192, "tie_word_embeddings": false}'
    )
    verdicts = judge(read(file), finder(tmp_path / "models"), efficiencies(), {}, known)
    found = next(v for v in verdicts if v.row.key == "b")
    assert found.reason == ""
    assert found.predicted == pytest.approx(
        verdicts[0].predicted, rel=0.15
    )  # an 8B in all but name


def test_novelty_by_family_and_accelerator(file: Path) -> None:
    observations, _ = observe(read(file), finder())
    basis = Basis(key="fit", families=("llama3",), accelerators=("b200",), laboratories=())
    assert novelty(basis)(observations[0]) == "new-accelerator"
    same = replace(basis, accelerators=("h100-sxm",))
    assert novelty(same)(observations[0]) == "new-source"
    assert novelty(replace(same, laboratories=("lab",)))(observations[0]) == "known"
    assert novelty(replace(basis, families=()))(observations[0]) == "new-both"


@pytest.mark.parametrize(
    ("metric", "wanted"),
    [("tokens_per_s_per_gpu", "rate"), ("req_per_s", "rate"), ("tpot_ms_p50", "tpot"),
     ("avg_power_w", "power"),
        ("itl_ms_p99", "itl_p99"), ("energy_j_per_token", "energy"), ("latency_ms", "latency")],
)  # fmt: skip
def test_quantities(metric: str, wanted: str) -> None:
    assert quantity(metric) == wanted
