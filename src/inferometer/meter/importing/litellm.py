"""Rows of LiteLLM's table `LiteLLM_SpendLogs`, exported as JSON or CSV."""

from collections.abc import Iterator
from typing import Any

from inferometer.errors import LedgerError
from inferometer.meter.importing.fields import (
    Record,
    inner,
    instant_ns,
    nanos,
    nested,
    shared_amounts,
    text,
    tokens,
)
from inferometer.meter.record import CLASSES, Attempt

SIGNS = {"request_id", "spend", "startTime"}
PRICE = "litellm:spend"


def attempts(record: Record) -> Iterator[Attempt]:
    """Yield the row of a spend log; its own `spend` is kept, so that history keeps its price.

    Cached and reasoning tokens are in the metadata, where the table has no columns for them. An
    answer from LiteLLM's own cache used no tokens upstream.

    Raises:
        LedgerError: a field is at fault.
    """
    identifier = text(record, "request_id")
    started = instant_ns(record, "startTime")
    if not identifier or started is None:
        raise LedgerError("request_id and startTime are wanted")
    ended, first = instant_ns(record, "endTime"), instant_ns(record, "completionStartTime")
    metadata = inner(record, "metadata")
    cached = text(record, "cache_hit").lower() == "true"
    counts: dict[str, Any] = {} if cached else _counts(record, metadata)
    spend = nanos(record, "spend")
    tags = record.get("request_tags")
    streamed = first is not None and started <= first and first != ended
    yield Attempt(
        request=f"litellm:{identifier}",
        attempt=1,
        started_ns=started,
        ended_ns=max(started, ended or started),
        tenant=text(record, "team_id", "organization_id", "user") or "(none)",
        key=text(record, "api_key")[:16],
        feature=",".join(map(str, tags))[:256] if isinstance(tags, list) else "",
        session=text(record, "session_id"),
        run=text(record, "agent_id"),
        model=text(record, "model_group", "model"),
        served=text(record, "model"),
        provider=text(record, "custom_llm_provider"),
        upstream=text(record, "api_base", "model_id"),
        route=text(record, "call_type"),
        outcome="failed" if text(record, "status").lower() == "failure" else "ok",
        ttft_ns=first - started if streamed and first is not None else None,
        price="" if spend is None else PRICE,
        flags="response_cache" if cached else "",
        source="litellm",
        **counts,
        **shared_amounts(spend, {name: counts.get(name, 0) for name in CLASSES}),
    )


def _counts(record: Record, metadata: Record) -> dict[str, Any]:
    usage = inner(metadata, "usage_object")
    within, without = (
        inner(usage, "prompt_tokens_details"),
        inner(usage, "completion_tokens_details"),
    )
    return nested(
        tokens(record, "prompt_tokens"),
        tokens(usage, "cache_read_input_tokens") or tokens(within, "cached_tokens"),
        tokens(usage, "cache_creation_input_tokens") or tokens(within, "cache_creation_tokens"),
        tokens(record, "completion_tokens"),
        tokens(without, "reasoning_tokens"),
    )
