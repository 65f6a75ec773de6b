"""The configuration: every fault is named, secrets are never in it."""

import copy
from pathlib import Path
from typing import Any

import pytest
from gateway_cases import SECRET, document
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.errors import GatewayError, InferometerError
from inferometer.meter import config
from inferometer.meter.gateway.world import build
from inferometer.meter.secret import secret


def changed(path: str, value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(document([9000]))
    *parents, last = path.split(".")
    node: Any = raw
    for name in parents:
        node = node[int(name)] if isinstance(node, list) else node[name]
    node[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("gateway.listn", "x", "did you mean listen"),
        ("gatewy", {}, "did you mean gateway"),
        ("upstream.0.wieght", 2, "did you mean weight"),
        ("gateway.listen", "8080", "HOST:PORT"),
        ("gateway.listen", "127.0.0.1:99999", "HOST:PORT"),
        ("gateway.workers", 0, "at least 1"),
        ("gateway.queue", -1, "negative"),
        ("gateway.grace", float("nan"), "finite"),
        ("gateway.durability", "maybe", "durability"),
        ("upstream.0.weight", 0.0, "positive"),
        ("upstream.0.weight", float("inf"), "positive"),
        ("upstream.0.models", {}, "at least one model"),
        ("upstream.0.models", {"a\nb": "x"}, "model's name"),
        ("key.0.hash", "abc", "64"),
        ("key.0.tenant", " ", "empty"),
        ("key.0.models", ["mm"], "no upstream serves"),
        ("key.0.requests_per_minute", -1, "negative"),
        ("key.1.id", "alice", "given twice"),
        ("budget", [{"name": "b", "by": "key"}], "hard_usd or soft_usd"),
        ("budget", [{"name": "b", "by": "key", "hard_usd": "NaN"}], "dollars"),
        ("budget", [{"name": "b", "by": "key", "hard_usd": "-1"}], "dollars"),
        ("budget", [{"name": "b", "by": "key", "hard_usd": "1e-10"}], "nine places"),
        ("budget", [{"name": "b", "by": "user", "hard_usd": "1"}], "by"),
        ("budget", [{"name": "b", "by": "key", "hard_usd": "9223372037"}], "9,223,372,036 dollars"),
        ("budget", [{"name": "b", "by": "key", "hard_usd": "1e999999"}], "amount of dollars"),
        ("budget", [{"name": "b", "by": "key", "hard_usd": "1e99999"}], "9,223,372,036 dollars"),
        ("gateway.reservation_ttl", 3600.0, "must be longer"),
        ("routing", {"zz": "prefix"}, "no upstream serves"),
        ("rows", {"url": "http://meter:secret@h:8123"}, "rows.url: no user"),
        ("rows", {"url": "http://h:8123", "pasword": "env:X"}, "did you mean password"),
    ],
)
def test_faults_are_named(path: str, value: Any, says: str) -> None:
    with pytest.raises(GatewayError, match="test: ") as caught:
        config.parse(changed(path, value), "test")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://allowed\\@169.254.169.254/",
        "http://a#@b",
        "http://user:pass@host/v1",
        "http://host/v1?x=1",
        "http://host name/",
        "ftp://host/",
        "//host/",
        "http:///v1",
        "http://host:0/",
        "http://host:99999/",
        "http://hést/",
        "file:///etc/passwd",
    ],
)
def test_addresses_that_two_parsers_read_differently(url: str) -> None:
    """CVE-2026-24779; addresses come from this file only, never from a request."""
    with pytest.raises(GatewayError, match="url"):
        config.parse(changed("upstream.0.url", url), "test")


@pytest.mark.parametrize("text", ["", "   ", "tiny-word", "with\nnewline-in-the-middle", "é" * 20])
def test_an_empty_or_weak_secret_refuses_to_start(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New API's webhook: every secret empty or blank."""
    parsed = config.parse(document([9000]), "test")
    monkeypatch.setenv("INFEROMETER_TEST_SECRET", text)
    with pytest.raises(GatewayError, match=r"gateway\.secret") as caught:
        build(parsed)
    assert text.strip() == "" or text not in str(caught.value)


def test_a_secret_in_the_clear_is_refused_and_not_repeated(tmp_path: Path) -> None:
    parsed = config.parse(changed("gateway.secret", "my-very-own-plain-secret"), "test")
    with pytest.raises(GatewayError, match="never the secret itself") as caught:
        build(parsed)
    assert "my-very-own" not in str(caught.value)
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n", encoding="utf-8")
    assert secret(f"file:{file}", "x") == SECRET


@pytest.mark.parametrize("expires", ["tomorrow", "2027-01-01"])
def test_an_expiry_needs_a_zone(expires: str) -> None:
    parsed = config.parse(changed("key.0.expires", expires), "test")
    with pytest.raises(GatewayError, match="expires"):
        build(parsed)


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    with pytest.raises(GatewayError, match="cannot be read"):
        config.load(file)
    file.write_bytes(b"\xff")
    with pytest.raises(GatewayError, match="as TOML"):
        config.load(file)
    file.write_text("[gateway]\nsecret = 'x'\nsecret = 'y'\n", encoding="utf-8")
    with pytest.raises(GatewayError, match=r"gateway\.toml: cannot be read as TOML"):
        config.load(file)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.sampled_from(["gateway", "upstream", "key", "tenant", "budget", "routing"]), JSON)
def test_any_table_is_read_or_refused(table: str, value: Any) -> None:
    raw = {**document([9000]), table: value}
    try:
        found = config.parse(raw, "test")
    except InferometerError:
        return
    assert isinstance(found, config.Config)
