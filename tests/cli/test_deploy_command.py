"""`inferometer deploy`, as a user gives it."""

import json
from pathlib import Path

import pytest

from inferometer.cli.app import BAD_INPUT, INFEASIBLE, OK, run

SCENARIO = """\
model = "llama-3.1-8b"
slo = ["ttft p99 <= 5 s", "tpot p99 <= 100 ms"]
[workload]
rate = "{rate} 1/s"
requests = 300
[workload.lengths]
input = {{ p50 = 400, p99 = 2000 }}
output = {{ p50 = 100, p99 = 400 }}
[search]
gpus = ["h100-sxm", "l40s"]
max_gpus = 4
"""
STATED = '[deployment]\ngpu = "h100-sxm"\nreplicas = 2\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a scenario, one with a deployment, and a plan's JSON."""
    place = tmp_path_factory.mktemp("plans")
    (place / "chat.toml").write_text(SCENARIO.format(rate=2), encoding="utf-8")
    (place / "stated.toml").write_text(SCENARIO.format(rate=2) + STATED, encoding="utf-8")
    output = ["--output-dir", str(place / "plan")]
    assert run(["plan", str(place / "chat.toml"), "--format", "json", *output]) == OK
    (place / "plan" / "plan.json").rename(place / "plan.json")
    return place


def test_plan_becomes_files_and_the_second_diff_is_empty(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["deploy", str(folder / "plan.json"), "--output-dir", str(tmp_path / "out")]
    assert run([*command, "--dry-run"]) == OK
    assert not (tmp_path / "out").exists()
    assert "Would write" in capsys.readouterr().out
    assert run([*command, "--format", "json"]) == OK
    states = json.loads(capsys.readouterr().out)["files"]
    assert {row["state"] for row in states} == {"new"}
    for row in states:
        assert (tmp_path / "out" / row["file"]).is_file()
    assert run([*command, "--diff"]) == OK
    assert capsys.readouterr().out == ""
    assert run([*command, "--diff", "--max-replicas", "5"]) == OK
    assert "+  maxReplicaCount: 5" in capsys.readouterr().out
    assert run([*command, "--max-replicas", "5"]) == BAD_INPUT
    assert "--overwrite" in capsys.readouterr().err


def test_same_input_gives_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for _ in range(2):
        assert run(["deploy", str(folder / "plan.json"), "--kind", "kubernetes"]) == OK
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "kind: Deployment" in printed[0]


def test_plan_and_scenario_agree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan's JSON and the scenario planned on the spot give the same engine."""
    texts = []
    for name in ("plan.json", "chat.toml"):
        command = ["deploy", str(folder / name), "--kind", "engine", "--format", "json"]
        assert run(command) == OK
        files = json.loads(capsys.readouterr().out)["files"]
        texts.append(files["engine/serve.sh"].partition("set -eu")[2])
    assert texts[0] == texts[1]


def test_another_option_of_the_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    for option in plan["plan"]["alternatives"]:
        key = option["deployment"]["accelerator"]
        assert run(["deploy", str(folder / "plan.json"), "--kind", "engine", "--gpu", key]) == OK
        assert option["deployment"]["summary"] in capsys.readouterr().out
    assert run(["deploy", str(folder / "plan.json"), "--gpu", "b200"]) == BAD_INPUT
    assert "no option on b200" in capsys.readouterr().err


def test_stated_deployment_is_deployed_as_stated(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["deploy", str(folder / "stated.toml"), "--kind", "aisimulate"]
    assert run(command) == OK
    assert "replicas: 2" in capsys.readouterr().out


def test_miss_of_the_slo_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["deploy", str(folder / "stated.toml"), "--kind", "engine", "--slo"]
    assert run([*command, "tpot p99 <= 0.1 ms"]) == OK
    assert "predicted to miss tpot p99" in capsys.readouterr().err


def test_infeasible_plans_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slo = ["--slo", "tpot p99 <= 0.01 ms"]
    command = ["plan", str(folder / "chat.toml"), *slo, "--output-dir", str(tmp_path)]
    assert run(command) == INFEASIBLE
    assert run(["deploy", str(tmp_path / "plan.json")]) == INFEASIBLE
    assert "nothing to deploy" in capsys.readouterr().err
    assert run(["deploy", str(folder / "chat.toml"), *slo]) == INFEASIBLE
    heavy = tmp_path / "heavy.toml"
    heavy.write_text(SCENARIO.format(rate=9000) + STATED, encoding="utf-8")
    assert run(["deploy", str(heavy)]) == INFEASIBLE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is wanted"),
        ("{}", "feasible"),
        ('{"feasible": true}', "plan"),
        ('{"feasible": true, "plan": {"best": 3}}', "plan"),
        ("[1]", "is wanted"),
    ],
)
def test_what_is_no_plan_is_refused(
    tmp_path: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content, encoding="utf-8")
    assert run(["deploy", str(file)]) == BAD_INPUT
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--diff"], "--output-dir"),
        (["--dry-run"], "--output-dir"),
        (["--slo", "ttft p99 <= 1 s"], "a finished plan is deployed as it is"),
        (["--tp", "2"], "a finished plan is deployed as it is"),
        (["--node-selector", "gpu"], "KEY=VALUE"),
        (["--startup", "soon"], "soon"),
        (["--startup", "-5 s"], "startup"),
        (["--max-replicas", "0"], "at least 1"),
        (["--min-replicas", "0"], "could wake it"),
        (["--name", "No Label"], "DNS label"),
        (["--kind", "helm"], "unknown"),
    ],
)
def test_bad_options_are_refused(
    folder: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["deploy", str(folder / "plan.json"), *options]) == BAD_INPUT
    assert message in capsys.readouterr().err


def test_missing_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("none.json", "none.toml", "none.yaml"):
        assert run(["deploy", str(tmp_path / name)]) == BAD_INPUT
        assert name in capsys.readouterr().err
