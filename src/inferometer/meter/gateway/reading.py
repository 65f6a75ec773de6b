"""A request's body: what is checked, what is dropped, what is forwarded.

Only the top level is read; messages, tools and schemas stay the bytes they are. The forwarded body
is written again from what was read, so that the model we price is the model that is served, also if
a caller gives a key twice. A field that steers the engine behind the operator's back is dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from inferometer.meter.config import Settings
from inferometer.meter.gateway.routes import Route
from inferometer.meter.prices import TIERS

Fields = dict[str, Raw]

DROPPED = frozenset(
    {
        "api_base",
        "api_key",
        "api_version",
        "base_url",
        "cache_salt",
        "chat_template",
        "chat_template_kwargs",
        "custom_host",
        "custom_llm_provider",
        "extra_body",
        "extra_headers",
        "mm_processor_kwargs",
        "priority",
        "usage",
    }
)
"""Would choose another host or key, a template, another tenant's cache or place in the queue."""

REFUSED: Mapping[str, str] = {
    "prompt_logprobs": "log-probabilities of the prompt can exhaust an engine's memory",
    "background": "an answer that is fetched later cannot be metered",
}
SERVICE_TIERS = frozenset({"auto", "default", "flex", "priority", "scale", "standard_only"})
MOST_STOPS = 16
LONGEST_STOPS = 16 << 10
MOST_LOGPROBS = 20
_BRACES_AN_ITEM = 50  # a tool's schema has tens of closing braces; more is no list of messages


@dataclass(frozen=True, slots=True)
class _Item:
    """An object of which nothing is kept: lists of them are only counted."""


_ENCODE = msgspec.json.Encoder().encode
_FIELDS = msgspec.json.Decoder(Fields)
_TEXT = msgspec.json.Decoder(str)
_FLAG = msgspec.json.Decoder(bool)
_WHOLE = msgspec.json.Decoder(int)
_ITEMS = msgspec.json.Decoder(list[_Item])
_TEXTS = msgspec.json.Decoder(list[str])
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_NULL = b"null"
_ASK_USAGE = Raw(b'{"include_usage":true}')


