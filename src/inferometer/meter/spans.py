"""The ledger as OpenTelemetry: a GenAI span per attempt and the two client metrics, OTLP/JSON.

Names are those of the GenAI semantic conventions; what they have no name for is under
`inferometer.`. Ids of traces and spans are hashes of the row's id, so that a second export gives
the same spans. No prompt and no completion is in it, as none is in the ledger.
"""

import hashlib
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice, starmap
from operator import attrgetter
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt
from inferometer.meter.rollup import NS
from inferometer.meter.store.opening import Database, months
from inferometer.meter.store.statements import ATTEMPTS

Json = dict[str, Any]
BATCH = 512
"""Spans of one document: the default of the OpenTelemetry batch processor."""
TIMEOUT_S = 10.0
OPERATIONS = {"completions": "text_completion", "embeddings": "embeddings"}
"""Operations of the convention by route; all others are `chat`."""
TOKEN_BOUNDS = tuple(4**power for power in range(14))
SECOND_BOUNDS = tuple(0.01 * 2**power for power in range(14))
"""Bounds that the GenAI conventions advise for `gen_ai.client.token.usage` and
`gen_ai.client.operation.duration`."""
_SCOPE = {"name": "inferometer"}
_RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "inferometer"}}]}


def rows(database: Database, since_ns: int, until_ns: int) -> Iterator[Attempt]:
    """Yield the attempts that began in a span of time, in its order; at one instant by request.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not months(database):
        return
    try:
        found = database.execute(f"{ATTEMPTS} ORDER BY started_ns", (since_ns, until_ns))
        for _, at_once in groupby(starmap(Attempt, found), attrgetter("started_ns")):
            yield from sorted(at_once, key=attrgetter("request", "attempt"))
    except sqlite3.Error as error:
        raise LedgerError(f"rows cannot be read: {error}") from None


def trace_documents(attempts: Iterable[Attempt]) -> Iterator[Json]:
    """Yield OTLP documents (`ExportTraceServiceRequest`) of at most `BATCH` spans."""
    rest = iter(attempts)
    while batch := [span(row) for row in islice(rest, BATCH)]:
        scoped = {"scope": _SCOPE, "spans": batch}
        yield {"resourceSpans": [{"resource": _RESOURCE, "scopeSpans": [scoped]}]}


def span(row: Attempt) -> Json:
    """Return one attempt as a client span."""
    found: Json = {
        "traceId": _hash(row.request, 16),
        "spanId": _hash(f"{row.request}#{row.attempt}", 8),
        "name": f"{_operation(row)} {row.model}",
        "kind": 3,
        "startTimeUnixNano": str(row.started_ns),
        "endTimeUnixNano": str(row.ended_ns),
        "attributes": _attributes({**_what(row), **_facts(row)}),
        "status": {"code": 2 if row.outcome != "ok" else 1},
    }
    return found


def _hash(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


def _operation(row: Attempt) -> str:
    return OPERATIONS.get(row.route, "chat")


def _what(row: Attempt) -> Json:
    """Return the attributes that spans and metrics share."""
    return {
        "gen_ai.operation.name": _operation(row),
        "gen_ai.provider.name": row.provider,
        "gen_ai.request.model": row.model,
        "gen_ai.response.model": row.served,
        "error.type": "" if row.outcome == "ok" else row.outcome,
    }


def _facts(row: Attempt) -> Json:
    written = row.cache_write_5m + row.cache_write_1h
    known: Json = {
        "gen_ai.usage.input_tokens": row.uncached_input + row.cache_read + written,
        "gen_ai.usage.cache_read.input_tokens": row.cache_read,
        "gen_ai.usage.cache_creation.input_tokens": written,
        "gen_ai.usage.output_tokens": row.output + row.reasoning,
        "gen_ai.usage.reasoning.output_tokens": row.reasoning,
    }
    return {
        **(known if row.basis != "none" else {}),
        "gen_ai.conversation.id": row.session,
        "gen_ai.agent.id": row.run,
        "gen_ai.request.stream": row.stream,
        "gen_ai.response.time_to_first_chunk": None if row.ttft_ns is None else row.ttft_ns / NS,
        "server.address": row.upstream,
        "tenant": row.tenant,
        "inferometer.request": row.request,
        "inferometer.attempt": row.attempt,
        "inferometer.key": row.key,
        "inferometer.feature": row.feature,
        "inferometer.basis": row.basis,
        "inferometer.cost.nanodollars": row.nanos,
    }


def _attributes(facts: Mapping[str, Any]) -> list[Json]:
    """Return attributes as OTLP writes them; what is not known is left out."""
    found = [(key, value) for key, value in facts.items() if value is not None and value != ""]
    return [{"key": key, "value": _value(value)} for key, value in found]


def _value(value: Any) -> Json:
    if isinstance(value, (bool, float)):
        return {"boolValue" if isinstance(value, bool) else "doubleValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


class _Series(NamedTuple):
    """One histogram: what it is about, as attributes, and what was seen."""

    name: str
    about: tuple[tuple[str, str], ...]


def metrics_document(attempts: Iterable[Attempt]) -> Json:
    """Return both client metrics over some rows as one OTLP document, delta temporality."""
    seen: defaultdict[_Series, list[float]] = defaultdict(list)
    times: list[int] = []
    for row in attempts:
        about = tuple((key, value) for key, value in _what(row).items() if value)
        times += (row.started_ns, row.ended_ns)
        took = (row.ended_ns - row.started_ns) / NS
        seen[_Series("gen_ai.client.operation.duration", about)].append(took)
        if row.basis == "none":
            continue
        facts = _facts(row)
        for kind in ("input", "output"):
            series = _Series("gen_ai.client.token.usage", (*about, ("gen_ai.token.type", kind)))
            seen[series].append(facts[f"gen_ai.usage.{kind}_tokens"])
    span_ns = (str(min(times, default=0)), str(max(times, default=0)))
    metrics = [
        _metric("gen_ai.client.operation.duration", "s", SECOND_BOUNDS, seen, span_ns),
        _metric("gen_ai.client.token.usage", "{token}", TOKEN_BOUNDS, seen, span_ns),
    ]
    scoped = {"scope": _SCOPE, "metrics": metrics}
    return {"resourceMetrics": [{"resource": _RESOURCE, "scopeMetrics": [scoped]}]}


def _metric(
    name: str,
    unit: str,
    bounds: tuple[float, ...],
    seen: Mapping[_Series, list[float]],
    span_ns: tuple[str, str],
) -> Json:
    points = []
    for series, values in seen.items():
        if series.name != name:
            continue
        counts = [0] * (len(bounds) + 1)
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        points.append(
            {
                "attributes": _attributes(dict(series.about)),
                "startTimeUnixNano": span_ns[0],
                "timeUnixNano": span_ns[1],
                "count": str(len(values)),
                "sum": float(sum(values)),
                "bucketCounts": list(map(str, counts)),
                "explicitBounds": list(bounds),
            }
        )
    histogram = {"aggregationTemporality": 1, "dataPoints": points}
    return {"name": name, "unit": unit, "histogram": histogram}


def post(endpoint: str, path: str, document: Json) -> None:
    """Send a document to an OTLP/HTTP collector, as `/v1/traces` or `/v1/metrics`.

    Raises:
        LedgerError: no http(s) address, or the collector did not take it.
    """
    if urlsplit(endpoint).scheme not in {"http", "https"}:
        raise LedgerError(f"{endpoint!r:.80}: http:// or https:// is wanted")
    url = endpoint.rstrip("/") + path
    request = Request(  # noqa: S310 - the scheme is checked
        url, msgspec.json.encode(document), {"content-type": "application/json"}
    )
    try:
        with urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return
    except (URLError, OSError, ValueError) as error:
        raise LedgerError(f"{url}: not taken: {error}") from None
