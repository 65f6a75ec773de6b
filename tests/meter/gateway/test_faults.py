"""What upstreams and clients do wrong: every attempt is one row, and nobody sees half an answer."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_cases import (
    COMPLETION,
    DONE,
    LAST_CHUNK,
    REPORT,
    STREAM_HEAD,
    Answer,
    Step,
    answer,
    ask,
    chunk,
    delta,
    document,
    hashed,
    post,
    run,
    standing,
    streamed,
)

from inferometer.meter import config
from inferometer.meter.budget import Account, Reservation
from inferometer.meter.gateway.serve import serve
from inferometer.meter.gateway.world import build
from inferometer.meter.record import Attempt

GOOD: list[Step] = [answer(COMPLETION)]
PATIENCE = {"gateway": {"first_byte_timeout": 0.2, "idle_timeout": 0.2}}


def ask_once(
    tmp: Path, *scripts: list[list[Step]], body: Any = None, rows: int = 1, **more: Any
) -> tuple[Answer, list[Attempt]]:
    async def scenario() -> tuple[Answer, list[Attempt]]:
        async with standing(tmp, *scripts, **more) as stand:
            got = await stand.post(body or ask())
            return got, await stand.settled(rows)

    return run(scenario())


@pytest.mark.parametrize("status", ["500 X", "502 X", "503 X", "429 X", "529 X", "408 X"])
def test_failover_before_the_first_byte(tmp_path: Path, status: str) -> None:
    """M18: the failed attempt and the one that served are two rows; only one has tokens."""
    got, rows = ask_once(tmp_path, [[answer({}, status)]], [GOOD], rows=2)
    assert got.json == COMPLETION
    assert [(row.attempt, row.upstream, row.outcome) for row in rows] == [
        (1, "u0", "failed"),
        (2, "u1", "ok"),
    ]
    assert [row.status for row in rows] == [int(status[:3]), 200]
    assert sum(rows[0].tokens) == 0
    assert rows[1].tokens == (60, 40, 0, 0, 48, 16)
    assert len({row.request for row in rows}) == 1


@pytest.mark.parametrize(
    "script",
    [
        ["reset"],
        ["close"],
        [b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", "close"],
        [b"garbage\r\n\r\n", "close"],
        [answer({}, "301 Moved", location="http://127.0.0.1:1/")],
        [answer(b"\x1f\x8b", content_encoding="gzip")],
        [answer({"error": "bad key"}, "401 Unauthorized", www_authenticate="Basic")],
        [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
    ],
    ids=["reset", "close", "header", "garbage", "redirect", "gzip", "our-key", "upgrade"],
)
def test_an_unfit_answer_fails_over_or_is_a_502(tmp_path: Path, script: list[Step]) -> None:
    """S12: redirects are not followed, coded answers not passed, our own key's fault is ours."""
    got, rows = ask_once(tmp_path, [script], [GOOD], rows=2)
    assert (got.status, rows[0].outcome) == (200, "upstream_error")
    got, rows = ask_once(tmp_path, [script])
    assert (got.status, got.code) == (502, "upstream_error")
    assert [sum(row.tokens) for row in rows] == [0]


def test_an_interim_answer_is_skipped(tmp_path: Path) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    got, _ = ask_once(tmp_path, [[early + answer(COMPLETION)]])
    assert (got.status, got.json) == (200, COMPLETION)


