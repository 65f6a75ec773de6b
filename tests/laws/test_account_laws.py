"""Laws of money: exact sums, scale, limits."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.account.breakeven import break_even_time, break_even_utilisation
from inferometer.account.capital import annuity, yearly_capital
from inferometer.account.split import split
from inferometer.errors import LedgerError, ScenarioError

weights = st.dictionaries(
    st.text(max_size=4),
    st.floats(min_value=0, max_value=1e12, allow_subnormal=False),
    min_size=1,
    max_size=20,
).filter(lambda found: sum(found.values()) > 0)


@given(total=st.integers(0, 10**18), weights=weights)
def test_shares_add_up_to_the_nano_dollar(total: int, weights: dict[str, float]) -> None:
    shares = split(total, weights)
    assert sum(shares.values()) == total
    whole = math.fsum(weights.values())
    for key, share in shares.items():
        assert abs(share - total * (weights[key] / whole)) <= 1 + 1e-9 * total


@given(total=st.integers(0, 10**15), weights=weights)
def test_who_weighs_nothing_pays_nothing(total: int, weights: dict[str, float]) -> None:
    shares = split(total, weights)
    assert all(shares[key] == 0 for key, weight in weights.items() if weight == 0)


@pytest.mark.parametrize("bad", [{}, {"a": 0.0}, {"a": -1.0}, {"a": math.nan}, {"a": math.inf}])
def test_weights_that_say_nothing_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(LedgerError):
        split(100, bad)


@given(rate=st.floats(1e-6, 0.5), years=st.integers(1, 30))
def test_an_annuity_pays_back_exactly(rate: float, years: int) -> None:
    payment = annuity(rate, years)
    present = math.fsum(payment * (1 + rate) ** -year for year in range(1, years + 1))
    assert present == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize(
    ("rate", "years", "payment"),
    [(0.07, 20, 0.094393), (0.05, 10, 0.129505), (0.10, 5, 0.263797), (0.0, 4, 0.25)],
)
def test_annuity_tables(rate: float, years: float, payment: float) -> None:
    # Capital recovery factors of any engineering-economics table.
    assert annuity(rate, years) == pytest.approx(payment, abs=5e-7)


@given(
    price=st.floats(1, 1e9), residual=st.floats(0, 1), years=st.floats(0.5, 20), factor=st.just(2.0)
)
def test_twice_the_price_is_twice_the_cost(
    price: float, residual: float, years: float, factor: float
) -> None:
    once = yearly_capital(price, residual=residual, years=years)
    twice = yearly_capital(factor * price, residual=residual, years=years)
    assert twice == pytest.approx(factor * once)


@given(cost=st.floats(0.01, 1e6), capacity=st.floats(0.01, 1e9), price=st.floats(1e-9, 1e3))
def test_at_break_even_both_ways_cost_the_same(cost: float, capacity: float, price: float) -> None:
    share = break_even_utilisation(cost, capacity, price)
    if share is None:
        assert cost > capacity * price * (1 - 1e-12)
    else:
        assert share * capacity * price == pytest.approx(cost)


def test_a_dearer_own_cost_never_breaks_even() -> None:
    assert break_even_time(1e5, alternative=1.0, own=1.0) is None


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (annuity, {"discount_rate": 0.05, "years": 0}),
        (annuity, {"discount_rate": -1.0, "years": 5}),
        (annuity, {"discount_rate": math.nan, "years": 5}),
        (yearly_capital, {"price": -1, "residual": 0, "years": 4}),
        (yearly_capital, {"price": 1, "residual": 1.1, "years": 4}),
        (break_even_utilisation, {"cost": 1, "capacity": 1, "alternative": 0}),
        (break_even_utilisation, {"cost": 1, "capacity": 0, "alternative": 1}),
        (break_even_time, {"capital": math.nan, "alternative": 2, "own": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_bad_input_never_produces_a_number(
    function: Callable[..., float | None], arguments: dict[str, float]
) -> None:
    with pytest.raises(ScenarioError):
        function(**arguments)
