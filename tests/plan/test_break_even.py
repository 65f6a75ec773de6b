"""Break-even: both sides cost the same there, and where they never do the reason is given."""

import datetime as dt
from dataclasses import replace

import pytest
from plan_cases import choices, evaluator, model, shape, slo, supply

from inferometer.account.api import ApiCost, api_cost
from inferometer.catalog.prices import TokenPrice
from inferometer.catalog.source import Source
from inferometer.plan.break_even import break_even
from inferometer.plan.option import Option
from inferometer.plan.search import search
from inferometer.plan.space import build

DAY = dt.date(2026, 11, 1)


def planned(rate: float = 20.0) -> Option:
    which = model()
    offers = [supply("h100-sxm"), supply("l40s")]
    space = build(which, offers, choices(which))
    return search(space, shape(rate), slo("ttft p99 <= 2s"), evaluator()).best


def offered(option: Option, price: float) -> ApiCost:
    """Return an API that charges `price` for every token."""
    row = TokenPrice(
        model="m", provider="p", input=price, cached=None, output=price, valid_from=DAY,
        source=Source(source="test", as_of=DAY),
    )  # fmt: skip
    return api_cost(option.outcome, row)


def at_capacity(option: Option) -> float:
    outcome = option.outcome
    per_request = (outcome.input_rate + outcome.output_rate) / outcome.request_rate
    return (option.cost or 0) / (outcome.capacity * per_request)


@pytest.mark.parametrize("factor", [1.6, 2.0, 10.0])
def test_rent_equals_the_api_bill_at_the_break_even_volume(factor: float) -> None:
    option = planned()
    found = break_even(option, offered(option, factor * at_capacity(option)))
    assert found.utilisation == pytest.approx(1 / factor)
    assert found.tokens is not None
    assert found.tokens * found.api == pytest.approx(option.cost)
    assert found.requests is not None
    per_request = shape().mean_input + shape().mean_output
    assert found.tokens / found.requests == pytest.approx(per_request)
    assert found.tokens_of_one_replica == pytest.approx(found.tokens / option.deployment.replicas)
    assert found.pays_scaled_down
    assert not found.never


@pytest.mark.parametrize("factor", [0.5, 0.99])
def test_an_api_cheaper_than_full_load_is_never_beaten(factor: float) -> None:
    option = planned()
    found = break_even(option, offered(option, factor * at_capacity(option)))
    assert (found.utilisation, found.tokens, found.requests) == (None, None, None)
    assert "even at capacity" in found.never
    assert not found.pays_scaled_down


def test_a_load_that_peaks_forbid_is_never_reached() -> None:
    option = planned()  # its busiest minute is 1.5 x the mean: at most two thirds on average
    found = break_even(option, offered(option, 1.2 * at_capacity(option)))
    assert found.utilisation is None
    assert "67%" in found.never
    assert found.pays_scaled_down


def test_the_sign_of_the_saving_follows_the_break_even() -> None:
    option = planned()
    for factor in (1.6, 3.0, 8.0):
        found = break_even(option, offered(option, factor * at_capacity(option)))
        assert found.utilisation is not None
        assert found.saving is not None
        assert (found.saving > 0) == (found.now > found.utilisation)


def test_unpriced_has_no_break_even() -> None:
    option = replace(planned(), cost=None, price=None)
    found = break_even(option, offered(option, 1e-6))
    assert found.utilisation is None
    assert found.saving is None
    assert "unpriced" in found.never
