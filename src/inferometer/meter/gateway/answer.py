"""What an upstream's answer says about itself: usage, served model, timings, an error.

Everything is read once, when the answer is whole; what is missing is estimated and flagged.
"""

import re
from typing import Any, NamedTuple

import msgspec

from inferometer.meter import usage
from inferometer.meter.gateway.routes import Route
from inferometer.meter.gateway.tap import Tap, json_of
from inferometer.meter.prices import TIERS
from inferometer.meter.usage import Usage

LARGEST_WHOLE = 1 << 20
"""A longer answer that is no stream is passed on as it comes; only its ends are kept."""
_NS = 1_000_000
_REPORT = re.compile(rb'"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')


class _Inner(msgspec.Struct, frozen=True, gc=False):  # decoded in an eighth of a dataclass's time
    usage: Any = None
    model: Any = None
    service_tier: Any = None


class _Report(msgspec.Struct, frozen=True, gc=False):
    """The few fields of an answer or event that are read; the rest is skipped, not built."""

    usage: Any = None
    model: Any = None
    timings: Any = None
    error: Any = None
    type: Any = None
    service_tier: Any = None
    response: _Inner | None = None
    message: _Inner | None = None


_DECODE = msgspec.json.Decoder(_Report).decode
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NOTHING = _Report()


class Account(NamedTuple):
    """What an answer used.

    Attributes:
        usage: Token counts and how they are known.
        model: Model that answered, as the upstream names it; "" if it does not say.
        prefill_ns: Time of the prompt as the engine reports it, or None.
        decode_ns: Time of generation, likewise.
        failed: Whether the answer is an error in spite of its status.
        tier: Service tier that has prices of its own and is said to have served; else "".
    """

    usage: Usage
    model: str = ""
    prefill_ns: int | None = None
    decode_ns: int | None = None
    failed: bool = False
    tier: str = ""


def of_stream(route: Route, tap: Tap, request_bytes: int, *, whole: bool) -> Account:
    """Return the account of a stream; `whole` says whether it came to its end."""
    tap.settle()
    first, last = _report(json_of(tap.first)), _report(json_of(tap.last))
    fields = usage.merged(_fields(first), _fields(last))
    found = usage.read(route.family, fields)
    if found is None:
        found = usage.estimated(request_bytes, tap.events, 0)
    elif not whole:
        found = _cut_short(found, tap.events)
    found = usage.prompted(found, fields, request_bytes)
    account = _account(
        last, found, failed=_ends_in_error(tap.tail), model=_model(last) or _model(first)
    )
    return account if account.tier else account._replace(tier=_tier(first))


def of_json(route: Route, body: bytes, request_bytes: int, size: int) -> Account:
    """Return the account of an answer that is no stream, or of its ends if it was too long."""
    report = _report(body)
    fields: object = _fields(report)
    found = usage.read(route.family, fields)
    if found is None and size > len(body) and (reports := _REPORT.findall(body)):
        fields = _loose(reports[-1])
        found = usage.read(route.family, fields)
    if found is None:
        answer = 0 if route.name == "embeddings" else size
        found = usage.estimated(request_bytes, 0, answer)
    found = usage.prompted(found, fields, request_bytes)
    return _account(report, found, failed=report.error is not None, model=_model(report))


def _cut_short(found: Usage, events: int) -> Usage:
    """Return a cumulative report, raised to the events that were seen if it is older than they."""
    meters = found.meters
    output = max(meters.output, events - meters.reasoning)
    return Usage(meters._replace(output=output), "cumulative")


def _report(text: bytes) -> _Report:
    if not text:
        return _NOTHING
    try:
        return _DECODE(text)
    except _NO_JSON:
        return _NOTHING


def _loose(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except _NO_JSON:
        return None


def _fields(report: _Report) -> dict[str, Any] | None:
    for holder in (report, report.response, report.message):
        if holder is not None and isinstance(holder.usage, dict):
            return holder.usage
    return None


def _model(report: _Report) -> str:
    for holder in (report, report.response, report.message):
        if holder is not None and isinstance(holder.model, str) and holder.model.isprintable():
            return holder.model[:256]
    return ""


def _account(report: _Report, found: Usage, *, failed: bool, model: str) -> Account:
    timings = report.timings if isinstance(report.timings, dict) else {}
    prefill, decode = timings.get("prompt_ms"), timings.get("predicted_ms")
    return Account(found, model, _nanoseconds(prefill), _nanoseconds(decode), failed, _tier(report))


def _tier(report: _Report) -> str:
    """Return the tier: beside the usage, or inside it as Anthropic has it."""
    usage_of = _fields(report)
    said = [report.service_tier]
    if report.response is not None:
        said.append(report.response.service_tier)
    if usage_of is not None:
        said.append(usage_of.get("service_tier"))
    for tier in said:
        if isinstance(tier, str) and tier in TIERS:
            return tier
    return ""


def _nanoseconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
        return None
    return round(value * _NS)


def _ends_in_error(tail: bytes) -> bool:
    """Return whether the last events hold an error object."""
    if b'"error"' not in tail:
        return False
    lines = [line for line in tail.splitlines() if line.startswith(b"data:")]
    return any(_report(json_of(line)).error is not None for line in lines)
