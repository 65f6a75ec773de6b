"""What passes through: whole answers, streams, other routes, and the row each leaves."""

import asyncio
import contextlib
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from gateway_cases import (
    COMPLETION,
    DONE,
    LAST_CHUNK,
    REPORT,
    STREAM_HEAD,
    TOKEN,
    USAGE,
    Answer,
    Step,
    answer,
    ask,
    chunk,
    delta,
    event,
    hashed,
    post,
    run,
    standing,
    streamed,
)

from inferometer.meter.record import Attempt

TWO = {"input_tokens": 8, "output_tokens": 3}


def one(tmp: Path, script: list[Step], body: Any, **more: Any) -> tuple[Answer, Attempt, Any]:
    """Post once; return the answer, its row and what the upstream saw."""

    async def scenario() -> tuple[Answer, Attempt, Any]:
        path = more.pop("path", "/v1/chat/completions")
        async with standing(tmp, [script], **more) as stand:
            got = await stand.post(body, path)
            rows = await stand.settled(1)
            assert len(rows) == 1
            return got, rows[0], stand.upstreams[0].seen[0]

    return run(scenario())


def test_a_whole_answer_and_its_row(tmp_path: Path) -> None:
    got, row, seen = one(tmp_path, [answer(COMPLETION, x_more="1")], ask(temperature=0.5))
    assert (got.status, got.json) == (200, COMPLETION)
    assert got.headers["x-more"] == "1"
    assert got.headers["x-request-id"] == row.request
    assert seen.fields == {**ask("own-m"), "temperature": 0.5}
    assert (row.tenant, row.key, row.model, row.served) == ("acme", "alice", "m", "served-x")
    assert (row.upstream, row.route, row.status, row.outcome) == ("u0", "chat", 200, "ok")
    assert row.tokens == (60, 40, 0, 0, 48, 16)
    assert row.nanos == 100 * 1_000 + 64 * 2_000
    assert row.basis == "reported"
    assert row.ended_ns >= row.started_ns


def test_the_row_is_made_by_place_in_the_order_of_its_fields(tmp_path: Path) -> None:
    """`Sent.row` fills a tuple by place; every field must land under its own name."""
    timings = {"prompt_ms": 1, "predicted_ms": 2}
    body = {**COMPLETION, "timings": timings}
    headers = {"x_inferometer_feature": "f", "x_inferometer_session": "s"}
    key = {"id": "alice", "hash": hashed(TOKEN), "tenant": "acme", "may_attribute": True}

    async def scenario() -> Attempt:
        async with standing(tmp_path, [[answer(body)]], key=[key]) as stand:
            await stand.post(ask(), **headers, x_inferometer_run="r")
            return (await stand.settled(1))[0]

    row = run(scenario())
    named = (row.feature, row.session, row.run, row.provider, row.tier, row.stream)
    assert named == ("f", "s", "r", "self-hosted", "", False)
    assert (row.prefill_ns, row.decode_ns, row.source) == (1_000_000, 2_000_000, "gateway")
    assert row.queued_ns < 1_000_000_000
    assert row.ttft_ns is not None
    assert 0 < row.ttft_ns < 5_000_000_000


def test_usage_is_asked_for_and_hidden(tmp_path: Path) -> None:
    """The caller sees the bytes of a stream without usage; the row has the usage."""
    script = streamed(delta("a", usage=None), delta("b", usage=None), REPORT, DONE)
    got, row, seen = one(tmp_path, script, ask(stream=True))
    assert got.body == delta("a") + delta("b") + DONE
    assert seen.fields["stream_options"] == {"include_usage": True}
    assert row.tokens == (60, 40, 0, 0, 48, 16)
    assert (row.stream, row.basis) == (True, "reported")
    assert row.ttft_ns is not None


def test_usage_that_was_asked_for_is_passed_on(tmp_path: Path) -> None:
    script = streamed(delta("a", usage=None), REPORT, DONE)
    options = {"include_usage": True, "other": 1}
    got, row, seen = one(tmp_path, script, ask(stream=True, stream_options=options))
    assert got.body == delta("a", usage=None) + REPORT + DONE
    assert seen.fields["stream_options"] == options
    assert row.tokens == (60, 40, 0, 0, 48, 16)


