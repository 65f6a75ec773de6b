"""Cost of ownership: parts, life, lease, colocation, taxes; scale laws and bad inputs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.account.capital import yearly_capital
from inferometer.account.electricity import Supply
from inferometer.account.ownership import Ownership, Power, Taxes, useful_rate, yearly_cost
from inferometer.account.split import nanodollars
from inferometer.account.tax import depreciation_value, yearly_tax_relief
from inferometer.catalog.tables import depreciation
from inferometer.errors import ScenarioError
from inferometer.units import Unit, parse

KW_MONTH = Unit("USD/J")
SUPPLY = Supply(
    energy=parse("0.12 USD/kWh", Unit("USD/J")), demand=parse("10 USD/kW/month", KW_MONTH)
)
OWNED = Ownership(
    accelerators=8,
    servers=280_000,
    residual=0.1,
    network=30_000,
    storage=5_000,
    site=60_000,
    years=4,
    site_years=15,
    discount_rate=0.08,
    maintenance=0.05,
    software=4_500,
    power=Power(draw=(6_000,), peak=8_000, pue=1.4, supply=SUPPLY),
    staff=0.25,
    salary=180_000,
    space=3_000,
    taxes=Taxes(sales=0.06, property=0.01, income=0.25, depreciation=depreciation("macrs").shares),
)
PARTS = {
    "servers": ("servers", "maintenance"),
    "network": ("network",),
    "storage": ("storage",),
    "site": ("site",),
    "software": ("software",),
    "salary": ("staff",),
    "staff": ("staff",),
    "space": ("space",),
}
"""Input: the parts that it alone drives, without taxes."""


def test_parts_add_up_to_the_nano_dollar() -> None:
    year = yearly_cost(OWNED)
    paid = sum(nanodollars(part) for part in year.parts.values() if part >= 0)
    relief = nanodollars(-year.tax_relief)
    assert abs(paid - relief - nanodollars(year.total)) <= len(year.parts)  # one rounding each


@given(name=st.sampled_from(sorted(PARTS)), factor=st.floats(0.1, 10))
def test_a_price_scales_its_own_parts_and_no_other(name: str, factor: float) -> None:
    untaxed = replace(OWNED, taxes=Taxes())
    before = yearly_cost(untaxed).parts
    after = yearly_cost(replace(untaxed, **{name: getattr(untaxed, name) * factor})).parts
    for part, value in before.items():
        wanted = value * factor if part in PARTS[name] else value
        assert after[part] == pytest.approx(wanted, rel=1e-12)


def test_power_scales_with_its_price_and_the_building() -> None:
    dearer = Supply(energy=2 * SUPPLY.energy, demand=SUPPLY.demand)
    before, after = (
        yearly_cost(replace(OWNED, power=replace(OWNED.power, supply=supply)))
        for supply in (SUPPLY, dearer)
    )
    assert after.energy == pytest.approx(2 * before.energy)
    assert after.demand == before.demand == pytest.approx(8 * 1.4 * 10 * 12)
    assert before.energy == pytest.approx(6 * 1.4 * 8_760 * 0.12)


def test_colocation_is_paid_by_the_power_kept_ready() -> None:
    price = parse("200 USD/kW/month", KW_MONTH)
    rack = Power(draw=(6_000,), colocation=price, provisioned=10_200)
    year = yearly_cost(replace(OWNED, power=rack))
    assert year.colocation == pytest.approx(10.2 * 200 * 12)
    assert year.energy == year.demand == 0


def test_life_of_the_site_is_its_own() -> None:
    year = yearly_cost(replace(OWNED, discount_rate=0.0, taxes=Taxes()))
    assert year.site == pytest.approx(60_000 / 15)
    assert year.network == pytest.approx(30_000 / 4)


def test_a_lease_takes_the_place_of_servers() -> None:
    leased = replace(OWNED, servers=0, lease=90_000, taxes=Taxes())
    year = yearly_cost(leased)
    assert (year.servers, year.maintenance, year.lease) == (0, 0, 90_000)
    with pytest.raises(ScenarioError, match="bought or leased"):
        replace(OWNED, lease=1.0)


def test_macrs_textbook_value() -> None:
    # Five-year MACRS at 10 %, by hand: .2/1.1 + .32/1.21 + .192/1.331 + .1152/1.4641
    # + .1152/1.61051 + .0576/1.771561 = 0.77326.
    found = depreciation_value(depreciation("macrs").shares, 0.10, 6)
    assert found == pytest.approx(0.77326, abs=1e-5)


def test_what_is_not_yet_written_off_is_deducted_at_the_sale() -> None:
    # Straight line over three years, sold after two, no interest: all of it counts.
    assert depreciation_value((1 / 3, 1 / 3, 1 / 3), 0.0, 2) == pytest.approx(1.0)


def test_tax_on_capital_alone_scales_the_after_tax_cost() -> None:
    # Written off at once, without interest or resale: the state pays its share of every dollar.
    relief = yearly_tax_relief(
        100.0, residual=0.0, years=4, discount_rate=0.0, tax_rate=0.25, shares=(1.0,)
    )
    assert relief == pytest.approx(0.25 * yearly_capital(100.0, residual=0.0, years=4))


def test_an_income_tax_without_interest_takes_its_share_of_everything() -> None:
    plain = replace(OWNED, discount_rate=0.0, site=0.0, taxes=Taxes())
    taxed = replace(plain, taxes=Taxes(income=0.25, depreciation=(1.0,)))
    assert yearly_cost(taxed).total == pytest.approx(0.75 * yearly_cost(plain).total)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"accelerators": 0}, "accelerators"),
        ({"servers": -1.0}, "servers"),
        ({"residual": 1.2}, "residual"),
        ({"years": 0.0}, "life"),
        ({"discount_rate": -1.0}, "discount rate"),
        ({"maintenance": float("nan")}, "maintenance"),
        ({"staff": float("inf")}, "staff"),
        ({"years": 3.5}, "whole years"),
    ],
)
def test_bad_inputs_are_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(ScenarioError, match=word):
        yearly_cost(replace(OWNED, **fields))


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"supply": None}, "unpriced"),
        ({"pue": 0.9}, "pue"),
        ({"draw": ()}, "power"),
        ({"peak": 5_000.0}, "peak"),
        ({"provisioned": 1.0, "colocation": 1.0}, "provisioned"),
        ({"colocation": -1.0}, "colocation"),
    ],
)
def test_bad_power_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(ScenarioError, match=word):
        replace(OWNED.power, **fields)


@pytest.mark.parametrize("fields", [{"income": 0.2}, {"sales": 1.0}, {"property": -0.1}])
def test_bad_taxes_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match="taxes"):
        Taxes(**fields)


@pytest.mark.parametrize("use", [0.0, 1.5, -0.1])
def test_utilisation_is_a_share_of_the_time(use: float) -> None:
    with pytest.raises(ScenarioError, match="utilisation"):
        useful_rate(1.0, 8, use)
