"""ML.ENERGY's leaderboard files (one JSON per task) -> rows of the energy layout.

Field names are those of its `public/data/tasks/*.json`, from memory, with the spellings of its
benchmark's results beside them; a file without a name that a row needs is refused with that name.
Its traps: tokens per second are of output, of the whole deployment; power is of all accelerators by
NVML, without host; clients are `max_num_seqs`, a closed loop; percentiles are over gaps of tokens.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inferometer.calibrate.measurement import Row
from inferometer.calibrate.tables import METRICS, number
from inferometer.errors import ScenarioError

NAMES: Mapping[str, tuple[str, ...]] = {
    "model": ("model_id", "model"),
    "gpu": ("gpu_model", "gpu"),
    "num_gpus": ("num_gpus",),
    "tp": ("tensor_parallel", "tensor_parallel_size", "tp"),
    "ep": ("expert_parallel", "expert_parallel_size", "ep"),
    "dp": ("data_parallel", "data_parallel_size", "dp"),
    "precision": ("weight_precision", "precision"),
    "max_num_seqs": ("max_num_seqs",),
    "avg_batch_size": ("avg_batch_size",),
    "avg_output_len": ("avg_output_len", "avg_output_tokens"),
    "tokens_per_s": ("output_throughput_tokens_per_sec", "output_throughput"),
    "itl_ms_p50": ("median_itl_ms", "p50_itl_ms"),
    "itl_ms_p90": ("p90_itl_ms",),
    "itl_ms_p95": ("p95_itl_ms",),
    "itl_ms_p99": ("p99_itl_ms",),
    "avg_power_w": ("avg_power_watts", "avg_power"),
    "energy_j_per_token": ("energy_per_token_joules", "energy_per_token"),
    "energy_j_per_request": ("energy_per_request_joules", "energy_per_request"),
}
"""Names in those files by column."""

WANTED = ("model", "gpu", "num_gpus", "max_num_seqs", "avg_output_len")
"""Columns without which nothing can be predicted."""


def is_leaderboard(content: Any) -> bool:
    """Return whether `content` is a task file of the leaderboard."""
    return isinstance(content, dict) and isinstance(content.get("configurations"), list)


def leaderboard_rows(content: Mapping[str, Any], path: Path) -> list[Row]:
    """Return the rows of a task file.

    Raises:
        ScenarioError: no configuration, one that is no object, or one without a field of `WANTED`.
    """
    task = str(content.get("task") or path.stem)
    found = content["configurations"]
    if not found:
        raise ScenarioError(f"{path}: ML.ENERGY leaderboard: no configuration")
    return [_row(raw, task, path, place) for place, raw in enumerate(found)]


def _row(raw: Any, task: str, path: Path, place: int) -> Row:
    if not isinstance(raw, dict):
        raise ScenarioError(f"{path}: configurations[{place}]: an object is wanted")
    cells = {column: _first(raw, names) for column, names in NAMES.items()}
    cells |= {"task": task, "engine": "vllm"}
    for column in WANTED:
        if not cells[column]:
            raise ScenarioError(
                f"{path}: configurations[{place}]: none of {', '.join(NAMES[column])} is given"
            )
    metrics = {
        name: value
        for name in METRICS["energy"]
        if (value := number(cells.get(name, ""))) is not None and value > 0
    }
    return Row(
        key=f"{path.name}:{place}", source="ml.energy/v3", family=cells["model"],
        gpu=cells["gpu"], model=cells["model"], cells=cells, metrics=metrics, layout="energy",
    )  # fmt: skip


def _first(raw: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(raw[name]) for name in names if raw.get(name) not in (None, "")), "")