class RefusedError(Exception):
    """The body is refused; `field` is what it is about."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


class Call(NamedTuple):
    """One request as read.

    Attributes:
        route: Which API.
        model: Public name.
        stream: Whether events are wanted.
        wants_usage: Whether the caller asked for usage in its stream.
        max_output: Largest number of output tokens over all choices; None if not given.
        fields: What is forwarded, in order.
        size: Bytes of the body as sent.
        tier: Service tier that is asked for and has prices of its own; else "".
        choices: How many answers are generated.
    """

    route: Route
    model: str
    stream: bool
    wants_usage: bool
    max_output: int | None
    fields: Fields
    size: int
    tier: str = ""
    choices: int = 1

    def outputs(self, unlimited: int) -> int:
        """Return the most output tokens; a choice without a limit is taken as `unlimited`."""
        return self.max_output or unlimited * self.choices

    @property
    def hides_usage(self) -> bool:
        """Whether usage is asked for by us alone and must not reach the caller."""
        return self.stream and self.route.asks_usage and not self.wants_usage


def read(route: Route, body: bytes, settings: Settings) -> Call:
    """Return the request in a body.

    Raises:
        RefusedError: it is no JSON object, or a field is missing, wrong or not allowed.
    """
    fields = _parsed(body)
    for name in _WATCHED.intersection(fields):
        if name in DROPPED:
            del fields[name]
        elif _given(fields, name):
            _check(fields, name)
    for name, most in route.items.items():
        if name in fields:
            _check_items(fields[name], name, most)
    choices = _choices(fields, settings.max_choices)
    limit = _limit(route, fields, settings.max_output_tokens)
    return Call(
        route=route,
        model=_model(fields),
        stream=_streams(route, fields),
        wants_usage=_wants_usage(fields),
        max_output=None if limit is None else limit * choices,
        fields=fields,
        size=len(body),
        tier=_tier(fields),
        choices=choices,
    )


def forwarded(call: Call, model: bytes, *, ask_usage: bool, salt: bytes = b"") -> bytes:
    """Return the body to send: the upstream's own model name, usage asked for, a cache salt.

    Args:
        call: The request.
        model: The upstream's name of the model, as JSON.
        ask_usage: Whether the upstream knows `stream_options.include_usage`.
        salt: The tenant's salt of the prefix cache, as JSON; empty for none.
    """
    fields = {**call.fields, "model": Raw(model)}
    if call.hides_usage and ask_usage:
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    if salt:
        fields["cache_salt"] = Raw(salt)
    return _ENCODE(fields)


def _parsed(body: bytes) -> Fields:
    try:
        str(body, "utf-8")  # text inside skipped fields is not checked by the decoder
        return _FIELDS.decode(body)
    except UnicodeDecodeError:
        raise RefusedError("body", "not UTF-8") from None
    except RecursionError:
        raise RefusedError("body", "nested too deep") from None
    except msgspec.ValidationError:
        raise RefusedError("body", "a JSON object is wanted") from None
    except msgspec.DecodeError:
        raise RefusedError("body", "malformed JSON") from None


def _given(fields: Fields, name: str) -> bool:
    return name in fields and not _is(fields, name, _NULL)


def _is(fields: Fields, name: str, literal: bytes) -> bool:
    return bytes(fields[name]) == literal


def _decoded(decode: Callable[[Raw], Any], raw: Raw, name: str, wanted: str) -> Any:
    try:
        return decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise RefusedError(name, f"{wanted} is wanted") from None


def _model(fields: Fields) -> str:
    if "model" not in fields:
        raise RefusedError("model", "missing")
    name: str = _decoded(_TEXT.decode, fields["model"], "model", "text")
    if not 0 < len(name) <= 256 or not name.isprintable():
        raise RefusedError("model", "no model has this name")
    return name


def _streams(route: Route, fields: Fields) -> bool:
    if not _given(fields, "stream"):
        return False
    stream: bool = _decoded(_FLAG.decode, fields["stream"], "stream", "true or false")
    if stream and not route.streams:
        raise RefusedError("stream", "this route has no streams")
    return stream


def _wants_usage(fields: Fields) -> bool:
    if not _given(fields, "stream_options"):
        return False
    options = _decoded(_OBJECT.decode, fields["stream_options"], "stream_options", "an object")
    fields["stream_options"] = Raw(_ENCODE(options))  # keys given twice are one now
    return options.get("include_usage") is True


def _with_usage(options: Raw | None) -> Raw:
    if options is None or bytes(options) == _NULL:
        return _ASK_USAGE
    return Raw(_ENCODE({**_OBJECT.decode(options), "include_usage": True}))


def _whole(raw: Raw, name: str, low: int, high: int) -> int:
    value: int = _decoded(_WHOLE.decode, raw, name, f"a whole number from {low} to {high}")
    if not low <= value <= high:
        raise RefusedError(name, f"a whole number from {low} to {high} is wanted")
    return value


def _choices(fields: Fields, most: int) -> int:
    """Return how many answers are generated: `best_of` counts if it is more than `n`."""
    if "n" not in fields and "best_of" not in fields:
        return 1
    given = [_whole(fields[x], x, 1, most) for x in ("n", "best_of") if _given(fields, x)]
    return max(given, default=1)


def _limit(route: Route, fields: Fields, most: int) -> int | None:
    given = [x for x in route.limit_fields if _given(fields, x)]
    values = [_whole(fields[name], name, 1, most) for name in given]
    if len(set(values)) > 1:
        raise RefusedError(given[0], f"contradicts {given[1]}")
    return values[0] if values else None


def _tier(fields: Fields) -> str:
    if not _given(fields, "service_tier"):
        return ""
    asked: str = _TEXT.decode(fields["service_tier"])
    return asked if asked in TIERS else ""


def _check_items(raw: Raw, name: str, most: int) -> None:
    """Refuse a list of more than `most` objects; decoded only if there can be so many."""
    objects = bytes(raw).count(b"}")
    if objects <= most:
        return
    if objects > _BRACES_AN_ITEM * most or len(_decoded(_ITEMS.decode, raw, name, "a list")) > most:
        raise RefusedError(name, f"more than {most} entries")


def _check_stop(raw: Raw, name: str) -> None:
    if len(bytes(raw)) > LONGEST_STOPS:
        raise RefusedError(name, f"more than {LONGEST_STOPS} bytes")
    if bytes(raw).startswith(b"["):
        entries = _decoded(_TEXTS.decode, raw, name, "a list of text")
        if len(entries) > MOST_STOPS:
            raise RefusedError(name, f"more than {MOST_STOPS} entries")


def _check_logprobs(raw: Raw, name: str) -> None:
    if bytes(raw) not in {b"true", b"false"}:
        _whole(raw, name, 0, MOST_LOGPROBS)


def _check_tier(raw: Raw, name: str) -> None:
    if _decoded(_TEXT.decode, raw, name, "text") not in SERVICE_TIERS:
        raise RefusedError(name, f"one of {', '.join(sorted(SERVICE_TIERS))} is wanted")


def _check(fields: Fields, name: str) -> None:
    if name in REFUSED and not _is(fields, name, b"false"):
        raise RefusedError(name, f"not accepted: {REFUSED[name]}")
    if name in _CHECKS:
        _CHECKS[name](fields[name], name)


_CHECKS: Mapping[str, Callable[[Raw, str], None]] = {
    "stop": _check_stop,
    "stop_sequences": _check_stop,
    "logprobs": _check_logprobs,
    "top_logprobs": _check_logprobs,
    "service_tier": _check_tier,
}
_WATCHED = frozenset({*DROPPED, *REFUSED, *_CHECKS})
