"""Budgets: never beyond the hard limit, whatever comes between, over processes too."""

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_cases import COMPLETION, TOKEN, FlatPrices, answer, ask, hashed, run, standing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inferometer.meter.budget import (
    SEPARATOR,
    Account,
    Budgets,
    Denial,
    Reservation,
    compiled,
    period_start,
    recovered,
    since_ns,
)
from inferometer.meter.budget_store import LEASE_TTL, BudgetStore
from inferometer.meter.config import Limit

NOW = 1_800_000_000.0
LIMIT = Limit(name="cap", by="key", period="day", hard_usd="0.000001", soft_usd="0.0000005")
GOOD = [answer(COMPLETION)]
COST = 100 * 1_000 + 64 * 2_000


OPEN: list[BudgetStore] = []


@pytest.fixture(autouse=True)
def stores_are_closed() -> Iterator[None]:
    yield
    closed()


def closed() -> None:
    while OPEN:
        OPEN.pop().close()


def opened(folder: Path, owner: str) -> BudgetStore:
    OPEN.append(BudgetStore(folder / "budgets", owner))
    return OPEN[-1]


def books(
    folder: Path, *limits: Limit, owner: str = "a", warned: list[str] | None = None
) -> Budgets:
    store = opened(folder, owner)
    told = warned if warned is not None else []
    return Budgets(
        compiled(limits or (LIMIT,)), store, 60.0, lambda account: told.append(account.id)
    )


def taken(found: Reservation | Denial | None) -> Reservation:
    assert isinstance(found, Reservation)
    return found


def test_reserve_settle_deny(tmp_path: Path) -> None:
    budgets = books(tmp_path)
    first = taken(budgets.reserve({"key": "k"}, 600, NOW))
    denied = budgets.reserve({"key": "k"}, 600, NOW)
    assert isinstance(denied, Denial)
    assert (denied.limit, denied.subject) == (LIMIT, "k")
    budgets.settle(first, 300)
    taken(budgets.reserve({"key": "k"}, 600, NOW))
    assert budgets.reserve({"key": ""}, 600, NOW) is None
    taken(budgets.reserve({"key": "other"}, 600, NOW))


def test_all_budgets_or_none(tmp_path: Path) -> None:
    small = Limit(name="small", by="run", hard_usd="0.0000001")
    budgets = books(tmp_path, LIMIT, small)
    denied = budgets.reserve({"key": "k", "run": "r"}, 200, NOW)
    assert isinstance(denied, Denial)
    assert denied.limit is small
    assert all(account.reserved == 0 for account in budgets.accounts.values())
    taken(budgets.reserve({"key": "k"}, 1000, NOW))


def test_a_reservation_that_is_never_settled_runs_out(tmp_path: Path) -> None:
    """M5."""
    budgets = books(tmp_path)
    leaked = taken(budgets.reserve({"key": "k"}, 1000, NOW))
    assert isinstance(budgets.reserve({"key": "k"}, 1, NOW), Denial)
    budgets.sweep(NOW + 61)
    assert not budgets.live
    taken(budgets.reserve({"key": "k"}, 1000, NOW + 61))
    budgets.settle(leaked, 5)  # late, but it did cost
    assert sum(account.unsent for account in budgets.accounts.values()) == 5


def test_a_new_period_is_a_new_account(tmp_path: Path) -> None:
    budgets = books(tmp_path)
    budgets.settle(taken(budgets.reserve({"key": "k"}, 1000, NOW)), 1000)
    assert isinstance(budgets.reserve({"key": "k"}, 1, NOW), Denial)
    taken(budgets.reserve({"key": "k"}, 1000, NOW + 86_400))
    assert isinstance(budgets.reserve({"key": "k"}, 1, NOW), Denial)  # M10: the clock went back


@pytest.mark.parametrize(
    ("period", "now", "start"),
    [
        ("minute", 1_709_164_799.9, "2024-02-28T23:59Z"),
        ("hour", 1_709_164_799.9, "2024-02-28T23Z"),
        ("day", 1_709_164_800.0, "2024-02-29"),
        ("month", 1_709_251_199.9, "2024-02"),
        ("month", 1_709_251_200.0, "2024-03"),
        ("total", 0.0, ""),
    ],
)
def test_periods_start_in_utc(period: Any, now: float, start: str) -> None:
    """M10: leap day, month's end; UTC knows no summer time."""
    assert period_start(period, now) == start
    assert since_ns(start) <= now * 1e9


def test_a_soft_limit_is_told_once(tmp_path: Path) -> None:
    warned: list[str] = []
    budgets = books(tmp_path, warned=warned)
    for _ in range(3):
        budgets.settle(taken(budgets.reserve({"key": "k"}, 200, NOW)), 200)
        budgets.sweep(NOW)
    assert warned == [SEPARATOR.join(("cap", "k", period_start("day", NOW)))]


