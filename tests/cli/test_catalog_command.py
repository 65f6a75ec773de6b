import json
from pathlib import Path

import pytest

from inferometer.cli.catalog import app
from inferometer.errors import CatalogError


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    app(words, result_action="return_value")
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "kind", ["accelerators", "models", "nodes", "formats", "engines", "grids", "prices"]
)
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


def test_models_come_with_what_they_count(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {
        row["key"]: row for row in json.loads(run(capsys, "list", "models", "--format", "json"))
    }
    mixtral = rows["mixtral-8x7b"]
    assert mixtral["parameters_total"] == 46_702_792_704
    assert mixtral["kv_bytes_per_token_bf16"] == 32 * 2 * 8 * 128 * 2
    assert mixtral["checkpoints"][0] == "mistralai/Mixtral-8x7B-v0.1"
    shown = json.loads(run(capsys, "show", "Mixtral 8x7B", "--format", "json"))
    facts = {row["field"]: row for row in shown if row["record"] == "models/mixtral-8x7b"}
    assert facts["parameters_active"]["value"] == 12_879_925_248
    assert facts["layers"]["value"][0]["feed_forward"]["experts"] == 8
    assert all(row["source"] and row["as_of"] for row in facts.values())


def test_a_file_of_the_user_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "vocab_size": 100,
        "max_position_embeddings": 512,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    facts = {
        f["field"]: f for f in json.loads(run(capsys, "show", str(tmp_path), "--format", "json"))
    }
    assert facts["kv_bytes_per_token_bf16"]["value"] == 2 * 2 * 64 * 2
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": 0}))
    with pytest.raises(CatalogError, match="vocab_size"):
        run(capsys, "show", str(tmp_path))


def test_unpriced_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unpriced" in run(capsys, "show", "RTX 3090")


def test_token_prices_are_shown_by_day(capsys: pytest.CaptureFixture[str]) -> None:
    table = run(capsys, "show", "gpt-4o", "--at", "2026-11-01")
    assert "tokens/openai/gpt-4o/batch" in table
    assert "USD/Mtok" in table


def test_an_unknown_name_is_an_error_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CatalogError, match=r"nearest: .*100"):
        run(capsys, "show", "h10000")
