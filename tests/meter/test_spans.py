"""Rows as OpenTelemetry: read back by the importer they are the same rows."""

import http.server
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from meter_cases import attempt, attempts

from inferometer.cli.app import run
from inferometer.meter.importing.otel import attempts as imported
from inferometer.meter.record import Attempt
from inferometer.meter.spans import (
    BATCH,
    SECOND_BOUNDS,
    metrics_document,
    trace_documents,
)
from inferometer.meter.store.sqlite import SqliteLedger

ROWS = [row._replace(route="chat") for row in attempts(700)]
Open = Callable[[Path], SqliteLedger]


def test_a_round_trip_through_the_importer() -> None:
    documents = list(trace_documents(ROWS))
    assert len(documents) == -(-len(ROWS) // BATCH)
    found = [row for document in documents for row in imported(document)]
    assert len({row.request for row in found}) == len(ROWS)
    kept = ("started_ns", "ended_ns", "tenant", "session", "run", "model", "served", "provider",
            "upstream", "stream", "ttft_ns", *Attempt._fields[23:29])  # fmt: skip
    for before, after in zip(ROWS, found, strict=True):
        assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
        assert (after.outcome == "ok") == (before.outcome == "ok")


def test_a_second_export_gives_the_same_spans_and_attempts_differ() -> None:
    rows = [attempt(1), attempt(1, attempt=2)]
    first, second = list(trace_documents(rows)), list(trace_documents(rows))
    assert first == second
    one, other = first[0]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert one["traceId"] == other["traceId"]
    assert one["spanId"] != other["spanId"]
    assert (len(one["traceId"]), len(one["spanId"])) == (32, 16)


def points(document: Any, name: str) -> list[Any]:
    (scoped,) = document["resourceMetrics"][0]["scopeMetrics"]
    (metric,) = [metric for metric in scoped["metrics"] if metric["name"] == name]
    found: list[Any] = metric["histogram"]["dataPoints"]
    return found


def labels(point: Any) -> dict[str, str]:
    return {one["key"]: one["value"]["stringValue"] for one in point["attributes"]}


def test_metrics_count_every_row_and_token_once() -> None:
    document = metrics_document(ROWS)
    durations = points(document, "gen_ai.client.operation.duration")
    assert sum(int(point["count"]) for point in durations) == len(ROWS)
    assert sum(point["sum"] for point in durations) == pytest.approx(2.0 * len(ROWS))
    for point in durations:
        assert sum(map(int, point["bucketCounts"])) == int(point["count"])
        assert len(point["bucketCounts"]) == len(SECOND_BOUNDS) + 1
    tokens = {"input": 0.0, "output": 0.0}
    for point in points(document, "gen_ai.client.token.usage"):
        tokens[labels(point)["gen_ai.token.type"]] += point["sum"]
    assert tokens["output"] == sum(row.output + row.reasoning for row in ROWS)
    assert tokens["input"] == sum(row.uncached_input + row.cache_read for row in ROWS)
    failed = [point for point in durations if "error.type" in labels(point)]
    assert sum(int(point["count"]) for point in failed) == sum(row.outcome != "ok" for row in ROWS)


def test_command_writes_lines_or_to_a_collector(
    opened: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = str(tmp_path / "l.db")
    opened(tmp_path / "l.db").append(ROWS)
    assert run(["meter", "spans", ledger]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [*map(list, lines)] == [["resourceSpans"], ["resourceSpans"], ["resourceMetrics"]]
    taken: list[tuple[str, Any]] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        assert run(["meter", "spans", ledger, "--endpoint", endpoint]) == 0
        server.shutdown()
        thread.join()
    assert [path for path, _ in taken] == ["/v1/traces", "/v1/traces", "/v1/metrics"]
    assert [document for _, document in taken] == lines
    assert run(["meter", "spans", ledger, "--endpoint", endpoint]) == 2
    assert "not taken" in capsys.readouterr().err
    assert run(["meter", "spans", ledger, "--endpoint", "file:///tmp/x"]) == 2
