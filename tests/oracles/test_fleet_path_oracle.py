"""The way through the slots against the program of them all, its pieces against naive twins."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from fleet_cases import HOUR, load, pool, serves
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.plan.fleet import solve as solving
from inferometer.plan.fleet.carrying import Sharing, least_work, work_of
from inferometer.plan.fleet.path import cheapest_way, kept_way, search_of
from inferometer.plan.fleet.pool import Load, Market, Pool
from inferometer.plan.fleet.program import Program, Solution, keeps, kept_on
from inferometer.plan.fleet.route import shortest, shortest_kept

SEEDS = st.integers(0, 10**6)


def case(seed: int, slots: int = 5) -> tuple[list[Pool], Load, Market]:
    """Return three pools, one of them spot, whose starts and energy cost something."""
    random = np.random.default_rng(seed)
    pools = [
        replace(
            pool(f"p{place}", float(random.uniform(0.5, 3)), list(random.uniform(0.5, 5, 3)),
                 start=float(random.uniform(60, 900)), most=20, spot=place == 2),
            energy=random.uniform(0, 2e4, 3), idle=float(random.uniform(0, 500)),
        )
        for place in range(3)
    ]  # fmt: skip
    asked = load(random.uniform(0.2, 6, (3, slots)).tolist(), spot=float(random.uniform(0.2, 1)))
    return pools, asked, Market(energy=random.uniform(0, 1e-7, slots))


def alone_of(pools: list[Pool], asked: Load, market: Market) -> list[Solution]:
    found = []
    for slot in range(asked.slots):
        piece = solving._piece(pools, asked, market, slice(slot, slot + 1))  # noqa: SLF001
        one = solving._solved(piece, 1e-9, 60, None)  # noqa: SLF001
        assert one is not None
        found.append(one)
    return found


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_the_way_costs_what_the_whole_program_costs(seed: int) -> None:
    pools, asked, market = case(seed)
    search = search_of(pools, asked, market, alone_of(pools, asked, market), 1e-9)
    way = cheapest_way(search)
    whole = solving._solved(Program(pools, asked, market), 1e-9, 60, None)  # noqa: SLF001
    assert way is not None
    assert whole is not None
    assert way.cost == pytest.approx(whole.cost, rel=1e-6)
    assert way.bound <= whole.cost * (1 + 1e-6)
    kept = kept_way(search, way)
    long = replace(market, min_on=2)
    held = solving._solved(Program(pools, asked, long), 1e-9, 60, None)  # noqa: SLF001
    assert held is not None
    assert way.bound <= held.cost * (1 + 1e-6)  # fleets that must stay are a part of all
    if kept is not None and keeps(kept, 2):
        assert kept.cost >= held.cost * (1 - 1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_work_is_shared_out_where_it_can_be_and_prices_prove_it(seed: int) -> None:
    pools, asked, market = case(seed, slots=2)
    work = work_of(pools, asked, market)
    rents = np.array([one.price * HOUR for one in pools])
    for counts in product((0, 1, 4), repeat=3):
        found = Sharing(work, 1, rents).carried(np.array(counts))
        assert found.lacks != serves(pools, counts, asked, 1)
        value = least_work(work, found.prices, costs=not found.lacks)[1]
        short = value - float(found.prices @ np.array(counts))
        if found.lacks:
            assert short > 0
        else:
            assert short == pytest.approx(found.cost, rel=1e-6, abs=1e-9)
            used = np.where(np.isfinite(work.each[:, :, 1]), work.each[:, :, 1], 0) * found.shares
            assert (used.sum(axis=1) <= np.array(counts) + 1e-6).all()


def stages(seed: int, slots: int) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    random = np.random.default_rng(seed)
    fleets = [np.unique(random.integers(0, 4, (4, 2)), axis=0) for _ in range(slots)]
    costs = [random.uniform(1, 3, len(one)) for one in fleets]
    return fleets, costs, random.uniform(0, 1, (2, slots))


def naive(
    fleets: list[np.ndarray], costs: list[np.ndarray], starts: np.ndarray, min_on: int
) -> dict[tuple[int, ...], float]:
    """Return every way and what it costs, those left out that stop replicas too early."""
    found = {}
    for way in product(*(range(len(one)) for one in fleets)):
        on = np.stack([one[at] for one, at in zip(fleets, way, strict=True)], axis=1)
        begun = np.maximum(on - np.roll(on, 1, axis=1), 0)
        recent = sum(np.roll(begun, shift, axis=1) for shift in range(min_on))
        if (recent <= on).all():
            rent = sum(float(one[at]) for one, at in zip(costs, way, strict=True))
            found[way] = rent + float((starts * begun).sum())
    return found


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, slots=st.integers(2, 5))
def test_ways_are_the_cheapest_of_all(seed: int, slots: int) -> None:
    fleets, costs, starts = stages(seed, slots)
    every = naive(fleets, costs, starts, 1)
    way, cost = shortest(fleets, costs, starts)
    assert cost == pytest.approx(min(every.values()))
    assert every[tuple(way.tolist())] == pytest.approx(cost)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, slots=st.integers(3, 5))
def test_kept_ways_are_the_cheapest_through_two_given_fleets(seed: int, slots: int) -> None:
    fleets, costs, starts = stages(seed, slots)
    given_way, _ = shortest(fleets, costs, starts)
    ring = np.stack([one[at] for one, at in zip(fleets, given_way, strict=True)], axis=1)
    first = int(np.argmin([one.min() for one in costs]))
    held = {first, (first - 1) % slots}
    every = {
        way: cost
        for way, cost in naive(fleets, costs, starts, 2).items()
        if all(way[slot] == given_way[slot] for slot in held)
    }
    way, cost = shortest_kept(fleets, costs, starts, way=ring)
    assert np.isfinite(cost) == bool(every)
    if every:
        assert cost == pytest.approx(min(every.values()))
        assert every[tuple(way.tolist())] == pytest.approx(cost)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, min_on=st.integers(1, 6), slots=st.integers(2, 9))
def test_replicas_are_kept_on_by_adding_only(seed: int, min_on: int, slots: int) -> None:
    on = np.random.default_rng(seed).integers(0, 5, (3, slots))
    none = np.zeros((3, slots))
    before = Solution(replicas=on, starts=none, shares=none[:, None], cost=0.0, bound=0.0)
    after = kept_on(before, min_on)
    assert keeps(after, min_on)
    assert (after.replicas >= on).all()
    if keeps(before, min_on):
        assert (after.replicas == on).all()


def test_too_many_fleets_are_left_to_the_program() -> None:
    pools = [pool(f"p{place}", 0.01, [1.0], start=60.0, most=10**6) for place in range(4)]
    asked = load([[5e4, 7e4]])
    alone = [
        Solution(replicas=np.array([[n], [0], [0], [0]]), starts=np.zeros((4, 1)),
                 shares=np.ones((4, 1, 1)), cost=n * 0.01, bound=n * 0.01)
        for n in (50_000, 70_000)
    ]  # fmt: skip
    assert cheapest_way(search_of(pools, asked, Market(), alone, 1e-2)) is None