@pytest.mark.parametrize("given", [False, None])
def test_a_caller_cannot_turn_metering_off(tmp_path: Path, given: object) -> None:
    """M16: include_usage false, and a usage of the caller's own."""
    script = streamed(delta("a"), REPORT, DONE)
    body = ask(stream=True, stream_options={"include_usage": given}, usage={"prompt_tokens": 0})
    got, row, seen = one(tmp_path, script, body)
    assert got.body == delta("a") + DONE
    assert seen.fields["stream_options"] == {"include_usage": True}
    assert "usage" not in seen.fields
    assert row.tokens == (60, 40, 0, 0, 48, 16)


def test_an_upstream_that_cannot_report_is_estimated(tmp_path: Path) -> None:
    script = streamed(delta("a"), delta("b"), DONE)
    got, row, seen = one(tmp_path, script, ask(stream=True), each={"ask_usage": False})
    assert got.body == delta("a") + delta("b") + DONE
    assert "stream_options" not in seen.fields
    assert row.basis == "estimated"
    assert row.output == 3
    assert row.uncached_input > 0


@pytest.mark.parametrize("report", ["missing", None, {"prompt_tokens": "9"}, [], {}])
def test_missing_usage_of_a_whole_answer_is_estimated(tmp_path: Path, report: Any) -> None:
    body: dict[str, Any] = {"choices": [], "usage": report}
    if report == "missing":
        del body["usage"]
    _, row, _ = one(tmp_path, [answer(body)], ask())
    assert row.basis == "estimated"
    assert row.uncached_input > 0
    assert row.output > 0


def test_a_reported_zero_is_a_zero(tmp_path: Path) -> None:
    """M3."""
    report = {"prompt_tokens": 0, "completion_tokens": 0}
    _, row, _ = one(tmp_path, [answer({"usage": report})], ask())
    assert (row.basis, sum(row.tokens)) == ("reported", 0)


def test_anthropic_messages(tmp_path: Path) -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}
    end = {"type": "message_delta", "usage": {"output_tokens": 9}}
    stop = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
    script = streamed(b"event: message_start\n" + event(start), event(end), stop)
    got, row, seen = one(tmp_path, script, ask(stream=True, max_tokens=20), path="/v1/messages")
    assert got.body == b"event: message_start\n" + event(start) + event(end) + stop
    assert seen.head.startswith(b"POST /v1/messages HTTP/1.1")
    assert "stream_options" not in seen.fields
    assert row.tokens == (7, 0, 0, 0, 9, 0)


def test_responses(tmp_path: Path) -> None:
    usage = {"input_tokens": 8, "output_tokens": 3}
    end = {"type": "response.completed", "response": {"model": "z", "usage": usage}}
    last = b"event: response.completed\n" + event(end)
    body = {"model": "m", "input": "hi", "stream": True}
    got, row, _ = one(tmp_path, streamed(last), body, path="/v1/responses")
    assert got.body == last
    assert (row.tokens, row.served) == ((8, 0, 0, 0, 3, 0), "z")


@pytest.mark.parametrize(
    ("path", "script"),
    [
        ("chat/completions", [answer({**COMPLETION, "service_tier": "flex"})]),
        ("chat/completions", streamed(event({"usage": USAGE, "service_tier": "flex"}), DONE)),
        ("responses", [answer({"usage": TWO, "service_tier": "flex"})]),
        ("responses", streamed(event({"response": {"usage": TWO, "service_tier": "flex"}}))),
        ("messages", [answer({"usage": {**TWO, "service_tier": "flex"}})]),
        (
            "messages",
            streamed(
                event({"message": {"usage": {**TWO, "service_tier": "flex"}}}),
                event({"usage": {"output_tokens": 9}}),
            ),
        ),
    ],
)
def test_the_tier_that_served_is_in_the_row(tmp_path: Path, path: str, script: list[Step]) -> None:
    """As the answer says, whatever was asked for; engines of our own have no tiers."""
    body = {"model": "m", "max_tokens": 9, "service_tier": "auto"}
    body["stream"] = script[0] == STREAM_HEAD
    for provider, tier in (("openai", "flex"), ("self-hosted", "")):
        each = {"provider": provider}
        _, row, _ = one(tmp_path, script, body, path=f"/v1/{path}", each=each)
        assert (row.tier, row.basis) == (tier, "reported")


