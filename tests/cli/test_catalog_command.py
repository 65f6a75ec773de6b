import json

import pytest

from inferometer.cli.catalog import app
from inferometer.errors import CatalogError


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    app(words, result_action="return_value")
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", ["accelerators", "nodes", "formats", "engines", "grids", "prices"])
def test_every_kind_lists_as_json(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    rows = json.loads(run(capsys, "list", kind, "--format", "json"))
    assert len(rows) > 4
    assert all(row.keys() == rows[0].keys() for row in rows)


def test_units_leave_with_the_column(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["key"]: row for row in json.loads(run(capsys, "list", "--format", "json"))}
    assert rows["h100-sxm"]["memory_bandwidth_gb_per_s"] == 3350
    assert rows["h100-sxm"]["peak_bf16_tflop_per_s"] == 989.4


def test_each_fact_is_shown_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("show", "NVIDIA H100 SXM", "--at", "2026-11-01", "--format", "json")
    rows = json.loads(run(capsys, *words))
    facts = {(row["record"], row["field"]): row for row in rows}
    tdp = facts["accelerators/h100-sxm", "tdp"]
    assert (tdp["value"], tdp["unit"], tdp["as_of"]) == (700, "W", "2024-05-01")
    assert facts["nodes/h100-sxm", "accelerators"]["value"] == 8
    assert any(record.startswith("prices/h100-sxm/") for record, _ in facts)
    assert all(row["source"] for row in rows)


def test_unpriced_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unpriced" in run(capsys, "show", "RTX 3090")


def test_token_prices_are_shown_by_day(capsys: pytest.CaptureFixture[str]) -> None:
    table = run(capsys, "show", "gpt-4o", "--at", "2026-11-01")
    assert "tokens/openai/gpt-4o/batch" in table
    assert "USD/Mtok" in table


def test_an_unknown_name_is_an_error_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CatalogError, match=r"nearest: .*100"):
        run(capsys, "show", "h10000")