def test_an_account_that_was_warned_is_forgotten_when_its_period_is_over(tmp_path: Path) -> None:
    warned: list[str] = []
    budgets = books(tmp_path, warned=warned)
    budgets.settle(taken(budgets.reserve({"key": "k"}, 600, NOW)), 600)
    for later in (0, 1, 2):
        budgets.sweep(NOW + later)
    assert (len(warned), len(budgets.accounts)) == (1, 1)
    for later in (86_400, 86_401):
        budgets.sweep(NOW + later)
    assert (len(warned), budgets.accounts) == (1, {})


def test_a_soft_limit_alone_denies_nothing(tmp_path: Path) -> None:
    warned: list[str] = []
    budgets = books(tmp_path, Limit(name="s", by="key", soft_usd="0.000000001"), warned=warned)
    assert not budgets.bounds({"key": "k"})
    for _ in range(5):
        budgets.settle(taken(budgets.reserve({"key": "k"}, 10**12, NOW)), 10**12)
    budgets.sweep(NOW)
    assert len(warned) == 1


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 400), st.floats(0, 1), st.booleans()),
        max_size=40,
    )
)
def test_processes_never_spend_more_than_the_limit(
    tmp_path: Path, steps: list[tuple[int, int, float, bool]]
) -> None:
    """Three processes' books on one store, in any order: spent + reserved <= hard, always."""
    closed()
    for leftover in tmp_path.glob("budgets*"):
        leftover.unlink()
    processes = [books(tmp_path, owner=name) for name in "abc"]
    spent, held = 0, 0
    for who, amount, share, sweep in steps:
        found = processes[who].reserve({"key": "k"}, amount, NOW)
        if isinstance(found, Reservation):
            held += amount
            if share < 0.7:
                cost = int(amount * share)
                processes[who].settle(found, cost)
                held -= amount
                spent += cost
        assert spent + held <= 1000
        if sweep:
            processes[who].sweep(NOW)
    for each in processes:
        each.sweep(NOW)
    if held == 0 and spent < 1000:  # what is left can be had by any one of them
        taken(processes[0].reserve({"key": "k"}, 1000 - spent, NOW))


def test_a_dead_process_gives_its_lease_back_and_the_ledger_knows_the_rest(tmp_path: Path) -> None:
    dead, alive = books(tmp_path, owner="dead"), books(tmp_path, owner="alive")
    dead.settle(taken(dead.reserve({"key": "k"}, 900, NOW)), 400)  # told to nobody
    assert isinstance(alive.reserve({"key": "k"}, 500, NOW), Denial)
    later = NOW + LEASE_TTL + 1
    store = opened(tmp_path, "new")

    def ledger(dimension: str, value: str, since: int) -> int:
        assert (dimension, value, since) == ("key", "k", since_ns(period_start("day", NOW)))
        return 400

    store.raise_to(recovered(store.names(), (LIMIT,), ledger))
    assert isinstance(alive.reserve({"key": "k"}, 601, later), Denial)
    taken(alive.reserve({"key": "k"}, 600, later))


def test_a_death_beside_the_living_closes_a_limit_early_and_never_late(tmp_path: Path) -> None:
    """The living have not told 200 of the 500 that the ledger knows: these count twice."""
    living, dead = books(tmp_path, owner="living"), books(tmp_path, owner="dead")
    living.settle(taken(living.reserve({"key": "k"}, 300, NOW)), 200)
    dead.settle(taken(dead.reserve({"key": "k"}, 300, NOW)), 300)
    fresh = books(tmp_path, owner="fresh")
    store = opened(tmp_path, "fresh")
    store.raise_to(dict.fromkeys(store.names(), 500))
    for later in (1, 2, LEASE_TTL + 1):
        living.sweep(NOW + later)
    after = NOW + LEASE_TTL + 2
    assert isinstance(fresh.reserve({"key": "k"}, 501, after), Denial)
    taken(fresh.reserve({"key": "k"}, 300, after))


def _race(folder: str, owner: str, tries: int) -> int:
    budgets = books(Path(folder), owner=owner)
    won = 0
    for _ in range(tries):
        if isinstance(budgets.reserve({"key": "k"}, 100, NOW), Reservation):
            won += 1
    return won


def test_a_race_of_real_processes(tmp_path: Path) -> None:
    """M4 over processes: 4 x 25 reservations of a tenth of the budget; ten at most are had."""
    books(tmp_path)
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        won = pool.starmap(_race, [(str(tmp_path), str(n), 25) for n in range(4)])
    assert sum(won) == 10


