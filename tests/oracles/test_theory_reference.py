"""Reference rows of the Erdil notebook, and what the comparison says of broken ones."""

import csv
from pathlib import Path

import numpy as np
import pytest

from inferometer.perf.theory.reference import WRONG, compare, question_of
from inferometer.perf.theory.step import step

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def rows(data: Path) -> Rows:
    with (data / "theory/reference.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_row_agrees(rows: Rows) -> None:
    found = compare(rows)
    assert len(found) == len(rows) > 0
    assert [row for row in found if row.error > 1e-9] == []


def test_parts_and_layout_agree(rows: Rows) -> None:
    names = {"kernel": "kernel", "netlat": "net_latency", "netbw": "net_bandwidth"}
    names |= {"pp": "pipeline", "mem": "memory", "arith": "arithmetic"}
    checked = [row for row in rows if row["tp_mode"] and row["t_mem_s"]]
    assert checked
    for row in checked:
        parts = step(question_of(row), np.array(float(row["n_gpu"])), np.array(float(row["batch"])))
        for theirs, ours in names.items():
            expected = float(row[f"t_{theirs}_s"])
            assert float(getattr(parts, ours)) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        layout = (f"{int(parts.columns)}D", int(parts.stages))
        assert layout == (row["tp_mode"], int(row["pp"]))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("latency_s", value) for value in ("", "nan", "fast")),
        ("model", "llama9"),
        ("gpu", "H1000"),
        ("func", "finale"),
        ("kind", "pint"),
        ("feasible", "0"),
        ("feasible", ""),
        ("n_gpu", "-8"),
        ("batch", ""),
        ("ctx_tokens", ""),
        ("seq_len", ""),
        ("mfu", ""),
    ],
)
def test_broken_row_counts_as_wrong(rows: Rows, column: str, value: str) -> None:
    good = next(row for row in rows if row["kind"] == "point" and row["feasible"] == "1")
    broken = {**good, column: value}
    assert [row.error for row in compare([good, broken])] == [pytest.approx(0, abs=1e-9), WRONG]
    assert compare([broken])[0].reason


def test_listed_optimum_must_be_the_optimum(rows: Rows) -> None:
    fast = next(r for r in rows if r["kind"] == "int_opt" and r["constraint"] == "max_speed")
    cheap = next(
        r
        for r in rows
        if r["kind"] == "int_opt"
        and r["constraint"] == "min_cost"
        and (r["model"], r["gpu"], r["ctx_tokens"]) == (fast["model"], fast["gpu"], "0")
    )
    assert compare([{**cheap, "constraint": "max_speed"}])[0].error == WRONG


def test_small_difference_is_measured(rows: Rows) -> None:
    good = next(row for row in rows if row["kind"] == "point" and row["feasible"] == "1")
    shifted = {**good, "mfu": repr(float(good["mfu"]) * 1.01)}
    assert compare([shifted])[0].error == pytest.approx(0.0099, abs=1e-4)
    assert compare([shifted])[0].column == "mfu"
