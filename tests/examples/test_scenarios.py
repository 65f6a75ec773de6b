"""The scenarios a reader recognises, each run, with what it prints checked for what it shows."""

import json
from pathlib import Path
from typing import Any

import pytest

from inferometer.cli.app import INFEASIBLE, run

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def answer(capsys: pytest.CaptureFixture[str], command: str, name: str, *more: str) -> Any:
    assert run([command, str(EXAMPLES / name), *more, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def printed(capsys: pytest.CaptureFixture[str], command: str, name: str, *more: str) -> str:
    assert run([command, str(EXAMPLES / name), *more]) == 0
    return capsys.readouterr().out


def test_chat_startup_needs_one_small_accelerator(capsys: pytest.CaptureFixture[str]) -> None:
    best = answer(capsys, "plan", "chat_startup.toml")["plan"]["best"]
    assert best["deployment"]["accelerators"] <= 2
    assert best["cost_usd_per_h"] < 3
    assert best["outcome"]["ttft"]["p99_ms"] <= 1000
    assert best["outcome"]["tpot"]["p99_ms"] <= 50


def test_enterprise_rag_splits_prompt_and_retrieval(capsys: pytest.CaptureFixture[str]) -> None:
    stages = str(EXAMPLES / "rag_stages.toml")
    found = answer(capsys, "rag", "enterprise_rag.toml", "--retrieval", stages)["rag"]
    names = ("per_request_without_usd", "per_request_long_usd", "per_request_usd")
    without, longer, whole = (found[name] for name in names)
    assert 0 < without < longer < whole
    index = next(stage for stage in found["stages"] if stage["name"] == "index")
    assert (index["units"], index["because"]) == (2, "memory")  # 20e6 x 6,144 B in 96 GB units
    assert whole - longer == pytest.approx(sum(s["per_request_usd"] for s in found["stages"]))


def test_coding_agents_cost_per_success(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = answer(capsys, "agent", "coding_agent.toml", "--budget", "5")["tasks"]
    for item in tasks:
        cost = item["cost"]
        assert cost["p50_usd"] <= cost["p95_usd"] <= cost["p99_usd"] <= 5
        assert cost["per_success_usd"] == pytest.approx(cost["mean_usd"] / cost["success"])
        assert cost["per_success_usd"] <= cost["without_reuse_usd"] * (1 + 1e-9)
    claude = [item["cost"] for item in tasks if "claude" in item["price"]]
    assert any(cost["stopped"] > 0.05 for cost in claude)  # five dollars stop some of them


def test_reasoning_batch_is_filled_to_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "plan", "reasoning_batch.toml")
    best = found["plan"]["best"]
    running = best["outcome"]["batch"] * best["deployment"]["replicas"]
    assert running > 50  # nobody waits: large batches
    assert best["carbon_per_output_g_per_token"] > 0
    assert best["bill"]["utilisation"] > 0.3


def test_multi_tenant_saas_serves_each_within_its_own_slo(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = answer(capsys, "fleet", "multi_tenant_saas.toml")
    names = [one["name"] for one in found["classes"]]
    assert {name.split(":")[0] for name in names} == {"assistant", "search", "reports"}
    best = found["best"]
    assert best["cost_usd"] <= min(one["cost_usd"] for one in found["singles"])
    assert best["cost_usd"] < found["static"]["cost_usd"]
    patient = [at for at, name in enumerate(names) if name.startswith("reports")]
    hasty = [at for at, name in enumerate(names) if name.startswith("assistant")]
    for pool in best["pools"]:  # whoever may wait is carried at least as fast
        for slow, fast in zip(patient, hasty, strict=True):
            assert pool["throughput_per_s"][slow] >= 0.9 * pool["throughput_per_s"][fast]


def test_edge_serves_an_office_from_one_card(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "predict", "edge_single_gpu.toml")
    outcome = found["option"]["outcome"]
    assert outcome["tpot"]["p99_ms"] <= 60
    assert outcome["power_w"] < 450  # the card's own limit
    assert run(["predict", str(EXAMPLES / "edge_single_gpu.toml"), "--model", "llama-3.1-70b"]) == (
        INFEASIBLE
    )  # 70B does not fit
    assert "do not fit in memory" in capsys.readouterr().err


def test_a_million_users_take_a_hall(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "plan", "million_users.toml")["plan"]
    best = found["best"]
    assert best["deployment"]["replicas"] > 4
    assert best["headroom"] >= 0.1
    assert best["outcome"]["request_rate_per_s"] == pytest.approx(200, rel=0.02)
    assert len(found["alternatives"]) == 4


def test_api_against_own_names_the_load_that_pays(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "plan", "api_or_own.toml")
    best, cheapest = found["plan"]["best"], found["api"][0]
    even = found["break_even"][0]
    own, other = best["cost_usd_per_h"], cheapest["rate_usd_per_h"]
    assert even["saving_usd_per_h"] == pytest.approx(other - own)
    assert "The same traffic from an API" in printed(capsys, "plan", "api_or_own.toml")


def test_agents_played_take_longer_than_their_tools(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = answer(capsys, "simulate", "agents_played.toml")
    tasks, counts = found["tasks"], found["outcome"]["counts"]
    assert counts["arrived"] == counts["finished"] > 1000
    assert tasks["unfinished"] == 0
    assert tasks["p50_s"] < tasks["mean_s"] < tasks["p99_s"]
    assert 0.3 < tasks["tools_mean_s"] / tasks["mean_s"] < 0.9
    shorter = (EXAMPLES / "agents_played.toml").read_text().replace('"10 min"', '"2 min"')
    (tmp_path / "plain.toml").write_text(shorter)
    (tmp_path / "high.toml").write_text(shorter.replace("output = 1.0", "output = 4.0"))
    plain, high = (
        answer(capsys, "simulate", str(tmp_path / f"{name}.toml")) for name in ("plain", "high")
    )
    assert high["tasks"]["tools_mean_s"] == pytest.approx(plain["tasks"]["tools_mean_s"])
    assert high["tasks"]["mean_s"] > 1.5 * plain["tasks"]["mean_s"]
    assert "of it tools" in printed(capsys, "simulate", str(tmp_path / "plain.toml"))
