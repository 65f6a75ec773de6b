"""Observations that Langfuse exports, as JSON or CSV: generations become rows."""

from collections.abc import Iterator, Mapping
from typing import Any

from inferometer.errors import LedgerError
from inferometer.meter.importing.fields import (
    Record,
    inner,
    instant_ns,
    nanos,
    shared_amounts,
    text,
    tokens,
)
from inferometer.meter.record import CLASSES, Attempt

SIGNS = {"traceId", "startTime", "type"}
PRICE = "langfuse:cost"
MODEL_CALLS = {"GENERATION", "EMBEDDING"}
_USAGE: Mapping[str, tuple[str, ...]] = {  # their usage types are disjoint already
    "uncached_input": ("input", "input_tokens", "prompt_tokens"),
    "cache_read": (
        *("cache_read_input_tokens", "input_cached_tokens", "input_cache_read"),
        "prompt_tokens_details.cached_tokens",
    ),
    "cache_write_5m": ("cache_creation_input_tokens", "input_cache_creation"),
    "cache_write_1h": ("input_cache_creation_1h",),
    "output": ("output", "output_tokens", "completion_tokens"),
    "reasoning": ("output_reasoning_tokens", "output_reasoning"),
}


def attempts(record: Record) -> Iterator[Attempt]:
    """Yield the row of a generation; other observations are no model calls and yield nothing.

    Raises:
        LedgerError: a field is at fault.
    """
    if text(record, "type").upper() not in MODEL_CALLS:
        return
    identifier, started = text(record, "id"), instant_ns(record, "startTime", "start_time")
    if not identifier or started is None:
        raise LedgerError("id and startTime are wanted")
    ended = instant_ns(record, "endTime", "end_time")
    first = instant_ns(record, "completionStartTime", "completion_start_time")
    usage = inner(record, "usageDetails", "usage_details", "usage")
    cost = inner(record, "costDetails", "cost_details")
    counts: dict[str, Any] = {name: tokens(usage, *names) for name, names in _USAGE.items()}
    total = nanos(record, "totalCost", "calculatedTotalCost", "total_cost")
    total = nanos(cost, "total") if total is None else total
    yield Attempt(
        request=f"langfuse:{identifier}",
        attempt=1,
        started_ns=started,
        ended_ns=max(started, ended or started),
        tenant=text(record, "userId", "user_id", "projectId", "project_id") or "(none)",
        feature=text(record, "name"),
        session=text(record, "sessionId", "session_id"),
        run=text(record, "traceId"),
        model=text(record, "model", "providedModelName"),
        served=text(record, "internalModelName", "model", "providedModelName"),
        route=text(record, "type").lower(),
        outcome="failed" if text(record, "level") == "ERROR" else "ok",
        ttft_ns=None if first is None else max(0, first - started),
        basis="reported" if usage else "none",
        price="" if total is None else PRICE,
        source="langfuse",
        **counts,
        **shared_amounts(total, {name: counts[name] for name in CLASSES}),
    )
