"""The exact-match cache: off unless sized, never another tenant's, never a cost."""

from pathlib import Path
from typing import Any

from gateway_cases import (
    COMPLETION,
    DONE,
    OTHER,
    REPORT,
    answer,
    ask,
    delta,
    run,
    standing,
    streamed,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.meter.gateway.cache import Cache

SMALL = 1 << 16


def seen_after(
    tmp_path: Path, *bodies: Any, size: int = SMALL, **more: Any
) -> tuple[Any, Any, int]:
    """Post bodies one after the other; return answers, rows and how many reached the upstream."""

    async def scenario() -> tuple[Any, Any, int]:
        script = more.pop("script", [answer(COMPLETION)])
        async with standing(tmp_path, [script], **more.pop("tables", {})) as stand:
            stand.core.cache.capacity, stand.core.cache.ttl = size, more.pop("ttl", 60.0)
            answers = [
                await stand.post(*body)
                if isinstance(body, tuple)
                else await stand.post(body, **more)
                for body in bodies
            ]
            return answers, await stand.settled(len(bodies)), len(stand.upstreams[0].seen)

    return run(scenario())


def test_off_unless_sized(tmp_path: Path) -> None:
    assert seen_after(tmp_path, ask(), ask(), size=0)[2] == 2


def test_the_same_request_is_answered_from_memory_at_no_cost(tmp_path: Path) -> None:
    """Fields in another order are the same request; its row has no tokens and costs nothing."""
    again = dict(reversed(ask(temperature=0).items()))
    answers, rows, seen = seen_after(tmp_path, ask(temperature=0), again)
    assert seen == 1
    assert answers[0].body == answers[1].body
    assert answers[1].headers["x-inferometer-cache"] == "hit"
    assert rows[0].request != rows[1].request == answers[1].headers["x-request-id"]
    assert (rows[1].upstream, rows[1].flags, rows[1].nanos) == ("cache", "cache_hit", 0)
    assert sum(rows[1].tokens) == 0 < sum(rows[0].tokens)


def test_what_differs_is_another_request(tmp_path: Path) -> None:
    bodies = [ask(), ask(temperature=1), ask("n"), ask(user="x"), ask(max_tokens=5)]
    assert seen_after(tmp_path, *bodies)[2] == len(bodies)


def test_another_tenant_and_another_route_do_not_share(tmp_path: Path) -> None:
    chat = "/v1/chat/completions"
    other = {"model": "n", "input": "hello"}
    bodies = [
        (ask("n"), chat),
        (ask("n"), chat, OTHER),
        (other, "/v1/embeddings"),
        (other, "/v1/responses"),
    ]
    assert seen_after(tmp_path, *bodies)[2] == 4


def test_a_caller_may_want_a_fresh_answer(tmp_path: Path) -> None:
    assert seen_after(tmp_path, ask(), ask(), cache_control="no-cache")[2] == 2


def test_a_header_that_is_passed_on_makes_another_request(tmp_path: Path) -> None:
    async def scenario() -> int:
        async with standing(tmp_path, [[answer(COMPLETION)]]) as stand:
            stand.core.cache.capacity, stand.core.cache.ttl = SMALL, 60.0
            for name in ("accept", "anthropic_beta", "anthropic_version", "openai_beta"):
                await stand.post(ask(), **{name: "one"})
                await stand.post(ask(), **{name: "other"})
            await stand.post(ask(), traceparent="00-1")
            await stand.post(ask(), traceparent="00-2")
            return len(stand.upstreams[0].seen)

    assert run(scenario()) == 9


def test_streams_and_failures_are_not_kept(tmp_path: Path) -> None:
    stream = ask(stream=True)
    script = streamed(delta("a"), REPORT, DONE)
    assert seen_after(tmp_path, stream, stream, script=script)[2] == 2
    failed = [answer({"error": {"message": "no"}}, "400 Bad Request")]
    assert seen_after(tmp_path, ask(), ask(), script=failed)[2] == 2
    error = [answer({"error": {"message": "with status 200"}})]
    assert seen_after(tmp_path, ask(), ask(), script=error)[2] == 2


def test_an_answer_grows_old(tmp_path: Path) -> None:
    assert seen_after(tmp_path, ask(), ask(), ttl=0.0)[2] == 2


def test_a_hit_needs_no_budget(tmp_path: Path) -> None:
    """What was paid for once can be had again when the money is used up."""
    limit = {"name": "b", "by": "tenant", "hard_usd": f"{300_000 / 1e9:.9f}"}
    tables = {
        "budget": [limit],
        "gateway": {"secret": "env:INFEROMETER_TEST_SECRET", "reserve_output_tokens": 64},
    }
    first = ask(max_tokens=50)
    answers, _, seen = seen_after(tmp_path, first, first, tables=tables)
    assert [one.status for one in answers] == [200, 200]
    assert seen == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=400)), max_size=60))
def test_size_is_what_is_held_and_never_beyond_capacity(puts: list[tuple[int, bytes]]) -> None:
    cache = Cache(4096, 60.0)
    last: dict[bytes, bytes] = {}
    for key, value in puts:
        cache.put(bytes([key]), value)
        last[bytes([key])] = value
        assert cache.size <= cache.capacity
        assert cache.get(bytes([key])) == value
    found = {key: cache.get(key) for key in last}
    assert all(found[key] in {None, value} for key, value in last.items())
    assert cache.size == sum(len(value) + 200 for value in found.values() if value is not None)
