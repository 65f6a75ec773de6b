"""`inferometer plan --report`: the file is written, repeats, and reads back as the question."""

import html
import re
from pathlib import Path

import pytest

from inferometer.cli.app import BAD_INPUT, INFEASIBLE, OK, run

EXAMPLE = str(Path(__file__).parents[2] / "examples/azure_llama70b.toml")
QUICK = ("--gpu", "h100-sxm", "--max-gpus", "16", "--format", "json")


def test_plan_writes_a_report_that_repeats_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again = tmp_path / "first.html", tmp_path / "again.html"
    assert run(["plan", EXAMPLE, *QUICK, "--report", str(first)]) == OK
    text = first.read_text(encoding="utf-8")
    assert "Llama 3.1 70B" in text
    scenario = re.search(r'aria-label="Resolved scenario"><code>(.*?)</code>', text, re.DOTALL)
    assert scenario is not None
    resolved = tmp_path / "scenario.toml"
    resolved.write_text(html.unescape(scenario[1]), encoding="utf-8")
    assert run(["plan", str(resolved), "--format", "json", "--report", str(again)]) == OK
    assert again.read_bytes() == first.read_bytes()
    assert capsys.readouterr().err == ""


def test_a_report_that_cannot_be_written_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "missing" / "report.html"
    assert run(["plan", EXAMPLE, *QUICK, "--report", str(file)]) == BAD_INPUT
    said = capsys.readouterr()
    assert str(file) in said.err
    assert said.out == ""


@pytest.mark.parametrize("ending", [".png", ".SVG"])
def test_a_page_is_not_written_as_a_chart(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"report{ending}"
    assert run(["plan", EXAMPLE, *QUICK, "--report", str(file)]) == BAD_INPUT
    assert ".html" in capsys.readouterr().err
    assert not file.exists()


def test_no_report_of_no_plan(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    command = ["plan", EXAMPLE, *QUICK, "--slo", "ttft p99 <= 1 us", "--report", str(file)]
    assert run(command) == INFEASIBLE
    assert not file.exists()


def test_optimise_refuses_a_chart_s_name_before_it_measures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """No engine is looked for: the model named here does not exist."""
    page = tmp_path / "saving.png"
    assert run(["optimise", "--model", "/nowhere.gguf", "--report", str(page)]) == 2
    assert "end it with .html" in capsys.readouterr().err
    assert not page.exists()
