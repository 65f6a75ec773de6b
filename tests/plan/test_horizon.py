"""Cost over years: a month-by-month twin, scale laws, draws against one at a time."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.errors import ScenarioError
from inferometer.plan.horizon import (
    CAPACITY,
    GROWTH,
    LOAD,
    Horizon,
    Part,
    Service,
    Way,
    cost,
)
from inferometer.plan.provision import Operating, Week, provision
from inferometer.plan.tco import way_costs

WEEK = Week(rates=np.tile(np.linspace(1, 5, 24), 7), burst=1.3, within=2.0, capacity=2.6)
OWN = Way(
    name="own",
    parts=(
        Part(name="servers", unit="server", yearly=60_000, drivers=("iron",), written_off=True),
        Part(name="energy", unit="server", yearly=9_000, trend="energy trend", change=0.05),
    ),
    per_server=8,
    purchase=250_000,
    price_driver="iron",
)
RENT = Way(
    name="rent",
    scales=True,
    parts=(
        Part(name="rent", unit="accelerator", yearly=20_000, trend="rents", change=-0.1, held=1.0),
        Part(name="egress", unit="load", yearly=500),
    ),
)
API = Way(name="API", parts=(Part(name="tokens", unit="load", yearly=90_000, trend="api"),))
WAYS = (OWN, RENT, API)


def service(**operating: object) -> Service:
    return Service(
        week=WEEK,
        operating=Operating(**operating),  # pyrefly: ignore[bad-argument-type]
        per_replica=2,
        horizon=Horizon(years=3, growth=0.4, discount_rate=0.08),
    )


def twin(way: Way, served: Service, factors: dict[str, float]) -> float:
    """Return the present value of a way month by month, with plain numbers."""
    total, bought = 0.0, 0
    growth = (1 + served.horizon.growth) * factors.get(GROWTH, 1.0)
    for month in range(36):
        load = factors.get(LOAD, 1.0) * growth ** (month / 12)
        carried = replace(
            WEEK,
            rates=WEEK.rates * load,
            within=WEEK.within * factors.get(CAPACITY, 1.0),
            capacity=WEEK.capacity * factors.get(CAPACITY, 1.0),
        )
        scaled = served.operating if way.scales else replace(served.operating, scaling="fixed")
        accelerators = 2 * provision(carried, scaled).paid
        bought = max(bought, math.ceil(accelerators / way.per_server - 1e-9))
        counts = {"server": bought, "accelerator": accelerators, "load": load}
        for part in way.parts:
            price = part.yearly / 12
            for name in part.drivers:
                price *= factors.get(name, 1.0)
            age = month / 12 if not part.held else math.floor(month / 12 / part.held) * part.held
            price *= ((1 + part.change) * factors.get(part.trend, 1.0)) ** age
            total += counts[part.unit] * price * 1.08 ** (-(month + 0.5) / 12)
    return total


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("scaling", ["fixed", "hourly"])
def test_months_added_up_by_hand(way: Way, scaling: str) -> None:
    served = service(scaling=scaling, spares=1, cold_start=400.0, restarts=1e-5)
    assert float(cost(way, served, {}).total[0]) == pytest.approx(twin(way, served, {}))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_many_draws_are_as_many_single_ones(way: Way) -> None:
    random = np.random.default_rng(5)
    names = (LOAD, GROWTH, CAPACITY, "iron", "rents", "api", "energy trend")
    factors = {name: random.uniform(0.7, 1.4, 20) for name in names}
    served = service(scaling="hourly", spares=1, cold_start=300.0)
    together = cost(way, served, factors, 20).total
    for place in range(20):
        single = {name: float(values[place]) for name, values in factors.items()}
        assert float(together[place]) == pytest.approx(twin(way, served, single))


@given(factor=st.floats(0.2, 5))
def test_twice_the_price_is_twice_its_parts_and_no_other(factor: float) -> None:
    served = service()
    before = cost(OWN, served, {})
    after = cost(OWN, served, {"iron": np.array([factor])})
    assert after.parts["servers"] == pytest.approx(factor * before.parts["servers"])
    assert after.parts["energy"] == pytest.approx(before.parts["energy"])
    assert after.upfront == pytest.approx(factor * before.upfront)


def test_parts_add_up_and_running_leaves_out_what_is_written_off() -> None:
    found = cost(OWN, service(), {})
    assert found.total == pytest.approx(sum(found.parts.values()))
    assert (found.running < found.monthly).all()
    # 3.25 replicas of load are 8 accelerators, one server; 1.4 ** (35 / 12) times that are 9
    # replicas, 18 accelerators, three servers: growth buys more, none is sold.
    assert found.upfront[0, 0] == 250_000
    assert found.upfront.sum() == 3 * 250_000


def test_first_year_parts_add_up_and_own_is_paid_back_against_the_dearest() -> None:
    rows = {row.way: row for row in way_costs(WAYS, service(), 1_000.0)}
    for row in rows.values():
        assert sum(row.parts.values()) == pytest.approx(row.first_year)
        assert row.total > 0
    assert rows["own"].paid_back is None
    dear = replace(API, parts=(replace(API.parts[0], yearly=9e6),))
    found = {row.way: row for row in way_costs((OWN, dear), service(), 1_000.0)}
    assert found["API"].paid_back is not None
    assert found["API"].paid_back < 31_536_000


def test_an_api_costs_the_same_on_both_formulas() -> None:
    flat = replace(service(), horizon=Horizon(years=1))
    row = way_costs((API,), flat, 1_000.0)[0]
    assert row.pays_for_idle == pytest.approx(row.scaled_down)


def test_idle_is_what_lies_between_the_formulas_for_rent() -> None:
    # Without egress: pay for idle / scaled down = replicas paid for / replicas kept busy.
    flat = replace(service(), horizon=Horizon(years=1))
    still = replace(RENT, parts=(Part(name="rent", unit="accelerator", yearly=20_000),))
    row = way_costs((still,), flat, 1_000.0)[0]
    assert row.pays_for_idle / row.scaled_down == pytest.approx(
        provision(WEEK, flat.operating).over
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"years": 0.0},
        {"years": 31.0},
        {"years": float("nan")},
        {"years": 3.0, "growth": -1.0},
        {"years": 3.0, "discount_rate": -1.0},
    ],
    ids=str,
)
def test_impossible_horizons_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ScenarioError):
        Horizon(**fields)
