"""What a stated deployment or a plan cannot serve is refused with exit code 3, and never billed."""

import json
from pathlib import Path

import pytest

from inferometer.cli.app import run

STATED = ("--gpu", "h100-sxm", "--tp", "8")
LOAD = """
[workload]
rate = "40 1/s"
duration = "120 s"
[workload.lengths]
input = {mean = 500, p50 = 300}
output = {mean = 200, p50 = 150}
"""


@pytest.fixture
def long_trace(tmp_path: Path) -> Path:
    """A thousand short requests and a single long one, which a mean over a 64th would hide."""
    rows = [
        {"arrival_s": second, "input_tokens": 9000 if second == 500 else 200, "output_tokens": 50}
        for second in range(1000)
    ]
    file = tmp_path / "long.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return file


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 3
    said = capsys.readouterr()
    assert not said.out
    return said.err


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_a_stated_deployment_checks_the_context(
    command: str, long_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--model", "gemma-2-27b", "--trace", str(long_trace), *STATED)
    said = refusal(capsys, command, *asked)
    assert "1 of 1000 requests exceed the 8192 tokens" in said
    assert "longer context" in said


def test_a_plan_checks_the_longest_request(
    long_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--model", "gemma-2-27b", "--trace", str(long_trace), "--gpu", "h100-sxm")
    assert "9050" in refusal(capsys, "plan", *asked)


def test_a_published_trace_does_not_fit_llama_2(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = str(data / "traces" / "azure_llm_2023_conv.csv")
    said = refusal(capsys, "predict", "--model", "llama-2-70b", "--trace", trace, *STATED)
    assert "1612 of 19366" in said
    assert "14089" in said


def test_a_plan_without_targets_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "load.toml"
    file.write_text(LOAD, encoding="utf-8")
    asked = ("plan", "--model", "llama-3.1-8b", "--workload", str(file), "--gpu", "h100-sxm")
    assert run(asked) == 0
    said = capsys.readouterr().out
    assert said.startswith("No SLO given: cheapest that carries the load")
    assert "for none" not in said


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_an_overloaded_deployment_is_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "load.toml"
    file.write_text(LOAD, encoding="utf-8")
    asked = ("--model", "llama-3.1-70b", "--workload", str(file), "--gpu", "h100-sxm", "--tp", "4")
    said = refusal(capsys, command, *asked)
    assert "overloaded: load " in said
    assert "requests/s" in said


def test_speculation_is_stated_by_options_and_checked(
    long_trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = ("predict", "--model", "llama-3.1-70b", "--trace", str(long_trace), *STATED)

    def tpot(*more: str) -> float:
        assert run((*stated, *more, "--format", "json")) == 0
        return json.loads(capsys.readouterr().out)["option"]["outcome"]["tpot"]["mean_ms"]

    drafted = ("--draft-tokens", "4", "--acceptance", "0.7")
    assert tpot(*drafted) < tpot(*drafted, "--draft-cost", "0.1") < tpot()
    assert run((*stated, "--draft-tokens", "4", "--acceptance", "1.7")) == 2
    assert "speculation.acceptance is 1.7" in capsys.readouterr().err
    assert run((*stated, "--draft-tokens", "4")) == 2
    assert "speculation: give acceptance or by_position" in capsys.readouterr().err
