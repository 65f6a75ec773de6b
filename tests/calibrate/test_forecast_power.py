"""Power of forecasts: caps by phase, and the boundary that a meter drew."""

from pathlib import Path

import numpy as np
import pytest

from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.observation import SHARE_OF_A_STREAM
from inferometer.calibrate.verdict import Verdict, judge
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.tables import accelerator, node

SERVING = "row_id,source,model,model_family,gpu,num_gpus,tp,load_type,isl,osl,concurrency_or_rate,"
SERVING += "precision,engine,power_w,power_scope\n"
CAPS = "row_id,source,model,gpu,num_gpus,tp,engine,precision,phase,batch,power_cap_w,tokens_per_s,"
CAPS += "avg_power_w\n"


def verdicts(path: Path, text: str) -> dict[tuple[str, str], Verdict]:
    path.write_text(text, encoding="utf-8")
    found = judge(read(path), finder(), efficiencies(), {}, lambda _: "known")
    return {(v.row.key, v.metric): v for v in found}


def test_a_meter_at_the_wall_sees_the_host_as_well(tmp_path: Path) -> None:
    row = "lab,meta-llama/Llama-3.1-70B,llama3,H100-SXM,8,8,concurrency,1000,500,64,fp8,vllm,5000,"
    text = SERVING + f"own,{row}all GPUs (NVML)\nwall,{row}whole system at the wall\n"
    found = verdicts(tmp_path / "rows.csv", text)
    more = found["wall", "power_w"].predicted - found["own", "power_w"].predicted
    assert more == pytest.approx(node("h100-sxm").host_power)  # eight accelerators are one node


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_each_phase_runs_at_the_clock_that_the_cap_leaves_it(tmp_path: Path, phase: str) -> None:
    row = f"lab,meta-llama/Llama-3.1-8B,RTX3090,1,1,llama.cpp,q4_k_m,{phase},1"
    text = CAPS + f"low,{row},220,10,220\nhigh,{row},300,10,300\nnone,{row},,10,340\n"
    found = verdicts(tmp_path / "rows.csv", text)
    free = found["none", "avg_power_w"].predicted
    for key, cap in (("low", 220), ("high", 300)):
        drawn = found[key, "avg_power_w"].predicted
        assert drawn <= cap
        assert drawn > 0.9 * min(cap, free)  # the cap is used up
    speeds = [found[key, "tokens_per_s"].predicted for key in ("low", "high", "none")]
    assert speeds == sorted(speeds)


def test_a_mean_over_gaps_between_prompts_lies_between_running_and_idle(tmp_path: Path) -> None:
    header = CAPS.replace("phase", "phase,workload")
    row = "lab,meta-llama/Llama-3.1-8B,RTX3090,1,1,llama.cpp,q4_k_m,decode"
    text = f"busy,{row},one long answer,1,,10,340\ngaps,{row},50 short prompts in turn,1,,10,340\n"
    found = verdicts(tmp_path / "rows.csv", header + text)
    busy, gaps = (found[key, "avg_power_w"].predicted for key in ("busy", "gaps"))
    idle = accelerator("rtx-3090").idle_power
    assert (gaps - idle) / (busy - idle) == pytest.approx(SHARE_OF_A_STREAM)
    assert found["gaps", "tokens_per_s"].predicted == found["busy", "tokens_per_s"].predicted


@pytest.mark.parametrize("card", ["rtx4000", "rtx5000", "rtx6000"])
def test_caps_of_workstation_cards_are_met_in_speed_and_draw(data: Path, card: str) -> None:
    rows = [row for row in read(data / "measured/dvfs.csv") if row.source.endswith(card)]
    found = judge(rows, finder(), efficiencies(), {}, lambda _: "known")
    for metric, most in (("tokens_per_s", 0.09), ("avg_power_w", 0.07)):
        errors = [abs(verdict.error) for verdict in found if verdict.metric == metric]
        assert len(errors) > 200
        assert np.median(errors) < most


def test_caps_of_an_rtx_3090_are_met_in_speed_and_draw(data: Path) -> None:
    rows = [row for row in read(data / "measured/dvfs.csv") if row.source.endswith("3090-prefill")]
    found = judge(rows, finder(), efficiencies(), {}, lambda _: "known")
    assert len(found) == 3 * 21
    for verdict in found:
        limit = 0.15 if float(verdict.row.cells["power_cap_w"]) <= 370 else 0.35
        assert abs(verdict.error) < limit, (verdict.row.cells["power_cap_w"], verdict.metric)