@pytest.mark.parametrize("said", ["default", "standard", None, 7, "unheard-of"])
def test_other_tiers_are_the_standard_one(tmp_path: Path, said: object) -> None:
    script: list[Step] = [answer({**COMPLETION, "service_tier": said})]
    _, row, _ = one(tmp_path, script, ask(), each={"provider": "openai"})
    assert row.tier == ""


def test_embeddings_and_completions(tmp_path: Path) -> None:
    report: dict[str, Any] = {"usage": {"prompt_tokens": 5, "total_tokens": 5}, "data": []}
    body = {"model": "m", "input": ["a", "b"]}
    _, row, _ = one(tmp_path, [answer(report)], body, path="/v1/embeddings")
    assert row.tokens == (5, 0, 0, 0, 0, 0)
    body = {"model": "m", "prompt": "once"}
    _, row, seen = one(tmp_path, [answer(COMPLETION)], body, path="/v1/completions")
    assert (row.route, seen.fields["prompt"]) == ("completions", "once")


def test_a_long_answer_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    numbers = b"0.5," * 1_000_000
    body = b'{"data": [' + numbers + b'1], "usage": {"prompt_tokens": 5, "total_tokens": 5}}'
    got, row, _ = one(tmp_path, [answer(body)], {"model": "m", "input": "x"}, path="/v1/embeddings")
    assert got.body == body
    assert (row.tokens, row.basis) == ((5, 0, 0, 0, 0, 0), "reported")


