"""Payback: closed forms, and payments that change over time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.account.breakeven import break_even_time, discounted_break_even_time, payback


def test_discounted_payback_textbook() -> None:
    # 1,000 now, 300 a year at 10 %: ln(1 / (1 - 1000 x 0.1 / 300)) / ln 1.1 = 4.254 years.
    found = discounted_break_even_time(1_000, 300, 0, discount_rate=0.10)
    assert found == pytest.approx(4.2541, abs=1e-4)


def test_savings_that_never_repay_the_interest() -> None:
    assert discounted_break_even_time(1_000, 100, 0, discount_rate=0.10) is None
    assert discounted_break_even_time(1_000, 100, 0, discount_rate=0.0) == 10


@given(capital=st.floats(0, 1e6), alternative=st.floats(1, 1e5), own=st.floats(0, 0.9))
def test_steady_payments_pay_back_as_in_closed_form(
    capital: float, alternative: float, own: float
) -> None:
    months = np.ones(120)
    upfront = np.zeros(120)
    upfront[0] = capital
    found = float(payback(upfront, own * alternative * months, alternative * months))
    wanted = break_even_time(capital, alternative, own * alternative)
    assert wanted is not None
    if wanted > 120:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_later_purchases_delay_it() -> None:
    upfront = np.array([10.0, 0, 0, 10, 0, 0, 0, 0, 0, 0])
    one = np.ones(10)
    assert payback(upfront, 0 * one, 2.5 * one) == pytest.approx(8.0)
    assert math.isnan(payback(upfront, one, one))
