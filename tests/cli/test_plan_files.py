"""Files that plan reads beside its scenario, and the folder that it writes."""

import json
from pathlib import Path

import pytest

from inferometer.cli.app import run

SCENARIO = """
model = "llama-3.1-8b"
slo = ["ttft p99 <= 2 s"]
[workload]
rate = "4 1/s"
duration = "300 s"
[workload.lengths]
input = {mean = 500, p50 = 300}
output = {mean = 200, p50 = 150}
[search]
gpus = ["h100-pcie", "l40s"]
max_gpus = 8
"""
HEADER = "accelerator,provider,commitment,region,price,valid_from,source,as_of\n"
ROW = "l40s,ours,on-demand,,0.50 USD/h,2026-10-01,a contract,2026-10-01\n"


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    file = tmp_path / "scenario.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    return str(file)


def test_the_folder_holds_every_form_of_the_answer(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made" / "answer"
    assert run(("plan", scenario, "--output-dir", str(folder))) == 0
    assert (folder / "plan.txt").read_text(encoding="utf-8") == capsys.readouterr().out
    found = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert found["plan"]["best"]["cost_usd_per_h"] > 0
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")


def test_files_are_only_replaced_on_request(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.json").write_text("mine", encoding="utf-8")
    command = ("plan", scenario, "--output-dir", str(tmp_path))
    assert run(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "plan.json").read_text(encoding="utf-8") == "mine"
    assert run((*command, "--overwrite")) == 0
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))["feasible"]


def test_an_infeasible_answer_is_written_too(scenario: str, tmp_path: Path) -> None:
    command = ("plan", scenario, "--slo", "tpot p99 <= 0.1ms", "--output-dir", str(tmp_path))
    assert run(command) == 3
    assert not json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))["feasible"]


def test_a_file_is_no_folder(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(("plan", scenario, "--output-dir", scenario)) == 2
    assert "output-dir" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        (HEADER + ROW.replace("0.50 USD/h", "0 USD/h"), "positive"),
        (HEADER + ROW.replace("0.50 USD/h", "-1 USD/h"), "negative"),
        (HEADER + ROW.replace("0.50 USD/h", "cheap"), "cheap"),
        (HEADER + ROW.replace("0.50 USD/h", "0.50 EUR/h"), "EUR"),
        (HEADER + ROW.replace("l40s", "l40z"), "l40z"),
        (HEADER + ROW.replace("a contract", ""), "source"),
        (HEADER.replace("price", "prize") + ROW, "prize"),
    ],
)
def test_bad_prices(
    text: str, says: str, scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prices.csv"
    if text:
        file.write_text(text, encoding="utf-8")
    assert run(("plan", scenario, "--prices", str(file))) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert "Traceback" not in said.err
    assert not said.out


def test_own_records_lie_on_top(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog, prices = tmp_path / "own.toml", tmp_path / "prices.csv"
    catalog.write_text('[accelerators.l40s]\nmemory = "20 GB"\n'
                       'source = "our slice"\nas_of = 2026-10-01\n', encoding="utf-8")  # fmt: skip
    prices.write_text(HEADER + ROW, encoding="utf-8")
    options = ("--gpu", "l40s", "--prices", str(prices), "--format", "json")
    counts = []
    for extra in ((), ("--catalog", str(catalog))):
        assert run(("plan", scenario, *options, *extra)) == 0
        plan = json.loads(capsys.readouterr().out)["plan"]
        assert plan["best"]["price"]["provider"] == "ours"
        counts.append(plan["excluded"].get("weights or longest request do not fit in memory", 0))
    assert counts[1] > counts[0]


def test_a_plan_is_deployed_by_the_names_of_its_own_catalogue(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog, plan = tmp_path / "own.toml", tmp_path / "plan.json"
    named = '[accelerators.l40s]\naliases = ["our card"]\n'
    catalog.write_text(f'{named}source = "our stock list"\nas_of = 2026-10-01\n')
    options = ("--gpu", "our card", "--catalog", str(catalog), "--format", "json")
    assert run(("plan", scenario, *options)) == 0
    plan.write_text(capsys.readouterr().out)
    assert run(("deploy", str(plan), "--kind", "engine", "--gpu", "our card")) == 0


def test_an_unknown_record_kind_is_refused(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[accelerator.l40s]\n", encoding="utf-8")
    assert run(("plan", scenario, "--catalog", str(file))) == 2
    assert "accelerators" in capsys.readouterr().err


def test_a_fault_of_the_program_is_shown_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(arguments: list[str]) -> None:
        raise ZeroDivisionError(f"{len(arguments)} arguments")

    assert run(("plan",), broken) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.splitlines()[-1].startswith("internal error: ZeroDivisionError: 1 arguments")
    assert "report" in said.splitlines()[-1]
