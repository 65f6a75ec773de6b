"""Rows that teach: credible ones, held back by nothing or by a cap whose law is measured."""

from pathlib import Path

import pytest

from inferometer.calibrate.credible import credible
from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.folds import lawful
from inferometer.calibrate.measurement import Observation
from inferometer.calibrate.observation import observe

SERVING = "row_id,source,model,model_family,gpu,num_gpus,tp,load_type,isl,osl,concurrency_or_rate,"
SERVING += "precision,engine,tokens_per_s,tpot_ms_p50,ttft_ms_p50\n"
CAPS = "row_id,source,model,gpu,num_gpus,tp,engine,precision,phase,batch,power_cap_w,tokens_per_s,"
CAPS += "avg_power_w\n"


def observed(path: Path, text: str) -> list[Observation]:
    path.write_text(text, encoding="utf-8")
    found, refused = observe(read(path), finder())
    assert not refused
    return found


def keys(observations: list[Observation]) -> list[str]:
    return [one.row.key for one in observations]


# 8.03e9 weights x 2 FLOP x (1000 + 500) / 500 tokens per output token: 48 GFLOP, so 989 TFLOP/s
# carry at most 20,500 output tokens per second.
@pytest.mark.parametrize(("rate", "kept"), [(14_000, True), (15_500, False)])
def test_a_rate_that_needs_more_than_the_peak_allows_teaches_nothing(
    tmp_path: Path, rate: int, kept: bool
) -> None:
    row = "lab,meta-llama/Llama-3.1-8B,llama3,H100-SXM,1,1,concurrency,1000,500,64,bf16,vllm"
    stated = f"stated,{row},{rate},,\n"
    implied = f"implied,{row},,{64 * 500 / rate / 499 * 1000},0.001\n"  # the same closed loop
    found = credible(observed(tmp_path / "rows.csv", SERVING + stated + implied))
    assert keys(found) == (["stated", "implied"] if kept else [])


def test_prompts_alone_count_once_and_may_come_near_the_peak(tmp_path: Path) -> None:
    row = "lab,meta-llama/Llama-3.1-8B,H100-SXM,1,1,vllm,bf16,prefill,1,"
    text = CAPS + f"near,{row},50000,600\nbeyond,{row},54000,600\n"  # 0.81 and 0.88 of the peak
    assert keys(credible(observed(tmp_path / "rows.csv", text))) == ["near"]


def test_caps_teach_only_where_the_law_of_clocks_is_measured(tmp_path: Path) -> None:
    rows = [
        f"{chip}-{cap},lab,meta-llama/Llama-3.1-8B,{chip},1,1,vllm,bf16,decode,1,{cap},50,200\n"
        for chip, cap in (("RTX3090", 220), ("H100-SXM", 400), ("H100-SXM", 700), ("H100-SXM", ""))
    ]
    found = lawful(observed(tmp_path / "rows.csv", CAPS + "".join(rows)))
    assert keys(found) == ["RTX3090-220", "H100-SXM-700", "H100-SXM-"]
    assert [one.subject.power_cap for one in found] == [220, None, None]
