"""ML.ENERGY's leaderboard files, with the traps of their metrics."""

import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.verdict import judge
from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError

# Published row 542ba97a6995 of the energy table: Qwen3-14B on one B200, eight sequences; keys as
# in NAMES, not from a file of theirs.
RUN = {
    "model_id": "Qwen/Qwen3-14B", "gpu_model": "B200", "num_gpus": 1, "tensor_parallel": 1,
    "expert_parallel": 1, "data_parallel": 1, "weight_precision": "bfloat16", "max_num_seqs": 8,
    "avg_batch_size": 7.9973, "avg_output_len": 7026.24,
    "output_throughput_tokens_per_sec": 234.061, "median_itl_ms": 33.6281, "p90_itl_ms": 51.683,
    "p99_itl_ms": 68.6399, "avg_power_watts": 319.788, "energy_per_token_joules": 1.36626,
    "energy_per_request_joules": 9599.7,
}  # fmt: skip


def file(tmp_path: Path, *runs: Any) -> Path:
    path = tmp_path / "gpqa.json"
    path.write_text(json.dumps({"task": "gpqa", "configurations": runs}), encoding="utf-8")
    return path


def test_a_task_file_is_rows_of_the_energy_layout(tmp_path: Path) -> None:
    (row,) = read(file(tmp_path, RUN))
    assert (row.layout, row.gpu, row.cells["task"]) == ("energy", "B200", "gpqa")
    # Power and energy are of the whole deployment, so they must agree by the output rate.
    assert row.metrics["avg_power_w"] / row.metrics["tokens_per_s"] == pytest.approx(
        row.metrics["energy_j_per_token"], rel=1e-4
    )
    assert row.metrics["itl_ms_p99"] == 68.6399
    assert "tpot_ms_mean" not in row.metrics


def test_every_metric_of_it_is_predicted_as_a_closed_loop(tmp_path: Path) -> None:
    found = judge(read(file(tmp_path, RUN)), finder(), efficiencies(), {}, lambda _: "known")
    assert {v.metric for v in found} >= {"tokens_per_s", "itl_ms_p50", "avg_power_w"}
    assert all(v.load == "closed" and v.predicted > 0 for v in found)


@pytest.mark.parametrize("lacking", ["model_id", "gpu_model", "num_gpus", "max_num_seqs"])
def test_a_configuration_without_what_it_was_is_refused(tmp_path: Path, lacking: str) -> None:
    run = {name: value for name, value in RUN.items() if name != lacking}
    with pytest.raises(ScenarioError, match=rf"configurations\[0\].*{lacking}"):
        read(file(tmp_path, run))


@pytest.mark.parametrize("runs", [(), ("text",)])
def test_a_file_without_configurations_is_refused(tmp_path: Path, runs: tuple[Any, ...]) -> None:
    with pytest.raises(ScenarioError, match="configuration"):
        read(file(tmp_path, *runs))
