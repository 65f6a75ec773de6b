"""Other tools' logs: every call once, disjoint tokens, amounts kept, faults by their place."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from meter_cases import stored

from inferometer.cli.app import run
from inferometer.meter.record import Attempt

LITELLM = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    "spend": 0.00042,
    "total_tokens": 150,
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "startTime": "2026-03-01T10:00:00.500Z",
    "endTime": "2026-03-01 10:00:02.500000",
    "completionStartTime": "2026-03-01T10:00:01Z",
    "model": "gpt-4o-2024-08-06",
    "model_group": "gpt-4o",
    "custom_llm_provider": "openai",
    "team_id": "search",
    "session_id": "s1",
    "agent_id": "run-7",
    "request_tags": ["rag"],
    "cache_hit": "False",
    "status": "success",
    "messages": "CANARY-PROMPT",
    "metadata": json.dumps({
        "usage_object": {
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 12},
        }
    }),
}  # fmt: skip
LANGFUSE = {
    "id": "obs-1",
    "traceId": "trace-1",
    "type": "GENERATION",
    "name": "answer",
    "startTime": "2026-03-01T10:00:00Z",
    "endTime": "2026-03-01T10:00:01Z",
    "model": "claude-sonnet-4-5",
    "userId": "search",
    "input": "CANARY-PROMPT",
    "usageDetails": {"input": 60, "cache_read_input_tokens": 40, "output": 38, "total": 138},
    "costDetails": {"total": "0.0011"},
}


def span(**attributes: Any) -> dict[str, Any]:
    kinds = {int: "intValue", str: "stringValue", float: "doubleValue"}
    listed = [
        {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
        for key, value in attributes.items()
    ]
    return {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "startTimeUnixNano": "1772359200000000000",
        "endTimeUnixNano": "1772359203000000000",
        "attributes": listed,
    }


CHAT = span(**{
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.reasoning.output_tokens": 12,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.input.messages": "CANARY-PROMPT",
})  # fmt: skip
AGENT = span(**{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 100})
OTHER = span(**{"http.method": "GET"})


def otel(*spans: dict[str, Any]) -> dict[str, Any]:
    numbered = [{**one, "spanId": f"{number:016x}"} for number, one in enumerate(spans, 1)]
    service = [{"key": "service.name", "value": {"stringValue": "search"}}]
    scope = {"scopeSpans": [{"spans": numbered}], "resource": {"attributes": service}}
    return {"resourceSpans": [scope]}


@pytest.fixture
def imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, str], tuple[dict[str, Any], list[Attempt]]]:
    def take(name: str, content: str) -> tuple[dict[str, Any], list[Attempt]]:
        raw = content.encode()
        (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        ledger = tmp_path / "ledger.db"
        assert run(("meter", "import", str(ledger), str(tmp_path / name), "--format", "json")) == 0
        (counts,) = json.loads(capsys.readouterr().out)["imported"]
        kept = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))
        assert b"CANARY" not in kept, "prompts are not stored"
        return counts, stored(ledger)

    return take


Imported = Callable[[str, str], tuple[dict[str, Any], list[Attempt]]]


def test_litellm_spend_logs(imported: Imported) -> None:
    counts, (row,) = imported("spend.jsonl", json.dumps(LITELLM) + "\n")
    assert (counts["rows"], counts["new"], counts["unpriced"]) == (1, 1, 0)
    assert row.tokens == (60, 40, 0, 0, 38, 12)
    assert row.nanos == 420_000
    assert (row.tenant, row.run, row.session, row.feature) == ("search", "run-7", "s1", "rag")
    assert (row.ttft_ns, row.ended_ns - row.started_ns) == (500_000_000, 2 * 10**9)
    assert row.key == "88dc28d0f030c55e"


@pytest.mark.parametrize(
    "name", ["spend.json", "spend.csv", "spend.json.gz", "spend.csv.gz", "document.json.gz"]
)
def test_litellm_in_other_shapes_is_the_same_row(imported: Imported, name: str) -> None:
    _, (lines,) = imported("spend.jsonl", json.dumps(LITELLM) + "\n")
    if name.startswith("document"):
        content = json.dumps(LITELLM, indent=1)
    elif "json" in name:
        content = json.dumps([LITELLM])
    else:
        names = [one for one in LITELLM if one != "request_tags"]
        cells = ['"' + str(LITELLM[one]).replace('"', '""') + '"' for one in names]
        content = ",".join(names) + "\n" + ",".join(cells) + "\n"
    counts, (again,) = imported(name, content)
    assert (counts["new"], counts["known"]) == (0, 1), "a second time changes nothing"
    assert again == lines


def test_an_answer_of_their_own_cache_used_nothing(imported: Imported) -> None:
    _, (row,) = imported("spend.json", json.dumps([{**LITELLM, "cache_hit": "True", "spend": 0}]))
    assert sum(row.tokens) == 0
    assert (row.flags, row.nanos) == ("response_cache", 0)


def test_langfuse_observations(imported: Imported) -> None:
    other = {**LANGFUSE, "id": "span", "type": "SPAN"}
    counts, (row,) = imported("observations.json", json.dumps([LANGFUSE, other]))
    assert counts["rows"] == 1
    assert row.tokens == (60, 40, 0, 0, 38, 0)
    assert row.nanos == 1_100_000
    assert row.run == "trace-1"


def test_otel_spans_are_priced_and_agents_do_not_count_twice(imported: Imported) -> None:
    counts, (row,) = imported("spans.jsonl", json.dumps(otel(CHAT, AGENT, OTHER)))
    assert counts["rows"] == 1
    assert row.tokens == (60, 40, 0, 0, 38, 12)
    assert row.price.startswith("openai/gpt-4o@")
    assert row.nanos == 60 * 2500 + 40 * 1250 + 50 * 10_000
    assert (row.tenant, row.ttft_ns) == ("search", 250_000_000)


def test_otel_old_names_and_unknown_models(imported: Imported) -> None:
    old = span(**{
        "gen_ai.system": "acme",
        "gen_ai.request.model": "m",
        "gen_ai.usage.prompt_tokens": 5,
        "gen_ai.usage.completion_tokens": 7,
    })  # fmt: skip
    counts, (row,) = imported("spans.json", json.dumps(otel(old), indent=1))
    assert (counts["unpriced"], row.nanos) == (1, None)
    assert (row.uncached_input, row.output) == (5, 7)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "empty"),
        ('{"a": 1}\n', "no known log"),
        ("[1]", "no JSON object"),
        ('{"resourceSpans": [', "damaged JSON"),
        ('{"resourceSpans": 3}', "resourceSpans"),
        (json.dumps({**LITELLM, "prompt_tokens": -1}), "prompt_tokens"),
        (json.dumps({**LITELLM, "prompt_tokens": 1.5}), "prompt_tokens"),
        (json.dumps({**LITELLM, "spend": "NaN"}), "spend"),
        (json.dumps({**LITELLM, "spend": -1}), "spend"),
        (json.dumps({**LITELLM, "spend": 1e40}), "spend"),
        (json.dumps({**LITELLM, "startTime": "yesterday"}), "startTime"),
        (json.dumps({**LITELLM, "request_id": ""}), "request_id"),
        (json.dumps(LITELLM) + '\n{"request_id', "damaged JSON"),
        (json.dumps(LITELLM) + "\n" + json.dumps({**LITELLM, "spend": "x"}), "record 2"),
    ],
)
def test_a_faulty_log_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, named: str
) -> None:
    (tmp_path / "log.jsonl").write_text(content)
    assert run(("meter", "import", str(tmp_path / "l.db"), str(tmp_path / "log.jsonl"))) == 2
    assert named in capsys.readouterr().err


def test_no_file_and_unknown_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("meter", "import", str(tmp_path / "l.db"), str(tmp_path / "none"))) == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "log").write_text(json.dumps(LITELLM))
    assert (
        run(("meter", "import", str(tmp_path / "l.db"), str(tmp_path / "log"), "--log", "x")) == 2
    )
    assert "litellm, langfuse, otel" in capsys.readouterr().err
