"""Rates, concurrency, breakers and the order of servers."""

import asyncio
from pathlib import Path

from gateway_cases import COMPLETION, TOKEN, answer, ask, document, hashed, run, standing
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.meter import config
from inferometer.meter.config import Key, Tenant
from inferometer.meter.gateway.rates import Bucket, admit, gate, leave
from inferometer.meter.gateway.servers import Server, by_prefix, cheapest, least_loaded, prefix_of
from inferometer.meter.gateway.world import build

GOOD = [answer(COMPLETION)]


@settings(deadline=None)
@given(
    st.integers(1, 1000),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), min_size=1, max_size=40),
)
def test_a_bucket_never_gives_more_than_a_minutes_worth_beyond_its_rate(
    per_minute: int, asks: list[tuple[float, int]]
) -> None:
    bucket, now, given_out = Bucket(per_minute), 0.0, 0
    for pause, amount in asks:
        now += pause
        if bucket.wait(amount, now) == 0:
            bucket.take(amount)
            given_out += amount
        excess = max(0, max(amount for _, amount in asks) - per_minute)
        assert given_out <= per_minute + now * per_minute / 60 + excess + 1e-6


@settings(deadline=None)
@given(st.integers(1, 100), st.integers(1, 200), st.floats(0, 200))
def test_the_wait_that_is_named_is_long_enough(per_minute: int, amount: int, later: float) -> None:
    bucket = Bucket(per_minute)
    bucket.take(per_minute)
    wait = bucket.wait(amount, 0.0)
    assert bucket.wait(amount, wait + 1e-6) <= 1e-6
    assert bucket.wait(amount, wait + later + 1e-6) <= 1e-6


def test_all_gates_or_none() -> None:
    key = gate(Key(id="k", hash="", tenant="t", requests_per_minute=10))
    tenant = gate(Tenant(name="t", tokens_per_minute=100))
    assert admit((key, tenant), 80, 0.0) == 0
    assert admit((key, tenant), 80, 0.0) > 0
    assert key.requests is not None
    assert key.requests.level == 9
    assert (key.running, tenant.running) == (1, 1)
    leave((key, tenant), 80, 30)
    assert admit((key, tenant), 60, 0.0) == 0


def test_limits_hold_over_the_wire(tmp_path: Path) -> None:
    keys = [{"id": "k", "hash": hashed(TOKEN), "tenant": "t", "requests_per_minute": 3}]

    async def scenario() -> list[int]:
        async with standing(tmp_path, [GOOD], key=keys) as stand:
            answers = [await stand.post(ask()) for _ in range(4)]
            assert answers[-1].code == "rate_limited"
            assert 1 <= int(answers[-1].headers["retry-after"]) <= 21
            return [got.status for got in answers]

    assert run(scenario()) == [200, 200, 200, 429]


def test_tokens_of_concurrent_requests_cannot_leak(tmp_path: Path) -> None:
    """A burst is judged by what it may use, and corrected by what it used."""

    keys = [{"id": "k", "hash": hashed(TOKEN), "tenant": "t", "tokens_per_minute": 1000}]

    async def scenario() -> tuple[int, int]:
        async with standing(tmp_path, [[0.2, answer(COMPLETION)]], key=keys) as stand:
            body = ask(max_tokens=400)
            got = await asyncio.gather(*(stand.post(body) for _ in range(20)))
            await stand.settled(2)
            later = await stand.post(body)
            return sum(each.status == 200 for each in got), later.status

    assert run(scenario()) == (2, 200)


def test_concurrency_of_a_tenant(tmp_path: Path) -> None:

    async def scenario() -> list[int]:
        tenants = [{"name": "acme", "concurrency": 2}]
        async with standing(tmp_path, [[0.2, answer(COMPLETION)]], tenant=tenants) as stand:
            got = await asyncio.gather(*(stand.post(ask()) for _ in range(5)))
            await stand.settled(2)
            again = await stand.post(ask())
            return sorted(each.status for each in [*got, again])

    assert run(scenario()) == [200, 200, 200, 429, 429, 429]


def servers(count: int) -> list[Server]:
    world = build(config.parse(document([9000 + n for n in range(count)]), "test"))
    return list(world.servers.values())


def free(_: Server) -> int | None:
    return None


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=6))
def test_least_loaded_takes_the_least_loaded(loads: list[int]) -> None:
    found = servers(len(loads))
    for server, load in zip(found, loads, strict=True):
        server.running = load
    assert least_loaded(found, b"", free)[0].running == min(loads)


def test_equal_servers_take_turns_by_weight() -> None:
    first, second = servers(2)
    for _ in range(100):
        chosen = least_loaded([first, second], b"", free)[0]
        chosen.enter()
        chosen.leave(0.0, failed=False)
    assert (first.served, second.served) == (50, 50)


def test_a_prefix_finds_its_server_again_unless_it_is_overloaded() -> None:
    found = servers(5)
    homes = {}
    for n in range(200):
        prefix = prefix_of(b"secret-of-this-deployment", "t", b"system prompt %d" % n)
        home = by_prefix(found, prefix, free)[0]
        assert by_prefix(found[::-1], prefix, free)[0] is home
        fewer = [server for server in found if server is not found[0]]
        if home is not found[0]:  # only what lived on the lost server moves
            assert by_prefix(fewer, prefix, free)[0] is home
        homes.setdefault(home.name, []).append(n)
    assert all(20 < len(names) < 60 for names in homes.values())
    prefix = prefix_of(b"secret-of-this-deployment", "t", b"system prompt 0")
    home = by_prefix(found, prefix, free)[0]
    home.running = 10
    assert by_prefix(found, prefix, free)[0] is not home


def test_the_same_prompt_of_two_tenants_is_two_prefixes() -> None:
    """CVE-2025-46570: the salt differs by tenant, in routing and in the engine's cache."""
    secret = b"secret-of-this-deployment"
    assert prefix_of(secret, "a", b"same") != prefix_of(secret, "b", b"same")
    assert prefix_of(secret, "a", b"same") != prefix_of(b"another-secret-of-one", "a", b"same")
    world = build(config.parse(document([9000]), "test"))
    assert world.salts["acme"] != world.salts["other"]


def test_the_cheapest_first_and_the_unpriced_last() -> None:
    found = servers(3)
    prices = {"u0": None, "u1": 50, "u2": 20}
    order = cheapest(found, b"", lambda server: prices[server.name])
    assert [server.name for server in order] == ["u2", "u1", "u0"]
