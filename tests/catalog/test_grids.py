import pytest

from inferometer.catalog import tables
from inferometer.errors import CatalogError


@pytest.mark.parametrize(
    ("name", "grams"), [("us", 369), ("FR", 56), ("gcp-us-central1", 430), ("ecologits-us", 383.55)]
)
def test_carbon_of_a_place(name: str, grams: float) -> None:
    assert tables.grid(name).carbon * 3.6e6 == pytest.approx(grams)


def test_a_price_has_its_own_source_and_may_be_missing() -> None:
    price = tables.grid("us").price
    assert price is not None
    assert price * 3.6e6 == pytest.approx(0.1437)
    assert "EIA" in tables.grid("us").sources["price"].source
    assert tables.grid("fr").price is None


@pytest.mark.parametrize(
    ("name", "cents"),
    [
        ("us-va", 13.01),
        ("us-tx", 7.25),
        ("us-tx-commercial", 8.64),
        ("us-oh", 7.9),
        ("us-ia", 6.04),
    ],
)
def test_electricity_prices_differ_by_state(name: str, cents: float) -> None:
    price = tables.grid(name).price
    assert price is not None
    assert price * 3.6e8 == pytest.approx(cents)
    assert "EIA" in tables.grid(name).sources["price"].source


def test_all_grids_are_plausible() -> None:
    for grid in tables.grids().values():
        assert 0 < grid.carbon * 3.6e6 < 1100
        assert grid.price is None or 0.02 < grid.price * 3.6e6 < 1


def test_a_building_adds_to_its_load() -> None:
    assert all(1 <= facility.pue < 3 for facility in tables.facilities().values())
    assert tables.facility("industry").pue == 1.54


def test_an_unknown_place_is_an_error() -> None:
    with pytest.raises(CatalogError, match="no grid is named 'atlantis'"):
        tables.grid("atlantis")