def test_http_1_0_gets_an_answer_that_ends_with_the_connection(tmp_path: Path) -> None:
    async def scenario() -> bytes:
        async with standing(tmp_path, [streamed(delta("a"), REPORT, DONE)]) as stand:
            caller = await stand.connect()
            body = b'{"model": "m", "stream": true, "messages": []}'
            head = f"POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer {TOKEN}\r\n"
            await caller.send(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
            return await caller.reader.read()

    got = run(scenario())
    assert got.endswith(b"\r\n\r\n" + delta("a") + DONE)
    assert b"transfer-encoding" not in got


def test_the_row_is_written_before_the_last_event_is_sent(tmp_path: Path) -> None:
    """A caller that sees [DONE] has a row, though the upstream has not closed its answer."""
    script = [STREAM_HEAD, chunk(delta("a") + REPORT), chunk(DONE), 0.3, LAST_CHUNK]

    async def scenario() -> int:
        async with standing(tmp_path, [script]) as stand:
            caller = await stand.connect()
            await caller.send(post(ask(stream=True)))
            await caller.read_head()
            while DONE not in await caller.read_chunk():
                pass
            return len(stand.rows.rows)

    assert run(scenario()) == 1


@pytest.mark.parametrize("closed", [False, True])
def test_the_last_event_waits_until_the_row_is_durable(tmp_path: Path, closed: bool) -> None:
    """As its end tells the caller that all is done; whatever comes after it waits behind it."""
    script = [STREAM_HEAD, chunk(delta("a") + REPORT), 0.05, chunk(DONE)]
    script += [LAST_CHUNK] if closed else [0.3, LAST_CHUNK]

    async def scenario() -> bytes:
        async with standing(tmp_path, [script]) as stand:
            stand.rows.slow = True
            caller = await stand.connect()
            await caller.send(post(ask(stream=True)))
            await caller.read_head()
            assert DONE not in await caller.read_chunk()
            while not stand.rows.rows:
                await asyncio.sleep(0.01)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(caller.reader.read(1), 0.05)
            stand.rows.slow = False
            stand.rows.flush()
            return await caller.read_chunk()

    assert run(scenario()) == DONE


def test_what_comes_after_the_last_event_is_passed_on_and_not_booked(tmp_path: Path) -> None:
    """S5: the answer was told to be over, and its row is written: one row, the first report."""
    more = delta("late") + event({"choices": [], "usage": {**USAGE, "completion_tokens": 999}})
    script: list[Step] = [STREAM_HEAD, chunk(delta("a") + REPORT), chunk(DONE), 0.1]
    script += [chunk(more), LAST_CHUNK]
    asked = ask(stream=True, stream_options={"include_usage": True})
    got, row, _ = one(tmp_path, script, asked)
    assert got.body == delta("a") + REPORT + DONE + more
    assert sum(row.tokens) == USAGE["total_tokens"]
    assert (row.outcome, row.basis) == ("ok", "reported")


def test_models_are_those_of_the_key(tmp_path: Path) -> None:
    async def scenario() -> list[list[str]]:
        async with standing(tmp_path, [[]]) as stand:
            found = []
            for token in ("sk-alice", "sk-bob"):
                caller = await stand.connect()
                head = (
                    f"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
                )
                await caller.send(head.encode())
                found.append([row["id"] for row in (await caller.read()).json["data"]])
            return found

    assert run(scenario()) == [["m", "n"], ["n"]]


def test_requests_on_one_connection_and_pipelined(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with standing(tmp_path, [[0.05, answer(COMPLETION)]]) as stand:
            caller = await stand.connect()
            await caller.send(post(ask()) * 3)
            got = [(await caller.read()).status for _ in range(3)]
            got.append((await caller.post(ask())).status)
            await stand.settled(4)
            assert len(stand.upstreams[0].seen) == 4
            assert stand.upstreams[0].connections == 1
            return got

    assert run(scenario()) == [200] * 4


def test_concurrent_streams_do_not_mix(tmp_path: Path) -> None:
    async def scenario() -> None:
        scripts = [
            streamed(*[delta(f"{n}-{i}") for i in range(20)], REPORT, DONE) for n in range(30)
        ]
        async with standing(tmp_path, scripts) as stand:
            got = await asyncio.gather(*(stand.post(ask(stream=True)) for _ in range(30)))
            rows = await stand.settled(30)
            bodies = {b"".join(delta(f"{n}-{i}") for i in range(20)) + DONE for n in range(30)}
            assert {each.body for each in got} == bodies
            assert len({row.request for row in rows}) == 30
            assert [row.request for row in stand.rows.begun] == sorted(
                (row.request for row in rows), key=lambda name: int(name.split("-")[2], 16)
            )
            assert sum(sum(row.tokens) for row in rows) == 30 * USAGE["total_tokens"]  # type: ignore[operator]

    run(scenario())


def test_an_answer_whose_row_never_gets_to_the_disk_is_broken_off(tmp_path: Path) -> None:
    """No second answer is written into it, neither by the sweep nor when the disk comes back."""

    async def scenario() -> tuple[bytes, int, int]:
        async with standing(tmp_path, [[answer(COMPLETION)]]) as stand:
            stand.rows.slow = True
            caller = await stand.connect()
            await caller.send(post(ask()))
            while not stand.rows.rows:
                await asyncio.sleep(0.01)
            (exchange,) = stand.core.live
            exchange.expire(monotonic() + stand.core.settings.total_timeout + 1)
            stand.rows.flush()
            with contextlib.suppress(ConnectionResetError):
                return await caller.reader.read(), len(stand.core.live), len(stand.rows.rows)
            return b"", len(stand.core.live), len(stand.rows.rows)

    assert run(scenario()) == (b"", 0, 1)


def test_an_answer_that_has_ended_is_not_asked_for_again(tmp_path: Path) -> None:
    """Its connection breaks before the caller was told: it gets all that came, and no end."""
    script: list[Step] = [STREAM_HEAD + chunk(delta("a") + REPORT + DONE), 0.1, b"no chunk"]

    async def scenario() -> tuple[bytes, list[int], int]:
        async with standing(tmp_path, [script], [script]) as stand:
            stand.rows.slow = True
            caller = await stand.connect()
            await caller.send(post(ask(stream=True)))
            while not stand.rows.rows or len(stand.rows.untold) < 2:
                await asyncio.sleep(0.01)
            stand.rows.flush()
            with contextlib.suppress(ConnectionResetError):
                await caller.read_head()
                got = await caller.read_chunk()
            asked = sorted(len(upstream.seen) for upstream in stand.upstreams)
            return got, asked, len(stand.rows.rows)

    got, asked, rows = run(scenario())
    assert got == delta("a") + DONE
    assert (asked, rows) == ([0, 1], 1)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_no_unicode_passes_and_is_booked(tmp_path: Path, stream: bool) -> None:
    """What cannot be read is estimated; the caller gets the bytes that came."""
    body = b'{"model": "\x80", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}'
    script: list[Step] = [answer(body)]
    if stream:
        body = b"data: " + body + b"\n\n" + DONE
        script = [STREAM_HEAD, chunk(body), LAST_CHUNK]
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    got, row, _ = one(tmp_path, script, ask(**options))
    assert got.body == body
    assert (row.outcome, row.basis) == ("ok", "estimated")
    assert row.inputs > 0