def test_an_answer_without_a_length_ends_with_its_connection(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    body = b'{"usage": {"prompt_tokens": 3, "completion_tokens": 2}}'
    got, rows = ask_once(tmp_path, [[head, body, "close"]])
    assert got.body == body
    assert rows[0].tokens == (3, 0, 0, 0, 2, 0)


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_html_or_nothing_with_status_200_is_estimated(tmp_path: Path, kind: str) -> None:
    got, rows = ask_once(tmp_path, [[answer(b"<html>hello</html>", kind=kind)]])
    assert got.body == b"<html>hello</html>"
    assert rows[0].basis == "estimated"
    _, rows = ask_once(tmp_path, [[answer(b"", "204 No Content")]])
    assert rows[0].basis == "estimated"


def test_no_upstream_listens(tmp_path: Path) -> None:
    async def scenario() -> tuple[Answer, list[Attempt]]:
        async with standing(tmp_path, [GOOD]) as stand:
            pool = next(iter(stand.core.world.servers.values())).pool
            object.__setattr__(pool.upstream, "url", "http://127.0.0.1:1/v1")
            return await stand.post(ask()), await stand.settled(1)

    got, rows = run(scenario())
    assert got.status == 502
    assert (rows[0].outcome, sum(rows[0].tokens)) == ("upstream_error", 0)


def test_a_kept_connection_that_died_is_replaced_and_nothing_is_owed(tmp_path: Path) -> None:
    """llama.cpp closes kept connections: the request is sent again, as one attempt, one row."""

    async def scenario() -> tuple[list[int], list[Attempt], int]:
        scripts: list[list[Step]] = [GOOD, ["close"], GOOD]
        async with standing(tmp_path, scripts) as stand:
            caller = await stand.connect()
            got = [(await caller.post(ask())).status for _ in range(2)]
            return got, await stand.settled(2), stand.upstreams[0].connections

    got, rows, connections = run(scenario())
    assert got == [200, 200]
    assert [(row.attempt, row.outcome) for row in rows] == [(1, "ok"), (1, "ok")]
    assert connections == 2


def test_idle_connections_are_retired(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with standing(tmp_path, [GOOD], each={"retire_after": 0.1}) as stand:
            await stand.post(ask())
            await asyncio.sleep(0.3)
            assert not stand.core.world.servers["u0"].pool.open
            await stand.post(ask())
            return stand.upstreams[0].connections

    assert run(scenario()) == 2


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_stream_that_breaks_is_broken_for_the_caller_too(tmp_path: Path, end: str) -> None:
    """S10: no false end; what was seen is booked and flagged."""
    script: list[Step] = [
        STREAM_HEAD,
        chunk(delta("a")),
        chunk(delta("b")),
        chunk(b'data: {"cho'),
        0.05,
        end,
    ]
    got, rows = ask_once(tmp_path, [script], [GOOD], body=ask(stream=True))
    assert not got.whole
    assert delta("a") in got.body
    assert (rows[0].outcome, rows[0].basis, rows[0].output) == ("upstream_error", "estimated", 2)


def test_an_upstream_that_stalls(tmp_path: Path) -> None:
    """S14: stalls before the head, after it, and in the middle."""
    got, rows = ask_once(tmp_path, [["hang"]], [GOOD], rows=2, **PATIENCE)
    assert (got.status, [row.outcome for row in rows]) == (200, ["timeout", "ok"])
    assert rows[0].basis == "estimated"
    got, rows = ask_once(tmp_path, [["hang"]], **PATIENCE)
    assert (got.status, got.code) == (504, "upstream_timeout")
    got, rows = ask_once(tmp_path, [[STREAM_HEAD, "hang"]], body=ask(stream=True), **PATIENCE)
    assert got.status == 504
    script: list[Step] = [STREAM_HEAD, chunk(delta("a")), "hang"]
    got, rows = ask_once(tmp_path, [script], body=ask(stream=True), **PATIENCE)
    assert not got.whole
    assert (rows[0].outcome, rows[0].basis, rows[0].output) == ("timeout", "estimated", 1)


def test_a_total_time_bounds_an_answer_that_never_ends(tmp_path: Path) -> None:
    script: list[Step] = [
        STREAM_HEAD,
        *[step for _ in range(100) for step in (chunk(delta("a")), 0.05)],
    ]
    got, rows = ask_once(tmp_path, [script], body=ask(stream=True), gateway={"total_timeout": 0.4})
    assert not got.whole
    assert rows[0].outcome == "timeout"


def test_a_fault_of_the_caller_is_passed_on_without_internals(tmp_path: Path) -> None:
    """CVE-2026-22778: no address, path, host or key in any error."""
    text = (
        "too long; see http://10.1.2.3:8000/x, /usr/lib/vllm/engine.py, 0x7f00deadbeef, "
        "10.1.2.3:8000, sk-abcdefghijkl"
    )
    body = {"error": {"message": text, "code": 400}}
    got, rows = ask_once(tmp_path, [[answer(body, "400 Bad Request")]])
    assert got.status == 400
    assert got.json["error"]["message"].startswith("too long; see [removed]")
    for secret in ("10.1.2.3", "/usr", "0x7f", "sk-abc"):
        assert secret not in got.body.decode()
    assert (rows[0].outcome, rows[0].status, sum(rows[0].tokens)) == ("failed", 400, 0)


def test_a_fault_of_the_upstream_is_worded_by_us(tmp_path: Path) -> None:
    got, rows = ask_once(tmp_path, [[answer(b"Traceback: /srv/x", "500 Internal", "text/plain")]])
    assert (got.status, got.code) == (502, "upstream_error")
    assert b"Traceback" not in got.body
    assert got.headers["content-type"] == "application/json"
    assert rows[0].status == 500


@pytest.mark.parametrize("policy", ["drain", "abort"])
def test_a_caller_that_leaves_before_the_usage_is_billed(tmp_path: Path, policy: str) -> None:
    """M1: read all deltas, leave before the usage chunk."""
    script: list[Step] = [
        STREAM_HEAD,
        *[chunk(delta("x")) for _ in range(5)],
        0.2,
        chunk(REPORT + DONE),
    ]

    async def scenario() -> Attempt:
        settings = {"on_disconnect": policy}
        async with standing(tmp_path, [[*script, LAST_CHUNK]], gateway=settings) as stand:
            caller = await stand.connect()
            await caller.send(post(ask(stream=True)))
            await caller.read_head()
            got = b""
            while got.count(b"data:") < 5:
                got += await caller.read_chunk()
            await caller.close()
            return (await stand.settled(1))[0]

    row = run(scenario())
    assert row.outcome == "client_gone"
    if policy == "drain":
        assert (row.basis, row.tokens) == ("reported", (60, 40, 0, 0, 48, 16))
    else:
        assert (row.basis, row.output) == ("estimated", 5)
        assert row.uncached_input > 0


@pytest.mark.parametrize("policy", ["drain", "abort"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_caller_that_leaves_before_the_first_byte_is_billed(
    tmp_path: Path, policy: str, stream: bool
) -> None:
    """M2."""
    slow: list[Step] = [0.2, *(streamed(delta("a"), REPORT, DONE) if stream else GOOD)]

    async def scenario() -> Attempt:
        settings = {"on_disconnect": policy}
        async with standing(tmp_path, [slow], gateway=settings) as stand:
            caller = await stand.connect()
            await caller.send(post(ask(stream=stream)))
            while not stand.upstreams[0].seen:
                await asyncio.sleep(0.005)
            await caller.close()
            return (await stand.settled(1))[0]

    row = run(scenario())
    assert row.outcome == "client_gone"
    assert row.basis == ("reported" if policy == "drain" else "estimated")
    assert row.uncached_input > 0


def test_draining_for_gone_callers_is_bounded_in_number_and_time(tmp_path: Path) -> None:
    """CVE-2026-9540, disconnect storms: at most `max_drains` at a time, each for so long."""
    script: list[Step] = [STREAM_HEAD, chunk(delta("a")), "hang"]

    async def scenario() -> list[Attempt]:
        settings = {"max_drains": 3, "drain_timeout": 0.3}
        async with standing(tmp_path, [script], gateway=settings) as stand:
            for _ in range(10):
                caller = await stand.connect()
                await caller.send(post(ask(stream=True)))
                await caller.read_head()
                await caller.close()
            while len(stand.rows.rows) < 7:
                await asyncio.sleep(0.01)
            assert stand.core.drains == 3
            rows = await stand.settled(10)
            assert stand.core.drains == 0
            assert stand.core.world.servers["u0"].running == 0
            return rows

    assert {row.outcome for row in run(scenario())} == {"client_gone"}


def test_a_slow_reader_slows_the_upstream(tmp_path: Path) -> None:
    """S11: nothing piles up between a fast upstream and a slow client."""
    piece = chunk(delta("x" * 60_000))

    async def scenario() -> tuple[int, int]:
        sent = 0

        def counting() -> Iterator[Step]:
            nonlocal sent
            yield STREAM_HEAD
            for _ in range(400):
                yield piece
                sent += len(piece)
            yield chunk(REPORT + DONE) + LAST_CHUNK

        async with standing(tmp_path, [counting()]) as stand:
            caller = await stand.connect()
            await caller.send(post(ask(stream=True)))
            await caller.read_head()
            await asyncio.sleep(0.5)
            before = sent
            got = 0
            while data := await caller.read_chunk():
                got += len(data)
            await stand.settled(1)
            return before, got

    before, got = run(scenario())
    assert got > 400 * 60_000
    assert before < 12_000_000  # of 24 MB: socket buffers, and little of our own


def test_the_breaker_opens_and_closes(tmp_path: Path) -> None:
    async def scenario() -> tuple[list[int], int]:
        each = {"failures": 2, "cooldown": 0.2}
        bad = [answer({}, "500 X")]
        async with standing(tmp_path, [bad, bad, GOOD], each=each) as stand:
            statuses = [(await stand.post(ask())).status for _ in range(3)]
            await asyncio.sleep(0.25)
            statuses += [(await stand.post(ask())).status for _ in range(2)]
            return statuses, len(stand.upstreams[0].seen)

    statuses, seen = run(scenario())
    assert statuses == [502, 502, 503, 200, 200]
    assert seen == 4


def test_dead_upstreams_never_get_a_request_that_another_could_serve(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with standing(tmp_path, [["reset"]], [GOOD], each={"failures": 1}) as stand:
            for _ in range(6):
                assert (await stand.post(ask())).status == 200
            return [row.upstream for row in await stand.settled(7)]

    found = run(scenario())
    assert found.count("u0") == 1


def test_the_queue_is_bounded_and_served_by_priority(tmp_path: Path) -> None:
    keys = [
        {"id": name, "hash": hashed(name), "tenant": "acme", "priority": name}
        for name in ("batch", "standard", "interactive")
    ]

    async def scenario() -> tuple[list[str], Answer]:
        each, slow = {"concurrency": 1}, [0.5, answer(COMPLETION)]
        async with standing(tmp_path, [slow], each=each, key=keys, gateway={"queue": 3}) as stand:
            tasks: list[asyncio.Task[Answer]] = []
            for name in ("batch", "batch", "standard", "interactive"):
                tasks.append(asyncio.create_task(stand.post(ask(), token=name)))
                while len(stand.core.live) < len(tasks):
                    await asyncio.sleep(0.005)
            refused = await stand.post(ask(), token=name)
            await asyncio.gather(*tasks)
            return [row.key for row in await stand.settled(4)], refused

    order, refused = run(scenario())
    assert order == ["batch", "interactive", "standard", "batch"]
    assert (refused.status, refused.code) == (429, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1


def test_waiting_is_bounded_in_time_and_leaving_gives_the_place_up(tmp_path: Path) -> None:
    async def scenario() -> tuple[Answer, int]:
        settings = {"queue_timeout": 0.1, "queue": 1}
        async with standing(
            tmp_path, [[0.6, answer(COMPLETION)]], each={"concurrency": 1}, gateway=settings
        ) as stand:
            first = asyncio.create_task(stand.post(ask()))
            await asyncio.sleep(0.05)
            late = await stand.post(ask())
            caller = await stand.connect()
            await caller.send(post(ask()))
            await asyncio.sleep(0.03)
            assert stand.core.queue.length == 1
            await caller.close()
            await asyncio.sleep(0.03)
            left = stand.core.queue.length
            await first
            await stand.settled(1)
            return late, left

    late, left = run(scenario())
    assert (late.status, late.code) == (429, "queue_timeout")
    assert left == 0


def test_a_revoked_key_is_refused_on_an_open_connection(tmp_path: Path) -> None:
    """CVE-2026-12796: a connection is no session; each request is looked up."""

    async def scenario() -> list[int]:
        async with standing(tmp_path, [GOOD]) as stand:
            caller = await stand.connect()
            got = [(await caller.post(ask())).status]
            object.__setattr__(stand.core.world, "ring", {})
            return [*got, (await caller.post(ask())).status]

    assert run(scenario()) == [200, 401]


def test_a_reload_that_drops_the_model_ends_its_failover(tmp_path: Path) -> None:
    async def scenario() -> tuple[Answer, int]:
        async with standing(tmp_path, [[0.2, answer({}, "500 X")]], [GOOD]) as stand:
            asked = asyncio.create_task(stand.post(ask()))
            while not stand.core.live:
                await asyncio.sleep(0.005)
            raw = document([upstream.port for upstream in stand.upstreams])
            for table in raw["upstream"]:
                table["models"] = {"n": "own-n"}
            stand.core.world = build(config.parse(raw, "test"), stand.core.world)
            got = await asyncio.wait_for(asked, 5)
            return got, len(stand.core.live)

    got, live = run(scenario())
    assert (got.status, live) == (502, 0)


def test_a_place_that_a_failover_leaves_is_taken_at_once(tmp_path: Path) -> None:
    """The first upstream fails and is free again while the second one answers for long."""

    async def scenario() -> list[str]:
        failing: list[list[Step]] = [[0.2, answer({}, "500 X")], GOOD]
        slow: list[list[Step]] = [[1.5, answer(COMPLETION)]]
        async with standing(tmp_path, failing, slow, each={"concurrency": 1}) as stand:
            stand.core.world.servers["u1"].enter()  # busy until the first one has failed
            first = asyncio.create_task(stand.post(ask()))
            while not stand.core.live:
                await asyncio.sleep(0.005)
            second = asyncio.create_task(stand.post(ask()))
            while not stand.core.queue.length:
                await asyncio.sleep(0.005)
            stand.core.world.servers["u1"].leave(0.0, failed=False)
            await asyncio.wait_for(second, 1.2)
            await first
            return [row.upstream for row in await stand.settled(3)]

    assert run(scenario()) == ["u0", "u0", "u1"]


class Broken:
    """A budget store that fails in a way that nobody foresaw."""

    def exchange(self, account: Account, want: int, now: float) -> tuple[int, int]:
        raise ZeroDivisionError


def test_a_sweep_that_fails_ends_the_process_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without it nothing times out: a supervisor must start the process again."""
    limit = {"name": "b", "by": "tenant", "hard_usd": "1"}

    async def scenario() -> None:
        gateway = {"listen": "127.0.0.1:0", "control": "127.0.0.1:0", "lb_window": 0.0}
        async with standing(tmp_path, [GOOD], budget=[limit], gateway=gateway) as stand:
            await stand.post(ask())
            stand.core.budgets.accounts.clear()
            spent = stand.core.budgets.reserve({"tenant": "acme"}, 1, time.time())
            assert isinstance(spent, Reservation)
            stand.core.budgets.store = Broken()
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(serve(stand.core, tmp_path / "x", lambda _, __: None), 10)

    run(scenario())
    assert "the sweep failed: ZeroDivisionError" in [each.message for each in caplog.records]
