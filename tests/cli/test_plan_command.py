"""The commands plan, predict and explain on a small synthetic workload."""

import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.cli.app import run

SCENARIO = """
model = "llama-3.1-8b"
slo = ["ttft p99 <= 2 s", "tpot p99 <= 50 ms"]
[workload]
rate = "4 1/s"
duration = "300 s"
[workload.lengths]
input = {mean = 500, p50 = 300}
output = {mean = 200, p50 = 150}
[search]
gpus = ["h100-pcie", "l40s", "b300"]
max_gpus = 16
[prices]
grid = "us"
[deployment]
gpu = "h100-pcie"
replicas = 3
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    file = tmp_path / "scenario.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    return str(file)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run((*arguments, "--format", "json")) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_plan_answers_with_cost_why_and_sources(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "plan", scenario)
    plan = found["plan"]
    best = plan["best"]
    assert best["cost_usd_per_h"] > 0
    assert best["outcome"]["ttft"]["p99_ms"] <= 2000
    assert best["outcome"]["tpot"]["p99_ms"] <= 50
    assert best["carbon_per_output_g_per_token"] > 0
    assert sum(plan["excluded"].values()) + plan["feasible"] == plan["enumerated"]
    assert plan["why"]
    assert found["sources"]
    assert all(fact["source"] for fact in found["sources"])
    assert found["api"]
    assert found["scenario"]["search"]["max_gpus"] == 16


def test_options_lie_on_top_of_the_file(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "plan", scenario, "--gpu", "l40s", "--max-gpus", "4")
    assert found["scenario"]["search"]["gpus"] == ["l40s"]
    assert found["plan"]["best"]["deployment"]["accelerator"] == "l40s"


def test_the_first_options_are_played_and_ranked_anew(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "plan", scenario, "--confirm", "simulate", "--confirm-top", "2")
    planned = [row["deployment"]["accelerator"] for row in found["plan"]["alternatives"][:2]]
    confirmed = found["confirmed"]
    assert sorted(row["deployment"]["accelerator"] for row in confirmed) == sorted(planned)
    assert all(row["outcome"]["evidence"] == "simulated" for row in confirmed)
    costs = [row["cost_usd_per_h"] for row in confirmed if not row["missed"]]
    assert costs == sorted(costs)
    assert len(costs) > 0
    assert run(("plan", scenario, "--confirm", "simulate", "--confirm-top", "0")) == 2
    assert "--confirm-top" in capsys.readouterr().err


def test_same_seed_same_bytes(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for _ in range(2):
        assert run(("plan", scenario, "--format", "json")) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_today_is_priced_by_the_same_meter(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "plan", scenario, "--current", scenario)
    before, after = found["comparison"]["current"], found["plan"]["best"]
    saving = found["comparison"]["saving_usd_per_h"]
    assert saving == pytest.approx(before["cost_usd_per_h"] - after["cost_usd_per_h"])
    assert found["comparison"]["changes"]
    stated = answer(capsys, "predict", scenario)["option"]
    assert stated["cost_usd_per_h"] == before["cost_usd_per_h"]
    assert stated["outcome"] == before["outcome"]


GIVEN = {"demand", "slo", "workload"}
"""What the scenario states itself."""


def test_explain_ends_at_the_actual_price(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "explain", scenario)
    steps = found["waterfall"]
    allocation = found["option"]["bill"]["allocation"]["blended_usd_per_mtok"]
    assert steps[-1]["price_usd_per_mtok"] == pytest.approx(allocation)
    assert sum(step["added_usd_per_mtok"] for step in steps) == pytest.approx(allocation)
    assert all(step["added_usd_per_mtok"] >= 0 for step in steps)
    assert all(step["formula"] for step in steps)
    kinds = {fact["record"] for fact in found["sources"]}
    for kind in {kind for step in steps for kind in step["rests_on"]} - GIVEN:
        assert any(record.startswith(kind) for record in kinds)


def test_every_api_has_a_break_even_or_a_reason(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "plan", scenario)
    assert len(found["break_even"]) == len(found["api"]) > 0
    for row in found["break_even"]:
        assert (row["utilisation"] is None) == bool(row["never"])
        assert (row["tokens_mtok_per_day"] is None) == bool(row["never"])
        assert (row["saving_usd_per_h"] > 0) == (
            row["api_usd_per_mtok"]
            > found["plan"]["best"]["bill"]["allocation"]["blended_usd_per_mtok"]
        )
    assert [text.split(" (")[0] for text in found["break_even_formulas"]] == [
        "pay for idle",
        "perfect scale-down",
    ]


def test_predict_takes_step_and_memory_apart(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = answer(capsys, "predict", scenario)["anatomy"]
    for kind in ("decode", "mixed"):
        step = inside[kind]
        parts = ("linear", "experts", "attention", "network", "overhead")
        assert sum(step[f"{part}_ms"] for part in parts) == pytest.approx(step["total_ms"])
        assert step["compute_ms"] > 0
        assert step["memory_ms"] > 0
    assert inside["mixed"]["total_ms"] > inside["decode"]["total_ms"]
    uses = dict(inside["memory"])
    assert sum(uses.values()) - uses["capacity_gb"] == pytest.approx(uses["capacity_gb"])
    assert uses["weights_gb"] == pytest.approx(16.06, rel=0.02)  # 8.03e9 parameters in 16 bit


def test_sensitivity_lists_every_assumption(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "plan", scenario, "--sensitivity")
    assert len(found["sensitivity"]) == 6


@pytest.mark.parametrize("command", ["plan", "predict", "explain"])
def test_tables_are_printed(
    command: str, scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run((command, scenario)) == 0
    assert "$/" in capsys.readouterr().out


def test_an_unpriced_deployment_has_no_price(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "predict", scenario, "--gpu", "b300")
    assert (
        found["option"]["cost_usd_per_h"] is None if "cost_usd_per_h" in found["option"] else True
    )
    assert found["option"]["bill"]["allocation"] is None


def test_every_option_has_a_probability_and_confidence_raises_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "busier.toml"  # so busy that more confidence needs another deployment
    file.write_text(SCENARIO.replace('"4 1/s"', '"8 1/s"'), encoding="utf-8")
    scenario = str(file)
    plain = answer(capsys, "plan", scenario)["plan"]
    sure = answer(capsys, "plan", scenario, "--confidence", "0.95")["plan"]
    assert all(0 <= option["probability"] < 1 for option in plain["alternatives"])
    assert plain["confidence"] is None
    assert sure["confidence"] == 0.95
    assert sure["best"]["probability"] >= 0.95 - 0.021  # the step of the shares that are tried
    assert sure["best"]["probability"] > plain["best"]["probability"]
    assert sure["best"]["cost_usd_per_h"] > plain["best"]["cost_usd_per_h"]


def test_predictions_have_intervals(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "predict", scenario)
    rows = {row["quantity"]: row for row in found["intervals_80"]}
    assert {"ttft mean ms", "tpot mean ms", "capacity requests/s", "power W"} <= set(rows)
    for row in rows.values():
        assert 0 < row["lower"] < row["predicted"] < row["upper"]
    assert rows["tpot mean ms"]["predicted"] == pytest.approx(
        found["option"]["outcome"]["tpot"]["mean_ms"]
    )


@pytest.mark.parametrize("confidence", ["0", "1", "1.5"])
def test_a_confidence_that_no_error_tells_is_refused(
    scenario: str, confidence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(("plan", scenario, "--confidence", confidence)) == 2
    assert "confidence is" in capsys.readouterr().err
