"""`inferometer agent` and `inferometer rag` as a user sees them."""

import json
from pathlib import Path

import pytest

from inferometer.cli.app import BAD_INPUT, run

EXAMPLES = Path(__file__).parents[2] / "examples"
AGENT = str(EXAMPLES / "coding_agent.toml")


def test_agent_ranks_by_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["agent", AGENT, "--budget", "2", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {item["effort"] for item in found["tasks"]} == {"low", "high"}
    assert all(item["cost"]["p99_usd"] <= 2 for item in found["tasks"])
    assert run(["agent", AGENT]) == 0
    assert "Cost of a successful task, the cheapest first" in capsys.readouterr().out


CALLS = "[agent]\ncalls_p50 = 2.0\ncalls_p99 = 3.0\n"
LENGTHS = "first = '1 tok'\ngrowth = '1 tok'\noutput = '1 tok'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = []\n[agent]\ncalls_p50 = 2.0\n", "calls_p99"),
        (CALLS + LENGTHS, "nothing is priced"),
        ("models = ['no-such-model']\n" + CALLS + LENGTHS, "no API price"),
        ("modells = []\n", "models"),
        (f"{CALLS}{LENGTHS}[effort.low]\ncalls = -2.0\n", "effort: calls is -2"),
        (f"{CALLS}{LENGTHS}[effort.low]\noutput = 0.0\n", "effort: output is 0"),
    ],
)
def test_bad_agents_are_refused(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    assert run(["agent", str(path)]) == BAD_INPUT
    assert message in capsys.readouterr().err


def test_own_prices_stand_beside_apis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.toml"
    own = "[own]\ninput = '1 USD/Mtok'\ncached = '0 USD/Mtok'\noutput = '2 USD/Mtok'\n"
    path.write_text("[agent]\ncalls_p50 = 1.0\ncalls_p99 = 1.0\n" + LENGTHS + own)
    assert run(["agent", str(path), "--format", "json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert task["price"] == "own hardware"
    assert task["cost"]["mean_usd"] == pytest.approx(3e-6)  # a token of each


def test_rag_needs_stages_that_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stages.toml"
    path.write_text("[retrieval]\npassages = 5\n")
    scenario = str(EXAMPLES / "enterprise_rag.toml")
    assert run(["rag", scenario, "--retrieval", str(path)]) == BAD_INPUT
    assert "passage" in capsys.readouterr().err
