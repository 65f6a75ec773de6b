"""`inferometer theory` as people run it."""

import json
from pathlib import Path

import pytest

from inferometer.cli.theory import Options, check, exponents, frontier
from inferometer.errors import CatalogError, InferometerError, ScenarioError

Capture = pytest.CaptureFixture[str]


def test_frontier_as_json_and_chart(tmp_path: Path, capsys: Capture) -> None:
    chart = tmp_path / "frontier.svg"
    frontier("llama3-8b", "H100", format="json", plot=chart)
    result = json.loads(capsys.readouterr().out)
    assert result["preferred"] in result["frontier"]
    assert chart.read_text(encoding="utf-8").count("preferred") >= 1


def test_frontier_table_marks_the_preferred_point(capsys: Capture) -> None:
    frontier("gpt-4-spec", "H100", options=Options(ctx=1000))
    out = capsys.readouterr().out
    assert "rumoured" in out
    assert sum(line.startswith("*") for line in out.splitlines()) == 2


def test_exponents_say_where_they_hold(tmp_path: Path, capsys: Capture) -> None:
    chart = tmp_path / "exponents.png"
    exponents(plot=chart)
    out = capsys.readouterr().out
    assert "0.45" in out
    assert "0.23 to 0.30" in out
    assert chart.stat().st_size > 10_000


def test_check_passes_and_fails(data: Path, tmp_path: Path, capsys: Capture) -> None:
    lines = (data / "theory/reference.csv").read_text(encoding="utf-8").splitlines()[:40]
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("\n".join(lines), encoding="utf-8")
    bad.write_text("\n".join([*lines, lines[1].replace("llama3-8b", "llama9")]), encoding="utf-8")
    assert check(good, format="json") == 0
    assert json.loads(capsys.readouterr().out)["worst_relative_error"] < 1e-9
    assert check(bad, format="json") == 1
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["worst_relative_error"] == 1e9
    assert "1 of 40 rows are wrong" in said.err
    assert "llama9" in result["wrong_rows"][0]["reason"]


@pytest.mark.parametrize("text", ["", "row_id,kind\n1,point\n"])
def test_check_names_missing_columns(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"rows.csv: columns missing.*latency_s"):
        check(file)


def test_check_refuses_no_rows_and_no_file(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    with pytest.raises(ScenarioError, match="cannot be read"):
        check(file)
    header = (data / "theory/reference.csv").read_text(encoding="utf-8").splitlines()[0]
    file.write_text(header, encoding="utf-8")
    with pytest.raises(ScenarioError, match="no rows"):
        check(file)
    file.write_text(f"{header}\n1,point", encoding="utf-8")
    with pytest.raises(ScenarioError, match="line 2"):
        check(file)


@pytest.mark.parametrize(
    "options", [{"ctx": -1}, {"ctx": float("nan")}, {"mem_cap": 1.2}, {"acceptance": 1}]
)
def test_options_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match="--"):
        Options(**options)  # type: ignore[arg-type]


def test_unknown_model_and_ending(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="nearest"):
        frontier("llama-3-70", "H100")
    with pytest.raises(InferometerError, match="png"):
        frontier("llama3-8b", "H100", plot=tmp_path / "x.gif")
