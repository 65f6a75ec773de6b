"""The tap on a stream: what is seen and hidden, however the bytes are cut."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.meter.gateway import answer, routes
from inferometer.meter.gateway.tap import LONGEST_EVENT, LOOK, Tap
from inferometer.meter.usage import Meters

USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
COMPACT = (",", ":")


def event(data: Any, *, separators: tuple[str, str] | None = None) -> bytes:
    return b"data: " + json.dumps(data, separators=separators).encode() + b"\n\n"


def chat(text: str, *, separators: Any = None, **more: Any) -> bytes:
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": text}}], **more}
    return event(chunk, separators=separators)


def stream(texts: list[str], *, asked: bool, separators: Any = None) -> bytes:
    """Return what an engine sends, with or without usage asked for."""
    null: dict[str, Any] = {"usage": None} if asked else {}
    out = [chat(text, separators=separators, **null) for text in texts]
    if asked:
        out.append(event({"id": "c", "choices": [], "usage": USAGE}, separators=separators))
    return b"".join([*out, b"data: [DONE]\n\n"])


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(at)]


TEXTS = st.lists(st.text(max_size=8) | st.sampled_from(['"usage"', '"usage":{', "usage", "é\r\n"]))


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(0, 5000), max_size=12), st.sampled_from([None, COMPACT]))
def test_hidden_usage_leaves_the_bytes_of_a_stream_without_it(
    texts: list[str], cuts: list[int], separators: Any
) -> None:
    """Whatever the texts and the cuts, the caller sees what it would have seen."""
    tap = Tap(hides=True)
    sent = stream(texts, asked=True, separators=separators)
    out = b"".join(tap.feed(piece) for piece in pieces(sent, cuts)) + tap.close()
    assert out == stream(texts, asked=False, separators=separators)
    account = answer.of_stream(routes.CHAT, tap, 100, whole=True)
    assert account.usage.meters == Meters(uncached_input=10, output=3)
    assert account.usage.source == "reported"


@settings(deadline=None)
@given(TEXTS, st.lists(st.integers(0, 5000), max_size=12))
def test_a_stream_that_asked_passes_byte_for_byte_at_once(
    texts: list[str], cuts: list[int]
) -> None:
    tap = Tap(hides=False)
    for piece in pieces(stream(texts, asked=True), cuts):
        assert tap.feed(piece) == piece
    assert tap.close() == b""
    account = answer.of_stream(routes.CHAT, tap, 100, whole=True)
    assert account.usage.meters == Meters(uncached_input=10, output=3)


@settings(deadline=None)
@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8), st.booleans())
def test_any_bytes_pass(data: bytes, cuts: list[int], hides: bool) -> None:
    tap = Tap(hides=hides)
    out = b"".join(tap.feed(piece) for piece in pieces(data, cuts)) + tap.close()
    if not hides or b'"usage"' not in data:
        assert out == data
    for route in routes.METERED.values():
        account = answer.of_stream(route, tap, 100, whole=True)
        assert account.usage.meters.total_input >= 0


def test_the_last_of_two_reports_counts() -> None:
    """S6, vLLM: usage on the finishing chunk and again, with details, on an empty one."""
    tap = Tap(hides=True)
    details = {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}}
    sent = (
        chat("a")
        + chat("b", usage=USAGE)
        + event({"choices": [], "usage": details})
        + b"data: [DONE]\n\n"
    )
    assert tap.feed(sent) == chat("a") + chat("b") + b"data: [DONE]\n\n"
    account = answer.of_stream(routes.CHAT, tap, 1, whole=True)
    assert account.usage.meters == Meters(uncached_input=6, cache_read=4, output=3)


def test_continuous_usage_is_cumulative_when_cut_short() -> None:
    tap = Tap(hides=False)
    for n in range(1, 4):
        tap.feed(chat("x", usage={"prompt_tokens": 10, "completion_tokens": n}))
    account = answer.of_stream(routes.CHAT, tap, 1, whole=False)
    assert account.usage.meters == Meters(uncached_input=10, output=3)
    assert account.usage.source == "cumulative"


@pytest.mark.parametrize("end", ["\r\n\r\n", "\n\n"])
@pytest.mark.parametrize("lead", ["data:", "data: ", ": note\nevent: x\nid: 1\nretry: 5\ndata: "])
def test_line_ends_comments_and_fields(end: str, lead: str) -> None:
    """S2, S3: CRLF, `data:` without a blank, comments, event, id, retry; cut anywhere."""
    sent = (lead + json.dumps({"choices": [], "usage": USAGE}) + end).encode()
    for cut in range(len(sent)):
        tap = Tap(hides=False)
        tap.feed(sent[:cut])
        tap.feed(sent[cut:])
        account = answer.of_stream(routes.CHAT, tap, 1, whole=True)
        assert account.usage.meters == Meters(uncached_input=10, output=3)


def test_usage_without_done_and_without_an_end() -> None:
    """S4, S7: no [DONE], usage before the last delta, last event unterminated."""
    tap = Tap(hides=False)
    tap.feed(event({"choices": [], "usage": USAGE}) + chat("late") + b'data: {"choices":')
    tap.close()
    account = answer.of_stream(routes.CHAT, tap, 1, whole=True)
    assert account.usage.source == "reported"
    tap = Tap(hides=True)
    tap.feed(event({"choices": [], "usage": USAGE})[:-2])
    assert tap.close() == b""
    assert answer.of_stream(routes.CHAT, tap, 1, whole=True).usage.source == "reported"


@pytest.mark.parametrize("report", [None, {}, [], {"prompt_tokens": -1}, {"prompt_tokens": 1e30}])
def test_a_stream_without_a_report_is_estimated_and_flagged(report: Any) -> None:
    tap = Tap(hides=False)
    tap.feed(chat("a") + chat("b") + event({"choices": [], "usage": report}))
    account = answer.of_stream(routes.CHAT, tap, 400, whole=True)
    assert account.usage.source == "estimated"
    assert account.usage.meters.uncached_input == 100
    assert account.usage.meters.output == 3


def test_an_endless_event_is_bounded_and_the_next_report_is_found() -> None:
    """S1: an event that never ends, in pieces, keeps memory bounded and loses nothing."""
    for hides in (True, False):
        tap = Tap(hides=hides)
        out = tap.feed(b"data: ")
        for _ in range(64):
            out += tap.feed(b"#" * 65536)
            assert len(tap._rest) <= LONGEST_EVENT + 65536  # noqa: SLF001
        out += tap.feed(b"\n\n" + chat("a") + event({"choices": [], "usage": USAGE}))
        out += tap.close()
        assert out.count(b"#") == 64 * 65536
        account = answer.of_stream(routes.CHAT, tap, 1, whole=True)
        assert account.usage.meters == Meters(uncached_input=10, output=3)


def test_one_byte_reads_take_bounded_time() -> None:
    """S13, CVE-2025-69229: many tiny pieces cost their number, not its square."""
    tap = Tap(hides=True)
    sent = b"data: " + b"y" * 200_000 + b"\n\n"
    out = b"".join(tap.feed(sent[i : i + 1]) for i in range(len(sent)))
    assert out == sent


def test_anthropic_stream() -> None:
    start = {
        "type": "message_start",
        "message": {"model": "claude", "usage": {"input_tokens": 25, "output_tokens": 1}},
    }
    delta: dict[str, Any] = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 15}}
    tap = Tap(hides=False)
    tap.feed(b"event: message_start\n" + event(start))
    tap.feed(b"event: message_delta\n" + event(delta))
    account = answer.of_stream(routes.MESSAGES, tap, 1, whole=True)
    assert account.usage.meters == Meters(uncached_input=25, output=15)
    assert account.model == "claude"


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_responses_report_at_every_kind_of_end(kind: str) -> None:
    """S8: usage comes on completed, incomplete and failed alike."""
    body = {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 2}}
    last = {"type": f"response.{kind}", "response": {"model": "m", "usage": body}}
    tap = Tap(hides=False)
    tap.feed(f"event: response.{kind}\n".encode() + event(last))
    account = answer.of_stream(routes.RESPONSES, tap, 1, whole=True)
    assert account.usage.meters == Meters(uncached_input=7, cache_read=2, output=4)


def test_an_error_object_inside_a_stream_is_a_failure() -> None:
    """S9: status 200, then an error event."""
    tap = Tap(hides=False)
    tap.feed(chat("a") + event({"error": {"message": "boom"}}))
    assert answer.of_stream(routes.CHAT, tap, 1, whole=True).failed
    tap = Tap(hides=False)
    tap.feed(chat('"error"'))
    assert not answer.of_stream(routes.CHAT, tap, 1, whole=True).failed


def test_engine_timings_are_read() -> None:
    timings = {"prompt_ms": 12.5, "predicted_ms": 30, "cache_n": 1}
    body = json.dumps({"usage": USAGE, "timings": timings, "model": "m"}).encode()
    account = answer.of_json(routes.CHAT, body, 1, len(body))
    assert (account.prefill_ns, account.decode_ns) == (12_500_000, 30_000_000)


@pytest.mark.parametrize("value", [-1, "3", True, 1e300, None])
def test_timings_that_are_none_are_left_out(value: Any) -> None:
    body = json.dumps({"usage": USAGE, "timings": {"prompt_ms": value}}).encode()
    assert answer.of_json(routes.CHAT, body, 1, len(body)).prefill_ns is None


def test_a_long_answer_is_read_by_its_end() -> None:
    end = b'"], "usage": ' + json.dumps(USAGE).encode() + b"}"
    account = answer.of_json(routes.EMBEDDINGS, end, 40, 5_000_000)
    assert account.usage.meters == Meters(uncached_input=10, output=3)
    cut = answer.of_json(routes.EMBEDDINGS, b"0.1, 0.2", 40, 5_000_000)
    assert cut.usage.source == "estimated"
    assert cut.usage.meters == Meters(uncached_input=10)


def test_a_stream_whose_start_never_came_has_an_estimated_prompt() -> None:
    """llama.cpp sends no `message_start` if the first token is a part of a character."""
    tap = Tap(hides=False)
    delta = {"type": "message_delta", "usage": {"output_tokens": 6}}
    tap.feed(b"event: content_block_start\ndata: {}\n\n" + event(delta) + event({"type": "x"}))
    found = answer.of_stream(routes.MESSAGES, tap, 400, whole=True).usage
    assert found.meters == Meters(uncached_input=100, output=6)
    assert found.source == "estimated"


@pytest.mark.parametrize("prompt", [{}, {"prompt_tokens": None}])
def test_an_answer_that_tells_no_prompt_has_an_estimated_one(prompt: dict[str, None]) -> None:
    """Whole answers as streams: a missing count is flagged, never zero."""
    body = json.dumps({"usage": {"completion_tokens": 6, **prompt}}).encode()
    found = answer.of_json(routes.CHAT, body, 400, len(body)).usage
    assert found.meters == Meters(uncached_input=100, output=6)
    assert found.source == "estimated"


@pytest.mark.parametrize("hides", [True, False])
def test_what_follows_the_last_event_passes_and_is_not_counted(hides: bool) -> None:
    """S5: `[DONE]`, then more, whole or cut anywhere: bytes pass, the report stays."""
    more = chat("late") + b"data: [DONE]\n\n" + b"data: trailing"
    sent = stream(["a", "b"], asked=True)
    shown = sent if not hides else stream(["a", "b"], asked=False)
    for cut in range(len(sent + more)):
        tap = Tap(hides=hides)
        out = b"".join(map(tap.feed, pieces(sent + more, [cut]))) + tap.close()
        assert out == shown + more
        found = answer.of_stream(routes.CHAT, tap, 100, whole=True).usage
        assert (found.meters, found.source) == (Meters(uncached_input=10, output=3), "reported")


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 10**5), max_size=40), st.sampled_from([None, COMPACT]))
def test_a_look_at_many_events_finds_what_a_look_at_each_does(
    cuts: list[int], separators: Any
) -> None:
    """Longer than one look: the tap that hides, and so sees every event by itself, is the twin."""
    texts = [f"token {n}" for n in range(400)]
    sent = stream(texts, asked=True, separators=separators)
    assert len(sent) > 4 * LOOK
    each, many = Tap(hides=True), Tap(hides=False)
    for piece in pieces(sent, cuts):
        each.feed(piece)
        assert many.feed(piece) == piece
    many.settle()
    assert (many.events, many.first, many.last) == (402, each.first, each.last)
    each.close()
    assert many.events == each.events
    assert answer.of_stream(routes.CHAT, many, 1, whole=True).usage.source == "reported"
