import gzip
from pathlib import Path

import pytest

from inferometer.calibrate.tables import METRICS, number, read_table
from inferometer.errors import ScenarioError

SERVING = """row_id,source,model,model_family,gpu,load_type,isl,osl,tokens_per_s,ttft_ms_p50,note
r1,lab,m,f,H100-SXM,concurrency,100,200,1500,,x
r2,lab,m,f,H100-SXM,batch,100,200,,12.5,
"""
STEPS = """source,run,model,gpu,prefill_kv_tokens,decode_kv_tokens,latency_ms
lab,one,m,B300,0,10,5.5
lab,two,m,B300,0,10,6.5
"""


def write(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_only_measured_cells_are_metrics(tmp_path: Path) -> None:
    rows = read_table(write(tmp_path, SERVING))
    assert [dict(row.metrics) for row in rows] == [{"tokens_per_s": 1500.0}, {"ttft_ms_p50": 12.5}]
    assert rows[0].cell == ("lab", "f", "H100-SXM")
    assert {row.layout for row in rows} == {"serving"}


def test_steps_are_named_by_source_run_and_line(tmp_path: Path) -> None:
    rows = read_table(write(tmp_path, STEPS))
    assert [row.key for row in rows] == ["lab:one:2", "lab:two:3"]
    assert rows[0].family == "m"


def test_gzip_reads_as_plain(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(STEPS.encode()))
    assert [row.metrics["latency_ms"] for row in read_table(path)] == [5.5, 6.5]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_unknown_columns_are_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ScenarioError, match=r"rows\.csv: columns of no known layout"):
        read_table(write(tmp_path, text))


def test_a_file_that_is_not_gzip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_table(write(tmp_path, "plain", "rows.csv.gz"))


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-inf"])
def test_what_is_no_finite_number_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("file", "layout", "rows"),
    [("serving.csv", "serving", 5219), ("energy.csv", "energy", 494), ("dvfs.csv", "dvfs", 1388),
     ("steps.csv.gz", "steps", 15_749), ("steps_static.csv", "steps_static", 4200)],
)  # fmt: skip
def test_every_measured_file_is_read_whole(data: Path, file: str, layout: str, rows: int) -> None:
    found = read_table(data / "measured" / file)
    assert len(found) == rows
    assert {row.layout for row in found} == {layout}
    assert set().union(*(row.metrics for row in found)) <= set(METRICS[layout])