def capped(dollars: str, **more: Any) -> dict[str, Any]:
    return {"budget": [{"name": "cap", "by": "key", "hard_usd": dollars, **more}]}


@pytest.mark.parametrize("callers", [64, 100])
def test_concurrent_requests_never_overshoot(tmp_path: Path, callers: int) -> None:
    """M4: many at once against a budget for ten; the excess is denied, not sent."""
    body = ask(max_tokens=64)
    most = len(json.dumps(body)) * 1_000 + 64 * 2_000
    hard = f"{most * 10 / 1e9:.9f}"

    async def scenario() -> tuple[list[int], int, int]:
        async with standing(tmp_path, [[0.1, answer(COMPLETION)]], **capped(hard)) as stand:
            got = await asyncio.gather(*(stand.post(body) for _ in range(callers)))
            denied = [each for each in got if each.status == 402]
            assert {each.code for each in denied} == {"budget_exceeded"}
            assert {each.headers["x-should-retry"] for each in denied} == {"false"}
            await stand.settled(len(got) - len(denied))
            return [each.status for each in got], len(stand.upstreams[0].seen), len(denied)

    statuses, sent, denied = run(scenario())
    assert statuses.count(200) == sent == 10
    assert denied == callers - 10


def test_what_is_not_used_is_free_again(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with standing(tmp_path, [GOOD], **capped(f"{COST * 4 / 1e9:.9f}")) as stand:
            got = [(await stand.post(ask(max_tokens=64))).status for _ in range(8)]
            await stand.settled(got.count(200))
            return got

    got = run(scenario())
    assert got.count(200) in {3, 4}
    assert got == sorted(got)


def test_an_unpriced_model_is_denied_where_a_budget_applies(tmp_path: Path) -> None:
    """M6: never free of the budget; and without one it is served, unpriced."""
    prices = FlatPrices(frozenset({"own-m", "m"}))

    async def scenario(**more: Any) -> tuple[int, str, int | None]:
        async with standing(tmp_path, [GOOD], prices=prices, **more) as stand:
            got = await stand.post(ask())
            rows = await stand.settled(int(got.status == 200))
            return (
                got.status,
                got.json.get("error", {}).get("code", ""),
                rows[0].nanos if rows else 0,
            )

    assert run(scenario(**capped("1"))) == (402, "unpriced_model", 0)
    assert run(scenario()) == (200, "", None)
    allowed = {"gateway": {"unpriced": "allow"}, **capped("1")}
    assert run(scenario(**allowed)) == (200, "", None)


def test_a_dearer_upstream_cannot_go_round_the_cap(tmp_path: Path) -> None:
    """M20: the reservation is for the dearest of those that may serve."""

    async def scenario() -> int:
        upstreams = [
            {"name": n, "url": "http://127.0.0.1:9/v1", "models": {"m": n, "n": n}}
            for n in ("own", "dear")
        ]
        async with standing(tmp_path, upstream=upstreams, **capped("1")) as stand:
            bounds = {"own": 5, "dear": 2_000_000_000}
            object.__setattr__(stand.core, "prices", _Bounds(bounds))
            return (await stand.post(ask())).status

    assert run(scenario()) == 402


class _Bounds:
    def __init__(self, bounds: dict[str, int]) -> None:
        self.bounds = bounds

    def bound(self, provider: str, model: str, inputs: int, outputs: int, tier: str = "") -> int:
        return self.bounds[model]


@pytest.mark.parametrize("by", ["key", "tenant", "session", "run", "model"])
def test_every_dimension(tmp_path: Path, by: str) -> None:
    key = {"id": "alice", "hash": hashed(TOKEN), "tenant": "acme", "may_attribute": True}
    budget = [{"name": "b", "by": by, "hard_usd": "0.0000001", "period": "total"}]
    names = {"x_inferometer_session": "s", "x_inferometer_run": "r"}

    async def scenario() -> int:
        async with standing(tmp_path, [GOOD], key=[key], budget=budget) as stand:
            return (await stand.post(ask(), **names)).status

    assert run(scenario()) == 402


def test_an_account_is_forgotten_when_nothing_holds_it(tmp_path: Path) -> None:
    budgets = books(tmp_path, Limit(name="r", by="run", hard_usd="1"))
    for n in range(50):
        budgets.settle(taken(budgets.reserve({"run": f"r{n}"}, 10, NOW)), 10)
    budgets.sweep(NOW)
    assert not budgets.accounts
    found = budgets.store.exchange(Account(_id("r7"), compiled((LIMIT,))[0]), 0, NOW)
    assert found == (0, 10)


def _id(run_name: str) -> str:
    return SEPARATOR.join(("r", run_name, period_start("month", NOW)))
