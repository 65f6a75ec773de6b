"""Every file in examples/ does what its first lines say."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from inferometer.cli.app import run

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
FILES = sorted(path.name for path in EXAMPLES.iterdir())
TABLES = {name: tomllib.loads((EXAMPLES / name).read_text(encoding="utf-8"))
          for name in FILES if name.endswith(".toml")}  # fmt: skip
TOLD = {
    "agents_played.toml", "api_or_own.toml", "chat_startup.toml", "coding_agent.toml",
    "edge_single_gpu.toml", "enterprise_rag.toml", "million_users.toml", "multi_tenant_saas.toml",
    "rag_stages.toml", "reasoning_batch.toml",
}  # fmt: skip
"""Run by test_scenarios, each for what it shows."""
SCENARIOS = [name for name, table in TABLES.items() if "model" in table and name not in TOLD]
TODAY = [name for name in TABLES if name.startswith("current_")]
PRICES = [name for name in FILES if name.endswith("prices.csv")]


def path(name: str) -> str:
    return str(EXAMPLES / name)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run((*arguments, "--format", "json")) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_example_has_a_test() -> None:
    assert sorted([*SCENARIOS, *TODAY, *PRICES, *TOLD]) == FILES


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_are_planned(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "plan", path(name))
    assert found["feasible"]
    for option in found["plan"]["alternatives"]:
        assert option["headroom"] >= TABLES[name].get("headroom", 0.0)


@pytest.mark.parametrize("command", ["predict", "explain"])
@pytest.mark.parametrize("name", [name for name in SCENARIOS if "deployment" in TABLES[name]])
def test_deployments_are_predicted_and_explained(
    name: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, command, path(name))
    assert found["option"]["cost_usd_per_h"] > 0


@pytest.mark.parametrize("name", TODAY)
def test_what_runs_today_is_compared_with_the_plan(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "plan", path("azure_llama70b.toml"), "--current", path(name))
    comparison, best = found["comparison"], found["plan"]["best"]
    before = comparison["current"]["cost_usd_per_h"]
    assert comparison["meets_slo"]
    assert comparison["saving_usd_per_h"] == pytest.approx(before - best["cost_usd_per_h"])
    assert 0 < comparison["saving_fraction"] < 1
    assert any(change.startswith("tensor: 8 -> ") for change in comparison["changes"])


@pytest.mark.parametrize("name", PRICES)
def test_own_prices_take_the_place_of_the_catalogues(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--gpu", "h100-sxm", "--gpu", "h200-sxm", "--prices", path(name))
    found = answer(capsys, "plan", path("azure_llama70b.toml"), *options)
    prices = {o["deployment"]["accelerator"]: o["price"] for o in found["plan"]["alternatives"]}
    assert prices["h100-sxm"]["provider"] == "ours"
    assert prices["h100-sxm"]["price_usd_per_h"] == pytest.approx(2.10)
    assert prices["h200-sxm"]["provider"] != "ours"
