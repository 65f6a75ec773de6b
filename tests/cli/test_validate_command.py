import csv
import json
from pathlib import Path

import pytest

from inferometer.cli.app import BAD_INPUT, OK, run

HEADER = (
    "row_id,source,model,model_family,gpu,num_gpus,tp,load_type,isl,osl,concurrency_or_rate,"
    "precision,engine,tpot_ms_p50,ttft_ms_p50\n"
)
LLAMA = "lab,meta-llama/Llama-3.1-8B,llama3,H100-SXM,1,1,concurrency,1000,500"
OTHER = "lab,nobody/Unknown-7B,none,H100-SXM,1,1,concurrency,1000,500"
ROWS = (
    f"{HEADER}a,{LLAMA},16,bf16,vllm,9,80\nb,{OTHER},16,bf16,vllm,9,80\n"
    f"c,{LLAMA},64,bf16,vllm,14,200\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_rows_out_has_one_row_per_measured_metric(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert run(["validate", str(file), "--rows-out", str(out)]) == OK
    with out.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert list(rows[0]) == [
        "row_id",
        "metric",
        "predicted",
        "lower",
        "upper",
        "measured",
        "reason",
    ]
    assert [(row["row_id"], row["metric"]) for row in rows] == [
        (key, metric) for key in "abc" for metric in ("ttft_ms_p50", "tpot_ms_p50")
    ]
    assert [row["predicted"] == "" for row in rows] == [bool(row["reason"]) for row in rows]
    good = [row for row in rows if row["predicted"]]
    assert len(good) == 4
    assert all(float(r["lower"]) < float(r["predicted"]) < float(r["upper"]) for r in good)


def test_json_gives_groups_and_regret(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["validate", str(file), "--by", "family,gpu", "--regret", "--format", "json"]
    assert run(arguments) == OK
    found = json.loads(capsys.readouterr().out)
    assert {row["family"] for row in found["groups"]} == {"llama3", "none"}
    assert found["errors"][0]["coverage_fraction"] == pytest.approx(2 / 3)
    assert found["regret"][-1]["model"] == "mean"


def test_the_plot_tells_units(file: Path, tmp_path: Path) -> None:
    plot = tmp_path / "errors.svg"
    assert run(["validate", str(file), "--plot", str(plot)]) == OK
    text = plot.read_text(encoding="utf-8")
    assert text.count(">measured (ms)<") == text.count(">predicted (ms)<") == 2  # TTFT and TPOT
    assert run(["validate", str(file), "--plot", str(tmp_path / "errors.pdf")]) == BAD_INPUT


@pytest.mark.parametrize("arguments", [["no-such.csv"], ["--by", "colour"]])
def test_bad_input_leaves_with_two(
    file: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = [str(file)] if arguments[0] == "--by" else list[str]()
    assert run(["validate", *path, *arguments]) == BAD_INPUT
    assert "error:" in capsys.readouterr().err


def test_calibrate_writes_an_overlay_that_validate_takes(file: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "mine.toml"
    made = ["calibrate", str(file), "--output", str(overlay), "--no-cross-validate"]
    assert run([*made, "--date", "2026-02-03"]) == OK
    assert "as_of = 2026-02-03" in overlay.read_text()
    assert run(["validate", str(file), "--overlay", str(overlay)]) == OK


def test_refusals_of_many_rows_for_one_reason_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.csv"
    bad = [f"r{i},{LLAMA},-1,bf16,vllm,9,abc\n" for i in range(5)]
    path.write_text(HEADER + "".join(bad), encoding="utf-8")
    out = tmp_path / "out.csv"
    assert run(["validate", str(path), "--rows-out", str(out), "--format", "json"]) == OK
    refused = {
        row["reason"]: row["values"] for row in json.loads(capsys.readouterr().out)["refused"]
    }
    assert len(refused) == 2  # the load, and the cell that is no number
    assert set(refused.values()) == {5}
    with out.open(newline="") as text:
        rows = [(row["row_id"], row["metric"], row["measured"]) for row in csv.DictReader(text)]
    assert rows == [(f"r{i}", *cell) for i in range(5) for cell in
                    (("tpot_ms_p50", "9"), ("ttft_ms_p50", ""))]  # fmt: skip


def test_calibrate_says_what_it_informed_and_how_much_nearer_it_is(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "mine.toml"
    made = ["calibrate", str(file), "--output", str(overlay), "--format", "json"]
    assert run(made) == OK
    out, err = capsys.readouterr()
    assert "2 rows, 1 refused, the first: no model is named" in err
    assert "those of the start are kept" in err  # one sweep: no intervals of their own
    found = json.loads(out)
    informed = {row["parameter"] for row in found["informed"]}
    assert "layer_overhead" in informed
    assert "expert_bandwidth" not in informed  # a dense model tells nothing of experts
    errors = {row["metric"]: row for row in found["median error on these rows"]}
    assert errors["ttft_ms_p50"]["after"] < errors["ttft_ms_p50"]["before"]
    text = overlay.read_text()
    assert "[basis.own]" in text
    assert "[residuals" not in text
