"""The laws of AC-09 and AC-10 on every published row, where the measured data are at hand."""

import csv
from pathlib import Path

import numpy as np
import pytest


def test_energy_per_token_is_constant_plus_share_of_a_batch(data: Path) -> None:
    with (data / "measured/energy.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "ml.energy/v3"]
    series: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for row in rows:
        if row["gpu"] == "H100" and row["architecture"].startswith("Dense"):
            key = tuple(row[name] for name in ("model", "task", "num_gpus", "precision"))
            series.setdefault(key, []).append(
                (float(row["avg_batch_size"]), float(row["energy_j_per_token"]))
            )
    errors = [misfit(points) for points in series.values() if len(points) >= 5]
    assert len(errors) >= 5
    assert np.median(errors) <= 0.03


def test_batching_raises_power_while_it_cuts_energy(data: Path) -> None:
    with (data / "measured/energy.csv").open(newline="") as file:
        rows = {
            row["max_num_seqs"]: row for row in csv.DictReader(file)
            if row["model"].endswith("Llama-3.1-70B-Instruct") and row["num_gpus"] == "4"
            and row["source"] == "ml.energy/v3"
        }  # fmt: skip
    few, many = rows["8"], rows["256"]
    energy = float(few["energy_j_per_token"]) / float(many["energy_j_per_token"])
    power = float(many["avg_power_w"]) / float(few["avg_power_w"])
    assert energy == pytest.approx(7.85, rel=0.01)
    assert power == pytest.approx(1.34, rel=0.01)


def misfit(points: list[tuple[float, float]]) -> float:
    """Return the mean relative error of the best a + c / batch."""
    batch, joules = np.array(points).T
    terms = np.stack([1 / joules, 1 / batch / joules], axis=1)  # relative least squares
    found, *_ = np.linalg.lstsq(terms, np.ones_like(joules), rcond=None)
    return float(np.mean(np.abs(terms @ found - 1)))
