"""Bad JSON (J rows): refused by name, or forwarded as what was read."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.meter.config import Settings
from inferometer.meter.gateway import routes
from inferometer.meter.gateway.reading import Call, RefusedError, forwarded, read

SETTINGS = Settings(secret="env:X")  # noqa: S106


def parsed(body: Any, route: routes.Route = routes.CHAT) -> Call:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read(route, raw, SETTINGS)


def sent(call: Call) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(forwarded(call, b'"own"', ask_usage=True))
    return fields


def fault(body: Any, route: routes.Route = routes.CHAT) -> str:
    with pytest.raises(RefusedError) as caught:
        parsed(body, route)
    return caught.value.field


def with_field(name: str, value: bytes) -> bytes:
    return b'{"model": "m", "messages": [], "%b": %b}' % (name.encode(), value)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,  # J1
        b'{"model": "m", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": "m", "x": NaN}',  # J3
        b'{"model": "m", "x": Infinity}',
        b'{"model": "m", "x": 01}',
        b"\xef\xbb\xbf{}",  # J4
        b'{"model": "\\ud800"}',
        '{"model": "m"}'.encode("utf-16"),
        b'{"model": "m", "x": "\xff"}',
        b'{"model": "m"} trailing',
        b"",
        b"null",
    ],
)
def test_what_is_no_json_object(body: bytes) -> None:
    assert fault(body) == "body"


def test_the_model_that_is_priced_is_the_one_that_is_forwarded() -> None:
    """J2: a key given twice is one key afterwards."""
    call = parsed(b'{"model": "cheap", "messages": [], "model": "dear"}')
    assert call.model == "dear"
    raw = forwarded(call, b'"dear"', ask_usage=True)
    assert raw.count(b'"model"') == 1
    options = (
        b'{"model":"m","stream":true,"stream_options":{"include_usage":false,"include_usage":true}}'
    )
    assert forwarded(parsed(options), b'"m"', ask_usage=True).count(b"include_usage") == 1


@pytest.mark.parametrize("value", [b"0", b"-1", b"9223372036854775808", b'"100"', b"true", b"1.5"])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_limits_that_are_none(name: str, value: bytes) -> None:
    """J5."""
    assert fault(with_field(name, value)) == name


def test_limits_missing_null_and_given() -> None:
    assert parsed(with_field("max_tokens", b"null")).max_output is None
    assert parsed({"model": "m"}).max_output is None
    assert parsed(with_field("max_tokens", b"7")).max_output == 7
    assert parsed({"model": "m", "max_tokens": 7, "n": 3}).max_output == 21


def test_two_limits_must_agree() -> None:
    """J6."""
    body = {"model": "m", "max_tokens": 5, "max_completion_tokens": 6}
    assert fault(body) == "max_completion_tokens"
    assert parsed({**body, "max_tokens": 6}).max_output == 6


@pytest.mark.parametrize("value", [b'"true"', b"1", b"[]", b'"yes"'])
def test_stream_is_true_or_false(value: bytes) -> None:
    """J7."""
    assert fault(with_field("stream", value)) == "stream"


def test_embeddings_have_no_stream() -> None:
    assert fault({"model": "m", "input": "x", "stream": True}, routes.EMBEDDINGS) == "stream"


@pytest.mark.parametrize("value", [b'"vip"', b"3", b'"PRIORITY"'])
def test_unknown_service_tier(value: bytes) -> None:
    """J8."""
    assert fault(with_field("service_tier", value)) == "service_tier"
    assert parsed(with_field("service_tier", b'"flex"')).model == "m"


@pytest.mark.parametrize(
    ("name", "count"), [("messages", 10_001), ("tools", 513), ("messages", 600_000)]
)
def test_lists_are_bounded(name: str, count: int) -> None:
    """J9."""
    body = b'{"model": "m", "%b": [%b{}]}' % (name.encode(), b"{}," * (count - 1))
    assert fault(body) == name


def test_long_lists_and_many_braces_within_bounds_pass() -> None:
    messages = [{"role": "user", "content": "}}}}" * 10}] * 10_000
    assert parsed({"model": "m", "messages": messages}).model == "m"


@pytest.mark.parametrize("stop", [["x"] * 17, "y" * 20_000, ["z" * 20_000], [1]])
def test_stops_are_bounded(stop: Any) -> None:
    assert fault({"model": "m", "stop": stop}) == "stop"


@pytest.mark.parametrize(
    "model", ["", "m" * 10_240, "a\r\nb", "a\0b", "\u202egpt", "\u200b", 5, None, []]
)
def test_names_that_no_model_has(model: Any) -> None:
    """J10, J4; what is left is compared whole with the configured names."""
    assert fault({"model": model}) == "model"
    assert fault({"messages": []}) == "model"


@pytest.mark.parametrize("value", [b"1000000", b"-1", b"1.5", b'"8"', b"true", b"1" + b"0" * 400])
@pytest.mark.parametrize("name", ["n", "best_of"])
def test_how_many_choices(name: str, value: bytes) -> None:
    """CVE-2026-34756."""
    assert fault(with_field(name, value)) == name


@pytest.mark.parametrize("name", ["prompt_logprobs", "background"])
def test_what_is_refused_by_default(name: str) -> None:
    assert fault(with_field(name, b"1")) == name
    assert name in parsed(with_field(name, b"false")).fields


@pytest.mark.parametrize("value", [b"21", b"-1", b'"5"', b"1.5"])
def test_logprobs_are_bounded(value: bytes) -> None:
    assert fault(with_field("top_logprobs", value)) == "top_logprobs"
    assert parsed(with_field("logprobs", b"true")).model == "m"


def test_what_steers_the_engine_is_dropped() -> None:
    """CVE-2024-6587, CVE-2025-62426, CVE-2025-46570: hosts, keys, templates, another's salt."""
    names = ["api_base", "base_url", "custom_host", "chat_template", "chat_template_kwargs"]
    names += ["cache_salt", "extra_headers", "api_key", "priority", "usage"]
    body: dict[str, Any] = {
        "model": "m",
        "messages": [],
        "temperature": 0,
        **dict.fromkeys(names, "x"),
    }
    assert sent(parsed(body)) == {"model": "own", "messages": [], "temperature": 0}


