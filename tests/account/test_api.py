"""Prices of an API: tiers that part of the traffic may wait for."""

from dataclasses import replace

import pytest
from bill_cases import API, HOUR

from inferometer.account.api import api_cost, tiered_cost
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
