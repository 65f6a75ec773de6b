"""The fleet's integer program against trying every fleet, and the laws of its answer."""

from dataclasses import replace

import numpy as np
import pytest
from fleet_cases import HOUR, cheapest_of_all, load, pool
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.plan.fleet.plan import plan_fleet
from inferometer.plan.fleet.pool import Load, Market, Pool

RATES = st.floats(0.5, 6.0)
THROUGHPUT = st.floats(0.8, 8.0)


def two(start: float = 0.0) -> list[Pool]:
    return [
        pool("small", 1.0, [2.0, 0.7], start=start),
        pool("large", 3.1, [7.0, 5.0], most=3, start=start),
    ]


@pytest.mark.parametrize("start", [0.0, 900.0])
@pytest.mark.parametrize("min_on", [1, 2])
def test_fleet_is_the_cheapest_of_all(start: float, min_on: int) -> None:
    pools, asked = two(start), load([[3.0, 9.0, 2.0], [1.0, 2.0, 4.0]])
    market = Market(min_on=min_on)
    found = plan_fleet(pools, asked, market, gap=1e-9)
    assert found.best.cost == pytest.approx(cheapest_of_all(pools, asked, market), rel=1e-7)


@settings(max_examples=25, deadline=None)
@given(
    rates=st.lists(st.tuples(RATES, RATES), min_size=2, max_size=2),
    able=st.lists(THROUGHPUT, min_size=4, max_size=4),
    price=st.floats(0.3, 4.0),
    spot=st.floats(0.0, 1.0),
)
def test_fleet_is_the_cheapest_of_all_with_spot(
    rates: list[tuple[float, float]], able: list[float], price: float, spot: float
) -> None:
    pools = [
        pool("firm", 1.0, able[:2], most=12),
        pool("cheap", price, able[2:], most=6, spot=True),
    ]
    asked = load([list(pair) for pair in rates], spot=spot)
    wanted = cheapest_of_all(pools, replace_slots(asked, 1), Market())
    alone = replace_slots(asked, 1)
    if not np.isfinite(wanted):
        with pytest.raises(InfeasibleError):
            plan_fleet(pools, alone)
        return
    found = plan_fleet(pools, alone, gap=1e-9)
    assert found.best.cost == pytest.approx(wanted, rel=1e-6)


def replace_slots(asked: Load, slots: int) -> Load:
    return replace(asked, peak=asked.peak[:, :slots], mean=asked.mean[:, :slots])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), start=st.sampled_from([0.0, 600.0]), min_on=st.integers(1, 3))
def test_never_dearer_than_the_best_single_type(seed: int, start: float, min_on: int) -> None:
    random = np.random.default_rng(seed)
    pools = [
        pool(f"p{place}", float(random.uniform(0.5, 4)), list(random.uniform(0.5, 6, 3)),
             start=start, most=50)
        for place in range(3)
    ]  # fmt: skip
    asked = load(random.uniform(0.2, 5, (3, 5)).tolist())
    found = plan_fleet(pools, asked, Market(min_on=min_on), gap=0.05)
    assert all(found.best.cost <= one.cost for one in found.singles)
    assert found.best.bound <= found.best.cost * (1 + 1e-6)
    assert found.static is not None
    assert min(one.cost for one in found.singles) <= found.static.cost * (1 + 1e-9)
    served = found.best.shares.sum(axis=0)
    assert served == pytest.approx(np.ones_like(served), abs=1e-6)


def test_every_slot_is_carried() -> None:
    pools, asked = two(600.0), load([[3.0, 9.0, 2.0], [1.0, 2.0, 4.0]])
    best = plan_fleet(pools, asked, Market(min_on=2)).best
    for place, one in enumerate(best.pools):
        used = (asked.peak / one.throughput[:, None] * best.shares[place]).sum(axis=0)
        assert (used <= best.replicas[place] + 1e-6).all()


def test_twice_the_price_is_twice_the_rent() -> None:
    pools, asked = two(), load([[3.0, 9.0], [1.0, 2.0]])
    dear = [replace(one, price=2 * one.price) for one in pools]
    assert plan_fleet(dear, asked).best.cost == pytest.approx(
        2 * plan_fleet(pools, asked).best.cost
    )


def test_energy_is_paid_by_work_and_by_time_on() -> None:
    one = replace(pool("only", 1.0, [2.0]), idle=100.0, energy=np.array([50.0]))
    asked = load([[2.0, 4.0]])
    best = plan_fleet([one], asked, Market(energy=np.array([1e-6, 3e-6]))).best
    joules = [100 * HOUR * 1 + 50 * 1.6 * HOUR, 100 * HOUR * 2 + 50 * 3.2 * HOUR]
    assert best.energy == pytest.approx(sum(joules))
    assert best.power == pytest.approx(1e-6 * joules[0] + 3e-6 * joules[1])
    assert best.cost == pytest.approx(best.rent + best.power)


def test_interruptions_cost_capacity() -> None:
    firm = replace(pool("spot", 1.0, [2.0], spot=True), start=600.0)
    often = replace(firm, interruptions=1 / 3600)
    asked = load([[6.0]])
    counts = [plan_fleet([one], asked).best.replicas[0, 0] for one in (firm, often)]
    assert counts == [3, 4]  # an interruption an hour leaves 6/7 of the time


def test_bad_pools_and_loads_are_refused() -> None:
    with pytest.raises(ScenarioError, match="no pool"):
        plan_fleet([], load([[]]))
    with pytest.raises(ScenarioError, match="price"):
        pool("free", float("nan"), [1.0])
    with pytest.raises(InfeasibleError, match="class 1"):
        plan_fleet([pool("one", 1.0, [1.0, 0.0])], load([[1.0], [1.0]]))
    with pytest.raises(InfeasibleError, match="busiest slot"):
        plan_fleet([pool("one", 1.0, [1.0], most=1)], load([[5.0]]))
    with pytest.raises(ScenarioError, match="no mean above"):
        Load(names=("a",), peak=np.ones((1, 1)), mean=2 * np.ones((1, 1)), slot=60.0)
