"""Prices of an API: tiers that part of the traffic may wait for."""

from dataclasses import replace

import numpy as np
import pytest
from bill_cases import API, HOUR

from inferometer.account.api import api_cost, at_lengths, tiered_cost
from inferometer.catalog.prices import LongPrice
from inferometer.errors import ScenarioError

STANDARD = api_cost(HOUR, API)
HALF = replace(API, tier="batch", input=API.input / 2, cached=None, output=API.output / 2)
BATCH = api_cost(HOUR, HALF)


def test_half_the_traffic_at_half_the_price() -> None:
    # Batch has no price of cached tokens: they are paid as input there.
    found = tiered_cost((STANDARD, BATCH), {"batch": 0.5})
    assert found.rate == pytest.approx((STANDARD.rate + BATCH.rate) / 2)
    assert sum(found.by_tier.values()) == pytest.approx(found.rate)
    assert found.saved == pytest.approx(STANDARD.rate - found.rate)
    assert found.blended / STANDARD.blended == pytest.approx(found.rate / STANDARD.rate)


def test_no_share_is_the_standard_price() -> None:
    assert tiered_cost((STANDARD, BATCH), {}).rate == STANDARD.rate


@pytest.mark.parametrize("shares", [{"batch": 1.1}, {"batch": -0.1}, {"flex": 0.5}])
def test_shares_that_cannot_be_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match=r"share|no offer"):
        tiered_cost((STANDARD, BATCH), shares)


LONG = LongPrice(above=200_000.0, input=6e-6, cached=None, output=22.5e-6)
CLIFF = replace(API, input=3e-6, cached=0.3e-6, output=15e-6, longer=(LONG,))


def test_prompts_beyond_a_limit_pay_the_higher_rate_for_all_their_tokens() -> None:
    inputs, outputs = np.array([1_000.0, 200_000.0, 300_000.0]), np.array([100.0, 200.0, 700.0])
    found = at_lengths(CLIFF, inputs, outputs)
    paid = 3e-6 * 201_000 + 6e-6 * 300_000  # at the limit itself the lower rate holds
    assert found.input * inputs.sum() == pytest.approx(paid)
    assert found.output * outputs.sum() == pytest.approx(15e-6 * 300 + 22.5e-6 * 700)
    assert found.cached is not None  # beyond the limit this provider has no cached price
    assert found.cached * inputs.sum() == pytest.approx(0.3e-6 * 201_000 + 6e-6 * 300_000)


def test_short_prompts_and_flat_prices_pay_as_listed() -> None:
    short = np.array([1_000.0, 5_000.0])
    assert at_lengths(CLIFF, short, short).input == pytest.approx(3e-6)
    assert at_lengths(API, short, short) is API
    long = at_lengths(CLIFF, np.array([300_000.0]), np.array([1.0]))
    assert (long.input, long.output) == pytest.approx((6e-6, 22.5e-6))
