"""What a scenario or an option states counts in every command, and is in what it prints."""

import json
import re
import tomllib
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from inferometer.cli.app import BAD_INPUT, OK, run

SCENARIO = """
model = "llama-3.1-8b"
[workload]
rate = "20 1/s"
requests = 2000
[workload.lengths]
input = { mean = 300, p99 = 2000 }
output = { mean = 100, p99 = 500 }
[search]
gpus = ["h100-sxm"]
max_gpus = 8
[prices]
grid = "us"
[doubt]
draws = 0
"""
USERS = '[demand]\nusers = 200\nactive = 0.1\nresponse = "5 s"\n'
PEAK = 200 * 0.1 / 5
"""Requests per second at the busiest minute."""
H100 = ("--gpu", "h100-sxm")
EXAMPLES = Path(__file__).parents[2] / "examples"
RAG = str(EXAMPLES / "rag_stages.toml")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def with_users(scenario: Path) -> Path:
    scenario.write_text(SCENARIO + USERS)
    return scenario


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run((*arguments, "--format", "json")) == OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == BAD_INPUT
    said = capsys.readouterr()
    assert not said.out
    return said.err


def peak(outcome: dict[str, Any]) -> float:
    return float(outcome["utilisation"] * outcome["capacity_per_s"])


def test_users_make_the_rate_of_a_prediction_and_of_a_plan(
    with_users: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "predict", str(with_users), *H100)
    explained = answer(capsys, "explain", str(with_users), *H100)
    assert peak(found["option"]["outcome"]) == pytest.approx(PEAK)
    assert found["option"]["outcome"] == explained["option"]["outcome"]
    today = tmp_path / "today.toml"
    today.write_text('[deployment]\ngpu = "h100-sxm"\ntensor = 2\n')
    planned = answer(capsys, "plan", str(with_users), "--current", str(today))
    for option in (planned["plan"]["best"], planned["comparison"]["current"]):
        assert peak(option["outcome"]) == pytest.approx(PEAK)


def test_users_make_the_rate_of_levers_and_of_retrieval(
    with_users: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = {}
    for text in (SCENARIO, SCENARIO + USERS):
        with_users.write_text(text)
        base = answer(capsys, "whatif", str(with_users), *H100)["what_if"]["base"]
        rag = answer(capsys, "rag", str(with_users), *H100, "--retrieval", RAG)["rag"]
        users[text] = base["per_token_usd_per_mtok"], rag["per_request_without_usd"]
    for stated, fewer in zip(*users.values(), strict=True):
        assert fewer > 2 * stated  # the same accelerator for a fifth of the requests


@pytest.mark.parametrize(
    "command",
    [("simulate", *H100), ("simulate", *H100, "--stream"), ("fleet",),
     ("plan", "--confirm", "simulate")],
    ids=" ".join,
)  # fmt: skip
def test_users_are_refused_where_requests_are_played(
    command: tuple[str, ...], with_users: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = command
    assert "demand.users: not counted" in refused(capsys, name, str(with_users), *options)


def test_a_comparison_refuses_users(with_users: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_users.write_text(SCENARIO + USERS + '[deployment]\ngpu = "h100-sxm"\n')
    said = refused(capsys, "compare", str(with_users), str(with_users), "--runs", "2")
    assert "demand.users: not counted" in said


@pytest.mark.parametrize(
    "command",
    ["predict", "explain", "tco", "breakeven", "energy", "whatif", "rag", "simulate"],
)
def test_options_of_a_deployment_are_in_the_scenario_that_is_printed(
    command: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (*H100, "--tp", "2", *(("--retrieval", RAG) if command == "rag" else ()))
    printed = answer(capsys, command, str(scenario), *options)["scenario"]
    assert (printed["deployment"]["gpu"], printed["deployment"]["tensor"]) == ("h100-sxm", 2)


@pytest.mark.parametrize("command", ["tco", "breakeven"])
def test_the_scenario_on_a_page_gives_the_page_again(
    command: str, scenario: Path, tmp_path: Path
) -> None:
    page, again = tmp_path / "page.html", tmp_path / "again" / "page.html"
    again.parent.mkdir()
    assert run((command, str(scenario), *H100, "--tp", "2", "--report", str(page))) == OK
    inside = re.search(
        r'aria-label="Resolved scenario"><code>(.*?)</code>', page.read_text(), re.DOTALL
    )
    assert inside is not None
    text = unescape(inside[1])
    assert tomllib.loads(text)["deployment"] == {"gpu": "h100-sxm", "tensor": 2}
    shown = tmp_path / "shown.toml"
    shown.write_text(text)
    assert run((command, str(shown), "--report", str(again))) == OK
    assert again.read_text() == page.read_text()


@pytest.mark.parametrize("command", ["explain", "tco", "breakeven", "energy", "whatif", "predict"])
def test_a_layout_without_an_accelerator_is_refused(
    command: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "give --gpu" in refused(capsys, command, str(scenario), "--tp", "8")


def test_the_start_of_the_week_counts_in_explain_as_in_tco(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (EXAMPLES / "diurnal_chat.toml").read_text()
    kept, price = list[float](), list[float]()
    for start in ("0 min", "30 min"):
        path = tmp_path / "day.toml"
        path.write_text(f'{text}\n[demand]\nscaling = "hourly"\nstarts_at = "{start}"\n')
        options = (str(path), *H100, "--tp", "4", "--replicas", "2")
        buckets = answer(capsys, "tco", *options)["provision"]
        kept.append(sum(buckets[name] for name in ("work", "targets", "idle")))
        steps = {row["name"]: row for row in answer(capsys, "explain", *options)["waterfall"]}
        price.append(steps["idle between peaks"]["price_usd_per_mtok"])
    assert kept[0] != kept[1]
    assert price[1] / price[0] == pytest.approx(kept[1] / kept[0])
