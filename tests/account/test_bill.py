"""The bill of an outcome: parts, bases, classes of tokens, and what is unpriced."""

from dataclasses import replace

import pytest
from bill_cases import API, DEPLOYMENT, HOUR, PRICE

from inferometer.account.api import api_cost
from inferometer.account.bill import Tariff, bill, prefill_share
from inferometer.account.energy import facility_energy
from inferometer.errors import LedgerError, ScenarioError
from inferometer.outcome import Energy
from inferometer.units import Unit, parse


def test_rent_is_every_accelerator_for_the_whole_span() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.total == pytest.approx(4 * 2.0)
    assert found.power == 0


def test_busy_and_idle_add_up_and_follow_the_load() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.busy == pytest.approx(8.0 * 0.4)
    assert found.idle == pytest.approx(8.0 * 0.6)


def test_token_classes_add_up_to_the_bill_on_the_allocation_basis() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.allocation is not None
    paid = found.allocation.input * 3_000 * 3600 + found.allocation.output * 1_000 * 3600
    assert paid == pytest.approx(8.0)
    assert found.allocation.blended * 5_000 * 3600 == pytest.approx(8.0)
    # A quarter of the work above idle went into prompts.
    assert prefill_share(HOUR) == pytest.approx(0.25)
    assert found.allocation.input * 3_000 * 3600 == pytest.approx(2.0)


def test_usage_basis_leaves_idle_time_out() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.usage is not None
    assert found.allocation is not None
    assert found.usage.output == pytest.approx(0.4 * found.allocation.output)


def test_unpriced_stays_unpriced() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=None))
    assert (found.total, found.busy, found.idle) == (None, None, None)
    assert (found.allocation, found.usage) == (None, None)
    assert found.energy.total > 0


def test_power_paid_apart_is_metered_at_the_facility() -> None:
    tariff = Tariff(
        accelerator=PRICE,
        power_included=False,
        electricity=parse("0.10 USD/kWh", Unit("USD/J")),
        pue=1.5,
        carbon=parse("400 g/kWh", Unit("g/J")),
    )
    found = bill(HOUR, DEPLOYMENT, tariff)
    host = 4 * DEPLOYMENT.node.host_power / DEPLOYMENT.node.accelerators
    kwh = 1.5 * (3.6e6 / 3600 + host) / 1000
    assert found.power == pytest.approx(0.10 * kwh)
    assert found.carbon == pytest.approx(400 * kwh)


def test_a_pue_below_one_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"pue is 0\.9"):
        facility_energy(HOUR, accelerators=4, host_power=100, pue=0.9)


def test_an_outcome_without_prompts_puts_all_cost_on_output() -> None:
    bare = replace(HOUR, input_rate=0.0, cached_rate=0.0)
    found = bill(bare, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.allocation is not None
    assert found.allocation.output * 1_000 * 3600 == pytest.approx(8.0)


def test_the_same_traffic_at_an_api() -> None:
    found = api_cost(HOUR, API)
    assert found.input == pytest.approx(3 * 3.6 * 1.0)
    assert found.cached == pytest.approx(1 * 3.6 * 0.1)
    assert found.output == pytest.approx(1 * 3.6 * 4.0)
    assert found.blended * 5_000 * 3600 == pytest.approx(found.total)


def test_an_api_without_a_cached_price_charges_the_full_one() -> None:
    found = api_cost(HOUR, replace(API, cached=None))
    assert found.cached == pytest.approx(1 * 3.6 * 1.0)


def test_power_that_the_price_includes_is_not_paid_twice() -> None:
    tariff = Tariff(accelerator=PRICE, electricity=parse("0.10 USD/kWh", Unit("USD/J")))
    assert bill(HOUR, DEPLOYMENT, tariff).total == pytest.approx(8.0)


def test_power_paid_apart_without_a_price_leaves_the_bill_unpriced() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE, power_included=False))
    assert found.rent == pytest.approx(8.0)
    assert (found.total, found.allocation) == (None, None)


def test_a_deployment_that_answers_nothing_still_costs_its_rent() -> None:
    nothing = replace(HOUR, request_rate=0.0, input_rate=0.0, cached_rate=0.0, output_rate=0.0)
    found = bill(nothing, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert (found.total, found.idle) == (pytest.approx(8.0), pytest.approx(8.0))
    assert (found.allocation, found.usage) == (None, None)
    with pytest.raises(LedgerError, match="holds no token"):
        api_cost(nothing, API)


BROKEN = {
    "no span": replace(HOUR, span=0.0),
    "no capacity": replace(HOUR, capacity=0.0),
    "unknown capacity": replace(HOUR, capacity=float("nan")),
    "unknown output": replace(HOUR, output_rate=float("nan")),
    "more cached than input": replace(HOUR, cached_rate=5_000.0),
    "unknown energy": replace(HOUR, energy=Energy(prefill=float("nan"), decode=1, idle=1)),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_an_outcome_that_cannot_be_billed_is_refused(broken: str) -> None:
    with pytest.raises(LedgerError):
        bill(BROKEN[broken], DEPLOYMENT, Tariff(accelerator=PRICE))
    with pytest.raises(LedgerError):
        api_cost(BROKEN[broken], API)


def test_a_tariff_is_never_negative_or_infinite() -> None:
    with pytest.raises(ScenarioError, match=r"tariff\.electricity"):
        Tariff(accelerator=PRICE, electricity=-1e-7)
    with pytest.raises(ScenarioError, match=r"tariff\.carbon"):
        Tariff(accelerator=PRICE, carbon=float("inf"))
