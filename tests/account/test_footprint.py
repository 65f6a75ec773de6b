"""Energy and emissions by unit and by the hour: nothing is lost, nothing is counted twice."""

import math

import numpy as np
import pytest
from bill_cases import DEPLOYMENT, HOUR
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.account.carbon import carbon_cost, manufacture, use_by_hour
from inferometer.account.energy import facility_energy
from inferometer.account.footprint import UnitFootprint, by_unit, whole_footprint
from inferometer.errors import ScenarioError

ENERGY = facility_energy(HOUR, accelerators=4, host_power=150.0, pue=1.5)
FLAT = np.ones(168)


def whole(use: float | None = 500.0, price: float | None = 1e-4) -> UnitFootprint:
    return whole_footprint(ENERGY, use=use, embodied=20.0, price=price)


def test_classes_of_token_add_up_to_the_whole() -> None:
    found = by_unit(whole(), HOUR)
    fresh, output = 3_000 * 3600, 1_000 * 3600
    added = found["input token, computed"].times(fresh).plus(found["output token"].times(output))
    for name in ("accelerators", "facility", "use", "embodied", "price"):
        assert getattr(added, name) == pytest.approx(getattr(whole(), name), rel=1e-12)
    assert found["token, all"].facility * 5_000 * 3600 == pytest.approx(ENERGY.total)
    assert found["request"].facility * 4 * 3600 == pytest.approx(ENERGY.total)
    assert found["input token, cached"].facility == 0  # no work, as in the bill


def test_facility_is_never_below_the_accelerators() -> None:
    assert whole().accelerators == HOUR.energy.total
    assert whole().facility == pytest.approx(1.5 * (HOUR.energy.total + 4 * 150 * 3600))


def test_an_unknown_grid_stays_unknown() -> None:
    found = by_unit(whole(use=None), HOUR)["request"]
    assert (found.use, found.emissions, found.price) == (None, None, None)
    assert whole(price=None).price is None
    assert whole(price=None).emissions == 520.0
    assert found.plus(by_unit(whole(), HOUR)["request"]).use is None


def test_a_flat_grid_or_a_flat_load_emits_at_the_mean() -> None:
    day = tuple(np.linspace(1, 2, 24).tolist())
    even = use_by_hour(FLAT, day, standing=1e6, work=1e6, span=3600.0)
    assert even.total == pytest.approx(even.by_mean)
    peaked = np.tile(np.arange(1.0, 25.0), 7)
    same = use_by_hour(peaked, (1.5,) * 24, standing=1e6, work=1e6, span=3600.0)
    assert same.total == pytest.approx(2e6 * 1.5)
    dirty = use_by_hour(peaked, day, standing=1e6, work=1e6, span=3600.0)
    assert dirty.total > dirty.by_mean  # load and intensity rise together
    clean = use_by_hour(peaked, day[::-1], standing=1e6, work=1e6, span=3600.0)
    assert clean.total < clean.by_mean


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), standing=st.floats(0.0, 1e9), work=st.floats(0.0, 1e9))
def test_hours_are_the_naive_sum(seed: int, standing: float, work: float) -> None:
    random = np.random.default_rng(seed)
    rates = random.choice([0.0, 1.0, 1.0], 168) * random.uniform(0.0, 50.0, 168)
    grams = random.uniform(0.0, 1e-3, 168).tolist()
    found = use_by_hour(np.array(rates), grams, standing=standing, work=work, span=604800.0)
    naive = math.fsum(
        (standing / 168 + work * rate / math.fsum(rates)) * gram
        for rate, gram in zip(rates, grams, strict=True)
    )
    assert found.total == pytest.approx(naive, rel=1e-9, abs=1e-12)
    drawn = math.fsum(one.power * 3600 * 7 for one in found.hours)
    assert drawn == pytest.approx(standing + work, rel=1e-9, abs=1e-6)
    requests = math.fsum(one.rate * (one.per_request or 0.0) for one in found.hours)
    empty = any(one.rate == 0 for one in found.hours)
    # g/s of a mean hour; over 168 h of 3,600 s they are the week's emissions, here of its span.
    assert empty or requests / 24 * 604800 == pytest.approx(naive, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("hours", [(1.0,) * 23, (1.0,) * 25, (), (-1.0,) * 24, (math.nan,) * 24])
def test_intensities_that_are_none_are_refused(hours: tuple[float, ...]) -> None:
    with pytest.raises(ScenarioError, match="intensity"):
        use_by_hour(FLAT, hours, standing=1.0, work=1.0, span=1.0)


def test_manufacture_is_spread_over_life() -> None:
    life = 3 * 8760 * 3600.0
    # EcoLogits' server: 8 x 164 kg + 5,700 kg = 7,012 kg over three years (claims.md, section 4).
    assert manufacture(164e3, 5700e3 / 8, 8, life, life) == pytest.approx(7_012e3)
    day = manufacture(164e3, 5700e3 / 8, DEPLOYMENT.accelerators, life, 86400.0)
    assert day == pytest.approx(876.5e3 * 4 / (3 * 365))


def test_carbon_is_priced_per_gram() -> None:
    assert carbon_cost(1e6, 190e-6) == pytest.approx(190)
    with pytest.raises(ScenarioError, match="carbon price"):
        carbon_cost(1.0, -1.0)
