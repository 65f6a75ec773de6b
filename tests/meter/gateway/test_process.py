"""The gateway as a process: real signals, real files, killed under load."""

import asyncio
import contextlib
import signal
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from gateway_cases import (
    COMPLETION,
    DONE,
    REPORT,
    Step,
    answer,
    ask,
    delta,
    post,
    run,
    streamed,
)
from process_cases import Running, ended, rows_of, started, upstream, write

CANARY = "canary-7f3a-prompt-that-must-not-be-kept"


async def _ask_for_ever(running: Running, told: list[str], stream: bool) -> None:
    """Ask again and again; note the ids of answers that came to their end."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
        caller = await running.caller()
        while True:
            got = await caller.post(ask(stream=stream))
            if got.status == 200 and got.whole:
                told.append(got.headers["x-request-id"])


async def _killed_rounds(folder: Path, rounds: int) -> tuple[list[str], int]:
    told: list[str] = []
    async with upstream([0.01, answer(COMPLETION)], streamed(delta("a"), REPORT, DONE)) as server:
        config = write(folder, server.port, lb_window=0.0)
        for _ in range(rounds):
            async with started(config) as running:
                load = [
                    asyncio.create_task(_ask_for_ever(running, told, n % 2 == 0)) for n in range(8)
                ]
                before = len(told)
                while len(told) < before + 40:
                    await asyncio.sleep(0.01)
                running.process.kill()
                await asyncio.gather(*load)
        async with started(config) as running:  # takes over what the dead ones left
            assert await ended(running) == 0
        return told, len(server.seen)


@pytest.mark.parametrize("rounds", [3, pytest.param(200, marks=pytest.mark.soak)])
def test_kill_9_under_load_loses_nothing_and_doubles_nothing(tmp_path: Path, rounds: int) -> None:
    """M11, (d) of the acceptance list: every answer that ended has one row, after every kill."""
    told, sent = run(_killed_rounds(tmp_path, rounds), limit=60.0 * rounds)
    found = rows_of(tmp_path)
    times = Counter((request, attempt) for request, attempt, _, _ in found)
    assert set(times.values()) == {1}
    assert not set(told) - {request for request, _, _, _ in found}
    assert len(told) >= 40 * rounds
    assert len(found) <= sent + rounds * 8  # those begun and cut off are booked as such
    assert {outcome for _, _, outcome, _ in found} <= {"ok", "interrupted", "client_gone"}


def test_drain_finishes_what_runs_and_serves_until_the_balancer_knows(tmp_path: Path) -> None:
    async def scenario() -> None:
        slow = [*streamed(delta("a"))[:-1], 1.0, *streamed(delta("b"), REPORT, DONE)[1:]]
        async with upstream(slow, [answer(COMPLETION)]) as server:
            config = write(tmp_path, server.port, lb_window=0.6)
            async with started(config) as running:
                assert (await running.get("/readyz")).status == 200
                caller = await running.caller()
                await caller.send(post(ask(stream=True)))
                await caller.read_head()
                running.process.terminate()
                while (await running.get("/readyz")).status != 503:
                    await asyncio.sleep(0.01)
                assert (await running.get("/livez")).status == 200
                late = await (await running.caller()).post(ask())  # still accepted
                assert late.status == 200
                assert late.headers["connection"] == "close"
                body = b""
                while data := await caller.read_chunk():
                    body += data
                assert body == delta("a") + delta("b") + DONE
                assert await running.process.wait() == 0
        assert [outcome for _, _, outcome, _ in rows_of(tmp_path)] == ["ok", "ok"]

    run(scenario())


def test_a_second_signal_ends_it_now_and_books_what_was_seen(tmp_path: Path) -> None:
    async def scenario() -> None:
        hanging: list[Step] = [*streamed(delta("a"))[:-1], "hang"]
        async with (
            upstream(hanging) as server,
            started(write(tmp_path, server.port, lb_window=30.0)) as running,
        ):
            caller = await running.caller()
            await caller.send(post(ask(stream=True)))
            await caller.read_head()
            running.process.send_signal(signal.SIGTERM)
            while (await running.get("/readyz")).status != 503:
                await asyncio.sleep(0.01)
            running.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(running.process.wait(), 10) == 0
        assert [row[2:] for row in rows_of(tmp_path)] == [("interrupted", "estimated")]

    run(scenario())


@pytest.mark.parametrize("bad", ["[gateway\n", '{as_it_was}\n[rows]\nurl = "http://127.0.0.1:1"\n'])
def test_reload_takes_a_good_file_and_keeps_the_old_for_a_bad_one(tmp_path: Path, bad: str) -> None:
    async def scenario() -> None:
        async with upstream([answer(COMPLETION)]) as server:
            config = write(tmp_path, server.port, lb_window=0.0)
            async with started(config) as running:
                caller = await running.caller()
                assert (await caller.post(ask(), token="sk-new")).status == 401  # noqa: S106
                as_it_was = config.read_text(encoding="utf-8")
                config.write_text(bad.format(as_it_was=as_it_was), encoding="utf-8")
                await _reloaded(running, "kept")
                assert (await caller.post(ask())).status == 200
                write(tmp_path, server.port, keys=("sk-new",), lb_window=0.0)
                await _reloaded(running, "ok")
                assert (await caller.post(ask())).status == 401
                assert (await caller.post(ask(), token="sk-new")).status == 200  # noqa: S106
                assert await ended(running) == 0

    run(scenario())


def test_a_reload_empties_the_cache(tmp_path: Path) -> None:
    """Another upstream may answer otherwise."""

    async def scenario() -> list[int]:
        async with upstream([answer(COMPLETION)]) as server:
            config = write(tmp_path, server.port, lb_window=0.0, cache_mib=1)
            async with started(config) as running:
                caller = await running.caller()
                seen = []
                for _ in range(2):
                    await caller.post(ask())
                    seen.append(len(server.seen))
                await _reloaded(running, "ok")
                await caller.post(ask())
                return [*seen, len(server.seen)]

    assert run(scenario()) == [1, 1, 2]


NAMES = ("x\r\ny", "\x1b[31m", "\u202e", 'a"b\\', "<script>", "=cmd()", "", "m" * 10_240)


def test_a_flood_of_model_names_makes_no_label(tmp_path: Path) -> None:
    """L1, L2, L3: unknown models, hostile ones and those that are no text make no series."""

    async def scenario() -> tuple[int, set[int], str, str]:
        async with (
            upstream([answer(COMPLETION)]) as server,
            started(write(tmp_path, server.port, lb_window=0.0)) as running,
        ):
            caller = await running.caller()
            statuses = set[int]()
            for model in ("unknown", 7):
                statuses.add((await caller.post(ask(model=model))).status)
            before = (await running.get("/metrics")).body.decode().count("\n")
            for model in (*NAMES, ["m"], {"m": 1}, *(f"canary-{n}" for n in range(300))):
                statuses.add((await caller.post(ask(model=model))).status)
            after = (await running.get("/metrics")).body.decode()
            assert await ended(running) == 0
            return before, statuses, after, running.log.decode()

    before, statuses, after, log = run(scenario())
    assert statuses <= {400, 404}
    assert after.count("\n") == before
    for sign in ("canary", "script", "cmd", "\x1b", "\u202e"):
        assert sign not in after + log


PRICES = """
[[price]]
provider = "self-hosted"
model = "{model}"
valid_from = 2020-01-01
source = "made up"
input = "1"
output = "2"
"""


def test_a_model_that_a_reload_adds_has_its_price(tmp_path: Path) -> None:
    """Its rows are priced, and the price they name is kept beside them."""
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES.format(model="m") + PRICES.format(model="new"), encoding="utf-8")

    async def scenario() -> None:
        async with upstream([answer({**COMPLETION, "model": "new"})]) as server:
            config = write(tmp_path, server.port, lb_window=0.0, prices=str(prices))
            async with started(config) as running:
                text = config.read_text(encoding="utf-8")
                config.write_text(text.replace('{m = "m"}', '{new = "new"}'), encoding="utf-8")
                await _reloaded(running, "ok")
                caller = await running.caller()
                assert (await caller.post(ask("new"))).status == 200
                assert await ended(running) == 0

    run(scenario())
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        found = database.execute(
            "SELECT nano_output > 0, row LIKE '%\"new\"%' FROM attempt JOIN price ON price = id"
        ).fetchall()
    assert found == [(1, 1)]


@pytest.mark.parametrize("change", [{"prices": "other.toml"}, {"reservation_ttl": 9999.0}])
def test_a_reload_that_would_change_what_is_fixed_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    async def scenario() -> None:
        async with upstream([answer(COMPLETION)]) as server:
            async with started(write(tmp_path, server.port, lb_window=0.0)) as running:
                write(tmp_path, server.port, lb_window=0.0, **change)
                await _reloaded(running, "kept")
                assert await ended(running) == 0
            assert b"cannot change without a restart" in running.log

    run(scenario())


async def _reloaded(running: Running, result: str) -> None:
    running.process.send_signal(signal.SIGHUP)
    line = f'reloads_total{{result="{result}"}} 1'
    while line not in (await running.get("/metrics")).body.decode():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("durability", ["window", "strict"])
def test_no_prompt_completion_or_key_is_kept_anywhere(tmp_path: Path, durability: str) -> None:
    """U10: canaries in prompt, completion, key and names; all files, logs, metrics read."""

    async def scenario() -> bytes:
        said = {**COMPLETION, "choices": [{"message": {"content": f"{CANARY}-out"}}]}
        script = streamed(delta(f"{CANARY}-out"), REPORT, DONE)
        async with upstream([answer(said)], script, [answer({"x": CANARY}, "500 X")]) as server:
            config = write(tmp_path, server.port, durability=durability, lb_window=0.0)
            async with started(config) as running:
                caller = await running.caller()
                for stream in (False, True, False):
                    body = ask(stream=stream, messages=[{"role": "user", "content": CANARY}])
                    await caller.post(body)
                await caller.post({"model": CANARY + "\r\n\x1b[31m"})
                await caller.post(ask(), token=CANARY)
                metrics = (await running.get("/metrics")).body
                running.process.kill()
                await running.process.wait()
            return bytes(running.log) + metrics

    spoken = run(scenario())
    assert b"attempts_total" in spoken
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"acme" in kept
    for found in (spoken, kept):
        assert CANARY.encode() not in found
        assert b"sk-alice" not in found
