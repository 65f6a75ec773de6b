import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.catalog import tables
from inferometer.catalog.prices import (
    COMMITMENTS,
    STALE_AFTER,
    AcceleratorPrice,
    accelerator_price,
    accelerator_prices,
)
from inferometer.catalog.source import Source
from inferometer.errors import CatalogError

TODAY = dt.date(2026, 11, 23)


def row(price: float, day: dt.date, provider: str = "p") -> AcceleratorPrice:
    return AcceleratorPrice(
        accelerator="h100-sxm",
        provider=provider,
        commitment="on-demand",
        price=price,
        valid_from=day,
        source=Source(source="test", as_of=day),
    )


def test_every_row_is_a_price_with_source_and_known_accelerator() -> None:
    assert len(accelerator_prices()) > 150
    for price in accelerator_prices():
        assert price.price > 0
        assert price.source.source.strip()
        assert price.accelerator in tables.accelerators()
        assert price.source.as_of <= TODAY


def test_an_index_price() -> None:
    price = accelerator_price("h100-sxm", at=TODAY, commitment="owned", provider="neocloud")
    assert price is not None
    assert price.price * 3600 == pytest.approx(1.69)


def test_history_does_not_change() -> None:
    def aws(day: dt.date) -> float | None:
        price = accelerator_price("h100-sxm", at=day, provider="aws")
        return None if price is None else round(price.price * 3600, 2)

    assert aws(dt.date(2025, 4, 22)) is None
    assert aws(dt.date(2025, 6, 4)) == 12.29
    assert aws(dt.date(2025, 6, 5)) == 6.88


def test_unpriced_is_none_and_never_zero() -> None:
    assert accelerator_price("h100-sxm", at=dt.date(2020, 1, 1)) is None
    assert accelerator_price("rtx-3090", at=TODAY) is None
    assert accelerator_price("h100-sxm", at=TODAY, provider="nobody") is None
    with pytest.raises(CatalogError, match="not positive"):
        row(0.0, TODAY)


def test_of_several_providers_the_cheapest_is_taken() -> None:
    rows = [row(2.0, TODAY, "a"), row(1.0, TODAY, "b"), row(9.0, TODAY, "c")]
    price = accelerator_price("h100-sxm", at=TODAY, rows=rows)
    assert price is not None
    assert (price.price, price.provider) == (1.0, "b")


def test_only_the_latest_quote_of_a_provider_counts() -> None:
    rows = [row(1.0, TODAY - dt.timedelta(days=9), "a"), row(3.0, TODAY, "a"), row(2.0, TODAY, "b")]
    price = accelerator_price("h100-sxm", at=TODAY, rows=rows)
    assert price is not None
    assert (price.price, price.provider) == (2.0, "b")


def test_a_stale_quote_does_not_count() -> None:
    rows = [row(9.0, TODAY, "a"), row(1.0, TODAY - dt.timedelta(days=366), "b")]
    price = accelerator_price("h100-sxm", at=TODAY, rows=rows)
    assert price is not None
    assert price.provider == "a"


def test_an_unknown_commitment_lists_the_known_ones() -> None:
    with pytest.raises(CatalogError, match="on-demand, spot"):
        accelerator_price("h100-sxm", at=TODAY, commitment="forever")


def test_own_prices_come_on_top(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    head = "accelerator,provider,commitment,price,valid_from,source,as_of\n"
    path.write_text(head + "h100-sxm,us,on-demand,1.80 USD/h,2026-10-01,contract,2026-10-01\n")
    price = accelerator_price("h100-sxm", at=TODAY, provider="us", rows=accelerator_prices(path))
    assert price is not None
    assert price.price * 3600 == pytest.approx(1.8)
    path.write_text(head + "h1000,us,on-demand,1.80 USD/h,2026-10-01,contract,2026-10-01\n")
    with pytest.raises(CatalogError, match="h1000"):
        accelerator_prices(path)


days = st.dates(dt.date(2024, 1, 1), dt.date(2027, 1, 1))


@given(st.lists(st.tuples(st.floats(0.1, 10), days), min_size=1, max_size=8), days)
def test_later_rows_leave_earlier_answers_alone(
    quotes: list[tuple[float, dt.date]], at: dt.date
) -> None:
    rows = [row(price, day) for price, day in quotes]
    later = row(5.0, at + dt.timedelta(days=1))
    before = accelerator_price("h100-sxm", at=at, rows=rows)
    assert accelerator_price("h100-sxm", at=at, rows=[*rows, later]) == before
    latest = max((r.valid_from for r in rows if r.valid_from <= at), default=None)
    assert (before is None) == (latest is None or at - latest >= STALE_AFTER)


@pytest.mark.parametrize("commitment", COMMITMENTS)
def test_no_fresh_quote_is_below_the_price(commitment: str) -> None:
    for key in tables.accelerators():
        price = accelerator_price(key, at=TODAY, commitment=commitment)
        if price is not None:
            quotes = {row.provider for row in accelerator_prices() if row.accelerator == key}
            found = [
                accelerator_price(key, at=TODAY, commitment=commitment, provider=provider)
                for provider in quotes
            ]
            assert price.price == min(quote.price for quote in found if quote is not None)


def test_a_quote_tells_its_age_only_when_it_is_old() -> None:
    assert row(1.0, dt.date(2026, 6, 1)).doubt(TODAY) == ""
    old = row(1.0, dt.date(2025, 12, 23)).doubt(TODAY)
    assert old == "quote is 11 months old at the instant asked"


def test_a_price_of_nothing_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    header = "accelerator,provider,commitment,region,price,valid_from,source,as_of,evidence"
    line = "h100-sxm,me,on-demand,,0 USD/h,2026-01-01,a quote,2026-01-01,published"
    file.write_text(f"{header}\n{line}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"own\.csv: line 2: price is not positive"):
        accelerator_prices(file)