def test_the_salt_is_the_tenants() -> None:
    call = parsed({"model": "m", "cache_salt": "theirs"})
    fields = json.loads(forwarded(call, b'"own"', ask_usage=True, salt=b'"ours"'))
    assert fields["cache_salt"] == "ours"


def test_hostile_schemas_stay_bytes() -> None:
    """CVE-2025-48944: a tool's schema is not interpreted here, and passes unchanged."""
    tools = [{"function": {"parameters": {"type": ["x"], "pattern": "(((((" * 50}}}]
    assert sent(parsed({"model": "m", "tools": tools}))["tools"] == tools


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(
    ["model", "stream", "stream_options", "max_tokens", "n", "stop", "tools", "messages", "x"]
)


@settings(deadline=None)
@given(
    st.dictionaries(NAMES | st.text(max_size=5), JSON),
    st.sampled_from(sorted(routes.METERED.values(), key=lambda route: route.name)),
)
def test_any_object_is_refused_by_a_field_or_forwarded(body: Any, route: routes.Route) -> None:
    try:
        call = parsed({"model": "m", **body}, route)
    except RefusedError:
        return
    fields = sent(call)
    for name, value in body.items():
        if name in fields and name not in {"model", "stream_options"}:
            assert fields[name] == value


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    with contextlib.suppress(RefusedError):
        model = parsed(body).model
        assert json.loads(body)["model"] == model


def test_what_one_upstream_is_sent_stays_with_it() -> None:
    """A second one may not know `stream_options` or `cache_salt`."""
    body = b'{"model":"m","stream":true,"messages":[]}'
    call = parsed(body)
    forwarded(call, b'"a"', ask_usage=True, salt=b'"s"')
    second = json.loads(forwarded(call, b'"b"', ask_usage=False))
    assert second == {"model": "b", "stream": True, "messages": []}


def test_choices_without_a_limit_are_each_taken_at_the_default() -> None:
    call = parsed(b'{"model":"m","messages":[],"n":4}')
    assert call.outputs(100) == 400
    call = parsed(b'{"model":"m","messages":[],"n":4,"max_tokens":7}')
    assert call.outputs(100) == 28
