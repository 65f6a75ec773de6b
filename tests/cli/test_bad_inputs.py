"""Bad input at the command line: exit code 2 or 3, a message that names the fault, no number."""

import subprocess
import sys
from pathlib import Path

import pytest

from inferometer.cli.app import run

TRACE = "arrival_s,input_tokens,output_tokens\n"
WORKLOAD = """
[workload]
rate = "2 1/s"
duration = "120 s"
[workload.lengths]
input = {mean = 500, p50 = 300}
output = {mean = 200, p50 = 150}
"""


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    file = tmp_path / "load.toml"
    file.write_text(WORKLOAD, encoding="utf-8")
    return file


def refused(
    capsys: pytest.CaptureFixture[str], code: int, *arguments: str, says: str, silent: bool = True
) -> None:
    assert run(arguments) == code
    said = capsys.readouterr()
    assert says.lower() in said.err.lower()
    assert "Traceback" not in said.err
    assert not (silent and said.out)


MODEL = ("--model", "llama-3.1-8b")
PLAN = ("plan", *MODEL, "--workload")
SMALL = ("--gpu", "l40s", "--gpu", "h100-pcie", "--max-gpus", "8")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--slo", "ttft p98 <= 2s"), "p98"),
        (("--slo", "latency p99 <= 2s"), "latency"),
        (("--slo", "ttft p99 <= -2s"), "positive"),
        (("--slo", "ttft p99 <= 2 GB"), "GB"),
        (("--slo", "soon"), "soon"),
        (("--slo", "goodput >= 0.99"), "ttft p99"),
        (("--slo", "ttft p99 <= 2s", "--slo", "goodput >= 1.5"), "goodput"),
        (("--slo", "ttft p99 <= 2s", "--slo", "goodput >= 0"), "goodput"),
        (("--slo", "ttft p99 <= 2s", "--slo", "goodput >= -1"), "goodput"),
        (("--slo", "ttft p99 <= 2s", "--slo", "goodput >= 0.999"), "0.99"),
        (("--headroom", "1"), "headroom"),
        (("--headroom", "-0.1"), "headroom"),
        (("--gpu", "h100-smx"), "nearest"),
        (("--have", "h100-sxm"), "h100-sxm=16"),
        (("--have", "h100-sxm=-4"), "h100-sxm=16"),
        (("--have", "h100-sxm=0"), "at least 1"),
        (("--max-gpus", "0"), "at least 1"),
        (("--commitment", "on-demnd"), "on-demand"),
        (("--at", "yesterday"), "2026-11-01"),
        (("--at", "1999-01-01"), "no price row is valid at 1999-01-01"),
        (("--at", "2099-01-01"), "no price row is valid at 2099-01-01"),
        (("--provider", "lamda"), "nearest: lambda"),
        (("--provider", "nosuch"), "prices.provider"),
        (("--region", "atlantis"), "prices.region"),
        (("--engine", "vlm"), "nearest"),
        (("--allow-precision", "int3"), "number format"),
        (("--grid", "atlantis"), "grid"),
    ],
)
def test_bad_option(
    options: tuple[str, ...], says: str, workload: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, 2, *PLAN, str(workload), *options, says=says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modell = 'llama-3.1-8b'", "nearest"),
        ("model = 'llama-3.1-8b'\n[search]\nmax_gpu = 4", "max_gpus"),
        ("model = 'llama-3.1-8b'\nslo = 3", "slo"),
        ("model = 'llama-3.1-8b'\nmodel = 'x'", "TOML"),
        ("model = 'no-such-model-1b'" + WORKLOAD, "no-such-model-1b"),
        ("seed = 1" + WORKLOAD, "--model"),
        ("model = 'llama-3.1-8b'", "--trace"),
        ("model = 'llama-3.1-8b'" + WORKLOAD.replace("2 1/s", "0 1/s"), "rate"),
        ("model = 'llama-3.1-8b'" + WORKLOAD.replace("2 1/s", "2 s"), "rate"),
        ("model = 'llama-3.1-8b'" + WORKLOAD.replace("mean = 500", "mean = 0"), "input"),
    ],
)
def test_bad_scenario(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(text, encoding="utf-8")
    refused(capsys, 2, "plan", str(file), says=says)


@pytest.mark.parametrize("name", ["absent.csv", "folder", "empty.csv", "header.csv"])
def test_bad_trace(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.csv").touch()
    (tmp_path / "header.csv").write_text(TRACE, encoding="utf-8")
    refused(capsys, 2, "plan", *MODEL, "--trace", str(tmp_path / name), says=name)


@pytest.mark.parametrize("seed", ["-1", str(2**63)])
def test_a_seed_that_nothing_can_be_drawn_from(
    seed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a trace is given, of which nothing but the play is drawn."""
    trace = tmp_path / "trace.csv"
    trace.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6,100,20\n2023-11-16 18:15:50.9,300,20\n",
        encoding="utf-8",
    )
    given = ("--trace", str(trace), "--seed", seed)
    refused(capsys, 2, "simulate", *MODEL, *given, "--gpu", "l40s", says=f"seed {seed}")
    refused(capsys, 2, "bench", "http://127.0.0.1:1", *given, says=f"seed {seed}")
    refused(capsys, 2, "demo", *given, says=f"seed {seed}")
    scenario = tmp_path / "scenario.toml"
    scenario.write_text("seed = -7\n", encoding="utf-8")
    refused(capsys, 2, "plan", str(scenario), says="scenario.toml: seed -7")


AGENTS = """[workload.agents]
calls_p50 = 3.0
calls_p99 = 9.0
tool_p50 = "1e300 s"
tool_p99 = "1e300 s"
"""
RARE = WORKLOAD.replace("2 1/s", "1e-9 1/s").replace('duration = "120 s"', "requests = 200")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WORKLOAD + "[workload.effort]\noutput = 1e300\n", "1e+300"),
        (WORKLOAD + AGENTS, "tools"),
        (WORKLOAD + '[workload.sessions]\nturns = 9.0\nthink = "1e99 s"\n', "think"),
        (RARE, "ten years"),
    ],
)
def test_a_workload_out_of_all_proportion(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "load.toml"
    file.write_text(text, encoding="utf-8")
    refused(capsys, 2, "predict", *MODEL, "--workload", str(file), "--gpu", "l40s", says=says)


def test_missing_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, 2, "plan", "absent.toml", says="absent.toml")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--gpu", "h100-sxm", "--tp", "3"), "divide"),
        (("--gpu", "h100-sxm", "--replicas", "0"), "replicas"),
        (("--gpu", "h100-sxm", "--ep"), "expert"),
        (("--gpu", "h100-sxm", "--provider", "lamda"), "nearest: lambda"),
        (("--gpu", "h100-sxm", "--max-num-seqs", "-1"), "max_num_seqs"),
        (("--gpu", "h100-sxm", "--pp", "0"), "pipeline"),
        (("--gpu", "h100-sxm", "--weights", "fp9"), "number format"),
        ((), "--gpu"),
    ],
)
def test_bad_deployment(
    options: tuple[str, ...], says: str, workload: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, 2, "predict", *MODEL, "--workload", str(workload), *options, says=says)


def test_a_model_that_does_not_fit_is_infeasible(
    workload: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = ("--gpu", "l4", "--model", "llama-3.1-70b", "--workload", str(workload))
    refused(capsys, 3, "predict", *stated, says="do not fit")


def test_nothing_meets_the_slo(workload: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = (*PLAN, str(workload), *SMALL, "--slo", "tpot p99 <= 0.1ms")
    refused(capsys, 3, *options, says="would have to be", silent=False)
    assert run(options) == 3
    assert "nearest" in capsys.readouterr().out


def test_the_supply_is_too_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "load.toml"
    file.write_text(WORKLOAD.replace("2 1/s", "400 1/s"), encoding="utf-8")
    refused(
        capsys, 3, *PLAN, str(file), "--have", "l40s=1", says="would carry the load", silent=False
    )


def test_a_context_beyond_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "load.toml"
    file.write_text(WORKLOAD.replace("500, p50 = 300", "500000, p50 = 499000"), encoding="utf-8")
    refused(capsys, 3, *PLAN, str(file), *SMALL, says="longest request")


def test_an_unknown_option_is_bad_input() -> None:
    assert run(("plan", "--no-such-option")) == 2


def test_an_unknown_name_is_answered_with_the_nearest_three(
    capsys: pytest.CaptureFixture[str], workload: Path
) -> None:
    asked = ("predict", str(workload), "--gpu", "h100-sxm", "--model")
    for name in ("lama-3.1-9b", "zzz"):
        assert run((*asked, name)) == 2
        said = capsys.readouterr().err.strip()
        assert len(said.split("; nearest: ")[1].split(";")[0].split(", ")) == 3


def test_too_few_requests_have_no_burstiness(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "few.jsonl"
    row = '{{"arrival_s": {}, "input_tokens": 5, "output_tokens": 5}}\n'
    file.write_text("".join(row.format(moment) for moment in range(3)), encoding="utf-8")
    assert run(("trace", "describe", str(file))) == 0
    assert "too few requests" in capsys.readouterr().out


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inferometer", "--help"], capture_output=True, check=True, text=True
    )
    assert "plan" in done.stdout
