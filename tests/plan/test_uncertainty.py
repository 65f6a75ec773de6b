"""Draws, who beats whom, and the value of information against closed forms."""

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import pytest

from inferometer.errors import ScenarioError
from inferometer.plan.uncertainty import Uncertain, draw, judge, partial_information
from inferometer.workload.trace import Floats

X = Uncertain(name="x", low=0.5, high=1.5, source="test")
Y = Uncertain(name="y", low=0.9, high=1.2, source="test")


def costs(factors: Mapping[str, Floats], draws: int) -> Mapping[str, Floats]:
    one = np.ones(draws)
    return {"A": 100 * factors.get("x", one), "B": 100 * factors.get("y", one)}


def test_one_in_ten_lies_beyond_each_end() -> None:
    found = draw([X], 50_000, seed=1)["x"]
    assert (found < 0.5).mean() == pytest.approx(0.1, abs=0.005)
    assert (found > 1.5).mean() == pytest.approx(0.1, abs=0.005)
    assert np.median(found) == pytest.approx(1.0, abs=0.005)


def test_another_quantity_leaves_the_draws_of_the_first() -> None:
    assert (draw([X], 500, seed=7)["x"] == draw([Y, X], 500, seed=7)["x"]).all()
    assert (draw([X], 500, seed=7)["x"] != draw([X], 500, seed=8)["x"]).any()


def test_same_seed_same_answer() -> None:
    assert judge([X, Y], costs, draws=1_000, seed=3) == judge([X, Y], costs, draws=1_000, seed=3)


def test_probabilities_are_those_of_two_lognormals() -> None:
    # A = 100 x, B = 100: A is cheaper where x < 1, half of the time; nothing else matters.
    found = judge([X], costs, draws=20_000, seed=0)
    assert found.beats["A"]["B"] == pytest.approx(0.5, abs=0.01)
    assert found.beats["A"]["B"] + found.beats["B"]["A"] == pytest.approx(1.0)
    assert sum(item.cheapest for item in found.spreads) == pytest.approx(1.0)


def test_everything_known_is_worth_what_the_only_doubt_is_worth() -> None:
    found = judge([X], costs, draws=20_000, seed=0)
    assert found.information[0].value == pytest.approx(found.regret, rel=0.05)


def test_value_of_information_is_the_unit_normal_loss() -> None:
    # Two ways, difference normal(mu, s): EVPI = s phi(mu/s) - mu Phi(-mu/s) (Raiffa, Schlaifer).
    random = np.random.default_rng(11)
    known = random.standard_normal(100_000)
    noise = random.standard_normal(100_000)
    mean, own, other = 2.0, 3.0, 4.0
    table = np.array([np.zeros(100_000), mean + own * known + other * noise])
    unit = NormalDist()
    wanted = own * unit.pdf(mean / own) - mean * unit.cdf(-mean / own)
    # The mean of 100,000 draws of deviation 5 is known to 0.016.
    assert partial_information(known, table) == pytest.approx(wanted, abs=0.03)
    whole = math.hypot(own, other)
    all_of_it = whole * unit.pdf(mean / whole) - mean * unit.cdf(-mean / whole)
    assert -np.minimum(table[1], 0).mean() == pytest.approx(all_of_it, rel=0.03)


def test_what_never_changes_the_choice_is_worth_nothing() -> None:
    random = np.random.default_rng(2)
    known = random.standard_normal(5_000)
    assert partial_information(known, np.array([1 + 0.1 * known, 10 + 0.1 * known])) == 0.0


def test_the_more_uncertain_quantity_is_measured_first() -> None:
    found = judge([X, Y], costs, draws=5_000, seed=0)
    assert [item.name for item in found.information] == ["x", "y"]
    assert found.information[0].value > found.information[1].value > 0
    assert (found.information[0].low_choice, found.information[0].high_choice) == ("A", "B")


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.1, 1.2), (0.5, 0.9), (0.5, math.inf)])
def test_ranges_hold_their_base_value(low: float, high: float) -> None:
    with pytest.raises(ScenarioError, match="range"):
        Uncertain(name="x", low=low, high=high, source="test")


@pytest.mark.parametrize(("draws", "seed"), [(10, 0), (10**7, 0), (1_000, -1)])
def test_draws_and_seeds_out_of_range_are_refused(draws: int, seed: int) -> None:
    with pytest.raises(ScenarioError):
        judge([X], costs, draws=draws, seed=seed)


def test_a_quantity_twice_is_refused() -> None:
    with pytest.raises(ScenarioError, match="twice"):
        judge([X, X], costs, draws=1_000, seed=0)
