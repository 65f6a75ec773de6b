"""Claims on reasoning length and on the price of percentiles (claims.md, AC-15 to AC-17)."""

import csv
from pathlib import Path

import pytest
from perf_cases import deployment, serve

from inferometer.deployment import Deployment

Rows = dict[int, dict[str, str]]


@pytest.fixture(scope="module")
def llama(data: Path) -> Rows:
    with (data / "measured/energy.csv").open(newline="") as file:
        return {
            int(row["max_num_seqs"]): row for row in csv.DictReader(file)
            if row["model"].endswith("Llama-3.1-70B-Instruct") and row["num_gpus"] == "4"
            and row["source"] == "ml.energy/v3"
        }  # fmt: skip


def eight() -> Deployment:
    return deployment("qwen3-8b")


def test_AC_15_energy_grows_faster_than_tokens() -> None:
    chat, thought = serve(eight(), 32, 120, 647), serve(eight(), 32, 230, 8170)
    ratio = thought.joules_per_token * 8170 / (chat.joules_per_token * 647)
    assert ratio > 1.4 * 8170 / 647  # the context-length term
    assert ratio == pytest.approx(24.5, rel=0.20)


def cheapest(rows: Rows, column: str, limit_ms: float) -> tuple[int, float]:
    allowed = {n: float(row["energy_j_per_token"]) for n, row in rows.items()
               if float(row[column]) <= limit_ms}  # fmt: skip
    best = min(allowed, key=lambda n: allowed[n])
    return best, allowed[best]


def test_AC_16_what_the_percentile_costs(llama: Rows) -> None:
    at_p50, at_p99 = cheapest(llama, "itl_ms_p50", 30), cheapest(llama, "itl_ms_p99", 30)
    assert at_p50 == (128, pytest.approx(0.563, abs=5e-4))
    assert at_p99 == (8, pytest.approx(3.759, abs=5e-4))
    assert at_p99[1] / at_p50[1] == pytest.approx(6.7, abs=0.05)


def test_AC_16_the_model_picks_about_the_same_batch() -> None:
    found = {
        n: serve(deployment("llama-3.1-70b", tensor=4), n, 120, 352) for n in (64, 96, 128, 192)
    }
    allowed = [n for n, one in found.items() if one.itl <= 0.030]
    assert max(allowed) in {96, 128}
    assert found[128].joules_per_token == pytest.approx(0.563, rel=0.25)


def test_AC_17_tails_grow_with_the_batch(llama: Rows) -> None:
    ratios = [
        float(llama[n]["itl_ms_p99"]) / float(llama[n]["itl_ms_p50"]) for n in (8, 32, 128, 256)
    ]
    assert ratios == pytest.approx([1.27, 2.81, 4.35, 6.04], abs=0.01)
