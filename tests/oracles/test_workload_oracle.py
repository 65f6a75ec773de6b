"""Naive twins of the readers, the prefix cache and the burstiness."""

import csv
import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from inferometer.workload.formats.files import read
from inferometer.workload.shape import cached_fraction, shape_of


def test_azure_reader_agrees_with_a_naive_one(data: Path) -> None:
    path = data / "traces/azure_llm_2023_conv.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    times = [dt.datetime.fromisoformat(row["TIMESTAMP"]).timestamp() for row in rows]
    trace = read(path).trace
    np.testing.assert_allclose(trace.arrival, np.array(times) - times[0], atol=2e-6)
    assert trace.input_tokens.tolist() == [int(row["ContextTokens"]) for row in rows]
    assert trace.output_tokens.tolist() == [int(row["GeneratedTokens"]) for row in rows]


def test_prefix_reuse_agrees_with_a_cache_walked_request_by_request(data: Path) -> None:
    path = data / "traces/mooncake_fast25_conversation.jsonl"
    seen, served, asked = set[int](), 0, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        held = 0
        while held < len(row["hash_ids"]) and row["hash_ids"][held] in seen:
            held += 1
        seen.update(row["hash_ids"])
        served += min(held * 512, row["input_length"] - 1)
        asked += row["input_length"]
    assert cached_fraction(read(path).trace) == pytest.approx(served / asked, rel=1e-12)


@pytest.mark.parametrize("name", ["azure_llm_2023_conv.csv", "mooncake_fast25_conversation.jsonl"])
def test_shape_keeps_means_product_and_quantiles(data: Path, name: str) -> None:
    trace = read(data / "traces" / name).trace
    shape = shape_of(trace)
    inputs, outputs = trace.input_tokens.astype(float), trace.output_tokens.astype(float)
    assert shape.mean_input == pytest.approx(inputs.mean(), rel=1e-12)
    assert shape.mean_output == pytest.approx(outputs.mean(), rel=1e-12)
    context = (inputs * outputs + outputs**2 / 2).mean()
    assert (shape.inputs * shape.outputs + shape.outputs**2 / 2).mean() == pytest.approx(
        context, rel=2e-3
    )
    for points, values in ((shape.inputs, inputs), (shape.outputs, outputs)):
        for level, slack in ((0.5, 0.01), (0.9, 0.05), (0.99, 0.15)):
            wanted = np.quantile(values, level)
            assert np.quantile(points, level) == pytest.approx(wanted, rel=slack)
    assert shape.series.sum() * shape.bin_width == pytest.approx(len(trace))
