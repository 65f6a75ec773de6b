"""Cells that are no counts: refused by row and column, whatever the others hold."""

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.calibrate.finding import finder
from inferometer.calibrate.measurement import Observation, Refusal, Row
from inferometer.calibrate.observation import observe
from inferometer.calibrate.stated import AMOUNTS, RANKS
from inferometer.calibrate.tables import read_table
from inferometer.calibrate.verdict import judge
from inferometer.catalog.efficiency import efficiencies

AGGREGATED = {
    "row_id": "r", "source": "lab", "model": "llama-3.1-8b", "gpu": "H100-SXM", "num_gpus": "1",
    "tp": "1", "pp": "1", "ep": "", "dp": "", "prefill_cfg": "", "decode_cfg": "",
    "precision": "fp8", "engine": "vllm", "load_type": "concurrency", "isl": "1024", "osl": "256",
    "concurrency_or_rate": "16", "num_requests": "160", "note": "", "tokens_per_s": "1500",
    "ttft_ms_p50": "80", "tpot_ms_p50": "9",
}  # fmt: skip
POOLS = {
    **AGGREGATED, "model": "deepseek-r1", "gpu": "B200", "num_gpus": "16",
    "prefill_cfg": '{"tp_size": "4", "num_workers": "1"}',
    "decode_cfg": '{"attention_dp_size": "8", "moe_ep_size": "8", "num_workers": "1"}',
}  # fmt: skip
ENERGY = {
    "row_id": "e", "source": "lab", "task": "gpqa", "model": "qwen3-8b", "gpu": "B200",
    "num_gpus": "1", "tp": "1", "ep": "1", "dp": "1", "precision": "bfloat16",
    "max_num_seqs": "8", "avg_batch_size": "7.9", "avg_input_len": "", "avg_output_len": "700",
    "tokens_per_s": "900", "itl_ms_p50": "8", "avg_power_w": "300",
}  # fmt: skip
STEP = {
    "source": "lab", "run": "one", "model": "qwen3-8b", "gpu": "B300", "tp": "1",
    "prefill_tokens": "0", "prefill_requests": "0", "prefill_kv_tokens": "0",
    "decode_requests": "8", "decode_kv_tokens": "8000", "latency_ms": "5.5",
}  # fmt: skip
HOSTILE = (
    *("-5", "-0.5", "nan", "inf", "1e30", "1e400", "abc", "3.7", "0x10", "None", "True", "8 GPUs"),
    *("0", "", " 7 ", "1e8", "65536", "99999999", "٣", "1_000"),
)


def table(folder: Path, *rows: dict[str, str]) -> Path:
    text = io.StringIO(newline="")
    out = csv.DictWriter(text, list(rows[0]))
    out.writeheader()
    out.writerows(rows)
    path = folder / "rows.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


def seen(rows: list[Row]) -> tuple[list[Observation], list[Refusal]]:
    return observe(rows, finder())


@pytest.mark.parametrize("column", ["num_gpus", "tp", "pp", "ep", "dp"])
@pytest.mark.parametrize("text", ["-1", "2.5", "nan", "inf", "1e30", "two"])
def test_a_count_of_ranks_that_is_none_is_refused(tmp_path: Path, column: str, text: str) -> None:
    rows = read_table(table(tmp_path, AGGREGATED | {column: text}, AGGREGATED))
    observations, refusals = seen(rows)
    assert [one.row for one in observations] == [rows[1]]  # the neighbour is read
    assert refusals[0].reason.startswith(f"r: {column} {text!r} is no ")


@pytest.mark.parametrize("column", ["isl", "osl", "num_requests", "concurrency_or_rate"])
@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e30", "many"])
def test_an_amount_that_is_none_is_refused(tmp_path: Path, column: str, text: str) -> None:
    _, refusals = seen(read_table(table(tmp_path, AGGREGATED | {column: text})))
    assert f"{column} {text!r}" in refusals[0].reason
    assert "leave it blank" in refusals[0].reason


def test_an_infinite_rate_is_all_requests_at_once_but_no_number_of_clients(tmp_path: Path) -> None:
    endless = AGGREGATED | {"concurrency_or_rate": "inf"}
    observations, refusals = seen(
        read_table(table(tmp_path, endless | {"load_type": "rate"}, endless))
    )
    assert math.isinf(observations[0].load.rate)
    assert len(refusals) == 1


def test_a_kind_of_load_that_is_not_known_is_named(tmp_path: Path) -> None:
    _, refusals = seen(read_table(table(tmp_path, AGGREGATED | {"load_type": "sessions"})))
    assert "load_type 'sessions' is none of concurrency, rate" in refusals[0].reason


@pytest.mark.parametrize("text", ['{"tp_size": "-4"}', '{"num_workers": 1e9}', "[1]", "{", "x"])
def test_pools_of_no_counts_are_refused(tmp_path: Path, text: str) -> None:
    _, refusals = seen(read_table(table(tmp_path, POOLS | {"decode_cfg": text})))
    assert "decode_cfg" in refusals[0].reason


@pytest.mark.parametrize("text", ["abc", "nan", "-inf", "1e400", "12 ms"])
def test_a_measured_cell_that_is_no_number_is_a_row_without_a_prediction(
    tmp_path: Path, text: str
) -> None:
    rows = read_table(table(tmp_path, AGGREGATED | {"ttft_ms_p50": text}))
    found = {v.metric: v for v in judge(rows, finder(), efficiencies(), {}, lambda _: "known")}
    assert sorted(found) == ["tokens_per_s", "tpot_ms_p50", "ttft_ms_p50"]
    assert f"{text!r} is no finite number" in found["ttft_ms_p50"].reason
    assert math.isnan(found["ttft_ms_p50"].predicted)
    assert found["tpot_ms_p50"].predicted > 0


def test_drafts_of_a_table_are_counts_and_a_chance(tmp_path: Path) -> None:
    drafts = AGGREGATED | {"draft_tokens": "3", "acceptance": "0.5"}
    rows = read_table(table(
        tmp_path, drafts, drafts | {"draft_tokens": "x"}, drafts | {"acceptance": ""},
        drafts | {"acceptance": "1.5"},
    ))  # fmt: skip
    observations, refusals = seen(rows)
    assert (len(observations), len(refusals)) == (1, 3)


@settings(max_examples=60)
@given(data=st.data())
def test_no_cell_breaks_a_file_and_every_measured_one_has_a_verdict(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    base = data.draw(st.sampled_from([AGGREGATED, POOLS, ENERGY, STEP]))
    names = [name for name in (*RANKS, *AMOUNTS, "note", "load_type") if name in base]
    columns = st.dictionaries(st.sampled_from(names), st.sampled_from(HOSTILE), max_size=3)
    cells = base | data.draw(columns)
    rows = read_table(table(tmp_path_factory.mktemp("rows"), cells, base))
    found = judge(rows, finder(), efficiencies(), {}, lambda _: "known")
    measured = [name for name in ("tokens_per_s", "ttft_ms_p50", "tpot_ms_p50", "itl_ms_p50",
                                  "avg_power_w", "latency_ms") if name in base]  # fmt: skip
    assert sorted(v.metric for v in found if v.row is rows[0]) == sorted(measured)
    for verdict in found:
        assert verdict.reason or (math.isfinite(verdict.predicted) and verdict.predicted > 0)
    assert all(not v.reason for v in found if v.row is rows[1])
