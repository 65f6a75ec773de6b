"""OpenTelemetry GenAI spans in OTLP/JSON, with attribute names old and new."""

import math
from collections.abc import Iterator
from typing import Any

from inferometer.errors import LedgerError
from inferometer.meter.importing.fields import Record, nested, text, tokens
from inferometer.meter.record import Attempt

SIGNS = {"resourceSpans"}
_SYSTEMS = {"az.ai.openai": "azure", "aws.bedrock": "aws", "gcp.gemini": "google",
            "gcp.vertex_ai": "google", "gemini": "google", "vertex_ai": "google"}  # fmt: skip
"""Provider ids of the convention whose id in price lists differs."""
CALLS = {"chat", "text_completion", "embeddings", "generate_content", ""}
"""Operations that call a model; agents and tools are made of such calls and would count twice."""


def attempts(record: Record) -> Iterator[Attempt]:
    """Yield a row for each span of a document that is a call of a model.

    Raises:
        LedgerError: a span is at fault.
    """
    for resource in _list(record, "resourceSpans"):
        about = _attributes(_object(resource, "resource"))
        for scope in _list(resource, "scopeSpans"):
            for span in _list(scope, "spans"):
                facts = _attributes(span)
                if any(name.startswith("gen_ai.") for name in facts):
                    yield from _call(span, facts, about)


def _call(span: Record, facts: Record, about: Record) -> Iterator[Attempt]:
    operation = text(facts, "gen_ai.operation.name")
    if operation not in CALLS:
        return
    started, ended = _time(span, "startTimeUnixNano"), _time(span, "endTimeUnixNano")
    identifier = f"{text(span, 'traceId')}:{text(span, 'spanId')}"
    if identifier.startswith(":") or identifier.endswith(":"):
        raise LedgerError("traceId and spanId are wanted")
    provider = text(facts, "gen_ai.provider.name", "gen_ai.system")
    first = facts.get("gen_ai.response.time_to_first_chunk")
    counts = nested(
        tokens(facts, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        tokens(facts, "gen_ai.usage.cache_read.input_tokens"),
        tokens(
            facts,
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
        ),
        tokens(facts, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        tokens(facts, "gen_ai.usage.reasoning.output_tokens"),
    )
    if not any(name.startswith("gen_ai.usage.") for name in facts):
        counts["basis"] = "none"
    yield Attempt(
        request=f"otel:{identifier}",
        attempt=1,
        started_ns=started,
        ended_ns=max(started, ended),
        tenant=text(facts, "tenant", "user.id") or text(about, "service.name") or "(none)",
        feature=text(about, "service.name"),
        session=text(facts, "gen_ai.conversation.id"),
        run=text(facts, "gen_ai.agent.id"),
        model=text(facts, "gen_ai.request.model"),
        served=text(facts, "gen_ai.response.model", "gen_ai.request.model"),
        provider=_SYSTEMS.get(provider, provider),
        upstream=text(facts, "server.address"),
        route=operation,
        stream=bool(facts.get("gen_ai.request.stream")),
        outcome="failed" if text(facts, "error.type") else "ok",
        ttft_ns=round(first * 1e9) if isinstance(first, float) and first >= 0 else None,
        source="otel",
        **counts,
    )


def _object(record: Record, name: str) -> Record:
    value = record.get(name) or {}
    if not isinstance(value, dict):
        raise LedgerError(f"{name} is no object")
    return value


def _list(record: Record, name: str) -> list[Record]:
    value = record.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise LedgerError(f"{name} is no list of objects")
    return value


def _attributes(record: Record) -> dict[str, Any]:
    """Return attributes by key; OTLP writes 64-bit integers as text."""
    found: dict[str, Any] = {}
    for one in _list(record, "attributes"):
        value = one.get("value")
        if isinstance(value, dict) and len(value) == 1:
            ((kind, content),) = value.items()
            found[str(one.get("key"))] = _double(content) if kind == "doubleValue" else content
    return found


def _double(content: Any) -> float | None:
    """Return a double, which OTLP may write as text; None for what is not finite."""
    try:
        value = float(content)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _time(span: Record, name: str) -> int:
    value = text(span, name)
    if not value.isascii() or not value.isdecimal() or len(value) > 19:
        raise LedgerError(f"{name} is {value!r:.40}; nanoseconds are wanted")
    return int(value)
