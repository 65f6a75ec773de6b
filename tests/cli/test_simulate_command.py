"""The command simulate: the same outcome as predict's, records on demand, errors that say what."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from inferometer.cli.app import run
from inferometer.report import charts

SCENARIO = """
model = "llama-3.1-8b"
slo = ["ttft p99 <= 2 s"]
[workload]
rate = "4 1/s"
duration = "60 s"
[workload.lengths]
input = {mean = 500, p50 = 300}
output = {mean = 200, p50 = 150}
[deployment]
gpu = "h100-sxm"
replicas = 2
"""


@pytest.fixture
def played(tmp_path: Path) -> str:
    file = tmp_path / "scenario.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    return str(file)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(("simulate", *arguments, "--format", "json")) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_simulate_answers_as_predict_does(
    capsys: pytest.CaptureFixture[str], played: str, tmp_path: Path
) -> None:
    records = tmp_path / "records.jsonl"
    found = answer(capsys, played, "--records", str(records))
    outcome, predicted = found["outcome"], found["predicted"]
    assert outcome.keys() == predicted.keys()
    assert outcome["evidence"] == "simulated"
    counts = outcome["counts"]
    assert counts["arrived"] == counts["finished"] > 100
    assert outcome["tpot"]["mean_ms"] == pytest.approx(predicted["tpot"]["mean_ms"], rel=0.2)
    rows = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == counts["arrived"]
    assert all(row["first_token_ms"] <= row["finished_ms"] for row in rows)


def test_the_same_seed_prints_the_same(capsys: pytest.CaptureFixture[str], played: str) -> None:
    options = (played, "--router", "power-of-two")
    assert answer(capsys, *options) == answer(capsys, *options)
    other = answer(capsys, *options, "--seed", "7")
    assert other["outcome"]["ttft"] != answer(capsys, *options)["outcome"]["ttft"]


def test_tables_name_both_routes(capsys: pytest.CaptureFixture[str], played: str) -> None:
    assert run(("simulate", played, "--clients", "20", "--speedup", "2")) == 0
    assert "ttft, simulated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--router", "best"), "known: round-robin"),
        (("--speedup", "0"), "--speedup"),
        (("--clients", "-1"), "clients"),
        (("--max-batched-tokens", "10"), "max_batched_tokens"),
        (("--trace", "/nowhere.jsonl"), "nowhere"),
        (("--scaling", "best"), "known: static"),
        (("--scaling", "hpa"), "target"),
        (("--timeout", "0"), "timeout"),
        (("--retries", "-1"), "retries"),
        (("--scaling", "hpa", "--scaling-target", "5", "--most", "1"), "below the 2 replicas"),
        (("--hours-between-failures", "0"), "faults.between"),
        (("--also", "/nowhere.toml"), "nowhere"),
        (("--plot", "day.gif"), ".png or .svg"),
        (("--clocks", "best"), "known: fixed, slack"),
        (("--clocks", "slack"), "itl"),
        (("--clocks", "fixed", "--decode-clock", "1.2"), "clocks"),
        (("--decode-clock", "0.6"), "clocks is full"),
        (("--retrieval", "/nowhere.toml"), "nowhere"),
    ],
)
def test_bad_options_are_named(
    capsys: pytest.CaptureFixture[str], played: str, options: tuple[str, ...], says: str
) -> None:
    assert run(("simulate", played, *options)) == 2
    assert says in capsys.readouterr().err


def test_records_are_parquet_too(
    capsys: pytest.CaptureFixture[str], played: str, tmp_path: Path
) -> None:
    lines, table = tmp_path / "records.jsonl", tmp_path / "it's.parquet"
    for path in (lines, table):
        answer(capsys, played, "--records", str(path))
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    found = duckdb.read_parquet(str(table))
    assert found.columns == list(rows[0])
    assert found.fetchall() == [tuple(row.values()) for row in rows]
    assert run(("simulate", played, "--records", str(tmp_path / "records.csv"))) == 2
    assert ".jsonl or .parquet" in capsys.readouterr().err


def test_tenants_and_classes_have_tails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    text = SCENARIO.replace("[workload]", "[workload]\ntenants = {chat = 0.6, night = 0.4}")
    file.write_text(text, encoding="utf-8")
    found = answer(capsys, str(file), "--batch-tenant", "night")
    whole, *others = found["tails"]
    assert whole["requests"] == found["outcome"]["counts"]["finished"]
    assert [(one["tenant"], one["priority"]) for one in others] == [
        ("all", "batch"), ("all", "interactive"), ("chat", "interactive"), ("night", "batch"),
    ]  # fmt: skip
    assert whole["ttft"]["p999_ms"] >= whole["ttft"]["p99_ms"] > 0
    assert sum(one["requests"] for one in others[2:]) == whole["requests"]
    assert run(("simulate", str(file), "--batch-tenant", "day")) == 2
    assert "'day' is not in the trace" in capsys.readouterr().err


def test_a_stream_says_what_the_whole_says(
    capsys: pytest.CaptureFixture[str], played: str, tmp_path: Path
) -> None:
    trace, records = tmp_path / "trace.parquet", tmp_path / "records.jsonl"
    spec = tmp_path / "scenario.toml"
    assert run(("trace", "synth", str(spec), "--out", str(trace))) == 0
    capsys.readouterr()
    options = ("--model", "llama-3.1-8b", "--gpu", "h100-sxm", "--trace", str(trace))
    whole = answer(capsys, *options)
    streamed = answer(capsys, *options, "--stream", "--records", str(records))
    assert streamed["outcome"]["counts"] == whole["outcome"]["counts"]
    assert streamed["tails"][0]["ttft"] == pytest.approx(whole["tails"][0]["ttft"], rel=1e-9)
    assert streamed["jitter"]["attempts"] == 1
    assert len(records.read_text(encoding="utf-8").splitlines()) == whole["tails"][0]["requests"]
    assert run(("simulate", played, "--stream")) == 2
    assert "--stream" in capsys.readouterr().err


RETRIEVAL = """
[retrieval]
passages = 5
passage = "512 tok"
[[retrieval.stages]]
name = "embed"
rate = "6 1/s"
price = "0.80 USD/h"
latency = "8 ms"
"""


def test_retrieval_is_split_three_ways(
    capsys: pytest.CaptureFixture[str], played: str, tmp_path: Path
) -> None:
    file = tmp_path / "rag.toml"
    file.write_text(RETRIEVAL, encoding="utf-8")
    rag = answer(capsys, played, "--retrieval", str(file))["rag"]
    stage = rag["stages"][0]
    first = [rag[name]["ttft"]["mean_ms"] for name in ("without", "long", "on")]
    assert first[0] < first[1] < first[2]
    assert first[2] - first[1] == pytest.approx(stage["time_mean_s"] * 1e3, rel=0.3)
    assert stage["wait_mean_ms"] > 0
    assert rag["long"]["tpot"]["p50_ms"] > rag["without"]["tpot"]["p50_ms"]
    assert run(("simulate", played, "--retrieval", str(file))) == 0
    assert "with retrieval" in capsys.readouterr().out
    file.write_text(RETRIEVAL.replace("passages", 'stride = "16 tok"\npassages'), encoding="utf-8")
    assert run(("simulate", played, "--retrieval", str(file))) == 2
    assert "stride" in capsys.readouterr().err


def test_clocks_save_energy_and_cost_time(capsys: pytest.CaptureFixture[str], played: str) -> None:
    full = answer(capsys, played)["outcome"]
    options = ("--clocks", "fixed", "--prefill-clock", "0.8", "--decode-clock", "0.6")
    slow = answer(capsys, played, *options)["outcome"]
    assert slow["power_w"] < full["power_w"]
    assert slow["ttft"]["mean_ms"] > full["ttft"]["mean_ms"]


def test_rates_are_played_up_to_beyond_the_knee(
    capsys: pytest.CaptureFixture[str], played: str, tmp_path: Path
) -> None:
    knee, gaps = tmp_path / "knee.svg", tmp_path / "itl.png"
    options = ("--plot-knee", str(knee), "--plot-itl", str(gaps), "--rates", "3")
    found = answer(capsys, played, *options, "--replicas", "1", "--slo", "tpot p99 <= 11 ms")
    loads = found["loads"]
    assert len(loads) == 3
    assert loads[0]["ttft"]["p99_ms"] < loads[-1]["ttft"]["p99_ms"]
    assert loads[0]["good"] > loads[-1]["good"]
    assert loads[0]["offered_per_s"] <= found["knee_per_s"] < loads[-1]["offered_per_s"]
    ticks = re.findall(r">([^<>\s]+)</text>", knee.read_text(encoding="utf-8"))
    assert {"p50", "p99"} < set(ticks)
    assert all(re.fullmatch(r"[\d,.]+", tick) for tick in ticks if tick[0] in "0123456789$")
    assert gaps.stat().st_size > 10_000
    assert run(("simulate", played, *options[:2], "--rates", "1")) == 2
    assert "--rates" in capsys.readouterr().err


def test_the_same_seed_draws_the_same(
    capsys: pytest.CaptureFixture[str], played: str, tmp_path: Path
) -> None:
    paths = {
        f"{option}{ending}": tmp_path / f"{option}{ending}"
        for option in ("--plot", "--plot-itl", "--plot-knee") for ending in charts.ENDINGS
    }  # fmt: skip
    drawn = []
    for _ in range(2):
        for ending in charts.ENDINGS:
            options = [word for name, path in paths.items() if name.endswith(ending)
                       for word in (name.removesuffix(ending), str(path))]  # fmt: skip
            answer(capsys, played, *options, "--rates", "2")
        drawn.append({name: path.read_bytes() for name, path in paths.items()})
    assert drawn[0] == drawn[1]


def test_who_watches_hears_of_it_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], played: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = answer(capsys, played)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run(("simulate", played, "--format", "json")) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == silent
    assert "played" in shown.err


def test_fleets_scale_mix_and_are_drawn(
    capsys: pytest.CaptureFixture[str], played: str, tmp_path: Path
) -> None:
    more, plot = tmp_path / "more.toml", tmp_path / "fleet.png"
    more.write_text('[deployment]\ngpu = "a100-sxm-80gb"\n', encoding="utf-8")
    arguments = (
        "simulate", played, "--also", str(more), "--router", "cost-aware", "--plot", str(plot),
        "--scaling", "hpa", "--scaling-target", "5", "--most", "4", "--startup-least", "5",
        "--startup-most", "9", "--timeout", "30", "--retries", "1",
    )  # fmt: skip
    assert run((*arguments, "--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bill"] is None
    assert found["jitter"]["accelerator_hours"] > 0 < found["jitter"]["cost_per_request_usd"]
    counts = found["outcome"]["counts"]
    ends = ("finished", "rejected", "timed_out", "in_flight")
    assert counts["arrived"] == sum(counts[end] for end in ends)
    assert plot.stat().st_size > 10_000


def test_compare_pairs_runs_of_two_deployments(
    capsys: pytest.CaptureFixture[str], played: str, tmp_path: Path
) -> None:
    more = tmp_path / "more.toml"
    more.write_text(SCENARIO.replace("replicas = 2", "replicas = 4"), encoding="utf-8")
    arguments = ("compare", played, str(more), "--runs", "4")
    assert run((*arguments, "--format", "json")) == 0
    found = {row["metric"]: row for row in json.loads(capsys.readouterr().out)["differences"]}
    assert found["power W"]["low"] > 0
    assert found["tpot mean ms"]["high"] < 0
    assert run(arguments) == 0
    assert "95 % interval" in capsys.readouterr().out
    policy = tmp_path / "policy.toml"
    table = '[policy]\nclocks = "fixed"\ndecode_clock = 0.6\nrouter = "round-robin"\n'
    policy.write_text(SCENARIO + table, encoding="utf-8")
    assert run(("compare", played, str(policy), "--runs", "3", "--format", "json")) == 0
    document = json.loads(capsys.readouterr().out)
    rows = {row["metric"]: row for row in document["differences"]}
    assert rows["energy kWh"]["high"] < 0
    assert document["policies"][1]["router"] == "round-robin"
    other = tmp_path / "other.toml"
    other.write_text(SCENARIO.replace("4 1/s", "5 1/s"), encoding="utf-8")
    assert run(("compare", played, str(other))) == 2
    assert "same [workload]" in capsys.readouterr().err
