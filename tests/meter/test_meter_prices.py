"""Prices: integers that equal the library's decimals, dated, with boundaries where they belong."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage, data
from hypothesis import given
from hypothesis import strategies as st
from meter_cases import amounts as all_amounts
from meter_cases import attempt

from inferometer.errors import LedgerError
from inferometer.meter.price_list import listed
from inferometer.meter.price_overrides import overrides
from inferometer.meter.prices import PICO_PER_MTOK, PriceTable, amounts, priced
from inferometer.meter.record import Attempt

NS = 10**9
TOKENS = (60_000, 40_000, 3_000, 2_000, 1_500, 500)


def unpriced(**changes: object) -> Attempt:
    return attempt(1)._replace(**all_amounts(None), **changes)  # pyrefly: ignore


def nanos(day: dt.datetime) -> int:
    return int(day.timestamp()) * NS


def every_model() -> list[tuple[str, str]]:
    return [(seller.id, model.id) for seller in data.providers for model in seller.models]


@pytest.mark.parametrize(
    "step", [23, pytest.param(1, marks=pytest.mark.soak)], ids=["some", "every"]
)
@pytest.mark.parametrize("hour", [3, 17])
def test_models_of_the_library_cost_what_the_library_says(hour: int, step: int) -> None:
    """Oracle: genai-prices' own calculation in decimals, on three days of its history."""
    sellers = {seller.id: seller for seller in data.providers}
    table, checked = PriceTable(listed), 0
    usage = Usage(
        input_tokens=sum(TOKENS[:4]),
        cache_read_tokens=TOKENS[1],
        cache_write_tokens=TOKENS[2] + TOKENS[3],
        cache_write_1h_tokens=TOKENS[3],
        output_tokens=sum(TOKENS[4:]),
        output_reasoning_tokens=TOKENS[5],
    )
    for provider, model in every_model()[::step]:
        table.prepare([(provider, model)])
        sold = sellers[provider].find_model(model.lower())
        for day in (dt.date(2024, 6, 1), dt.date(2025, 3, 1), dt.date(2026, 8, 1)):
            at = dt.datetime.combine(day, dt.time(hour, 30), dt.UTC)
            row = table.find(provider, model, nanos(at), input_tokens=sum(TOKENS[:4]))
            if row is None or sold is None or None in row.picos:
                continue
            charged = sold.calc_price(usage, sellers[provider], genai_request_timestamp=at)
            fee = getattr(sold.get_prices(at), "requests_kcount", None) or Decimal(0)
            wanted = charged.total_price - fee / 1000  # a fee per request is no price of tokens
            found = amounts(row.picos, TOKENS)
            assert found is not None
            assert abs(sum(found) - wanted * NS) <= sum(TOKENS) / 1000 / 2 + 1, row.id
            checked += 1
    assert checked > 2000 / step


def test_history_keeps_its_price() -> None:
    dated = [
        (seller.id, model.id)
        for seller in data.providers
        for model in seller.models
        if isinstance(model.prices, list) and len(model.prices) > 1
    ]
    table = PriceTable(listed)
    table.prepare(dated)
    now, then = nanos(dt.datetime(2026, 8, 1, tzinfo=dt.UTC)), 0
    changed = 0
    for pair in dated:
        old, new = table.find(*pair, then), table.find(*pair, now)
        if old and new and old.picos != new.picos:
            assert old.id != new.id
            assert old.valid_from < new.valid_from
            changed += 1
    assert changed > 5


def test_a_price_changes_at_midnight_utc_of_its_day(tmp_path: Path) -> None:
    table = two_rows(tmp_path)
    change = nanos(dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
    before, after = (table.find("acme", "m", at) for at in (change - 1, change))
    assert before is not None
    assert after is not None
    assert (before.valid_from, after.valid_from) == ("2026-01-01", "2026-02-01")
    assert table.find("acme", "m", nanos(dt.datetime(2025, 12, 31, tzinfo=dt.UTC))) is None


def two_rows(folder: Path) -> PriceTable:
    file = folder / "prices.toml"
    file.write_text("""
        [[price]]
        provider = "acme"
        model = "M"
        valid_from = 2026-01-01
        source = "contract"
        input = "1"
        output = "2"
        [[price]]
        provider = "acme"
        model = "m"
        valid_from = 2026-02-01
        source = "contract"
        input = "0.5"
        cache_read = "0.05"
        output = "2"
        [[price]]
        provider = "acme"
        model = "m"
        valid_from = 2026-02-01
        above_input_tokens = 1000
        source = "contract"
        input = "3"
        output = "4"
    """)
    table = PriceTable(overrides(file), listed)
    table.prepare([("acme", "m"), ("openai", "gpt-4o")])
    return table


@pytest.mark.parametrize(("inputs", "price"), [(999, 0.5), (1000, 0.5), (1001, 3)])
def test_the_boundary_of_a_tier_is_above_n(tmp_path: Path, inputs: int, price: float) -> None:
    at = nanos(dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    row = two_rows(tmp_path).find("acme", "m", at, input_tokens=inputs)
    assert row is not None
    assert row.picos[0] == int(price * PICO_PER_MTOK)


def test_own_rows_go_before_the_list_and_the_list_stays(tmp_path: Path) -> None:
    table = two_rows(tmp_path)
    row = table.find("openai", "gpt-4o", nanos(dt.datetime(2026, 3, 1, tzinfo=dt.UTC)))
    assert row is not None
    assert "genai-prices" in row.source


def test_classes_fall_back_to_their_parent(tmp_path: Path) -> None:
    row = two_rows(tmp_path).find("acme", "m", nanos(dt.datetime(2026, 3, 1, tzinfo=dt.UTC)))
    assert row is not None
    assert row.picos == (500_000, 50_000, 500_000, 500_000, 2_000_000, 2_000_000)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('input = "-1"', "input"),
        ('input = "NaN"', "input"),
        ('input = "1e400"', "input"),
        ('input = "0.0000001"', "six places"),
        ("input = 1.0", "input"),
        ('outptu = "1"', "output"),
        ('tier = "gold"', "tier"),
        ("valid_from = 2026-01-01T00:00:00Z", "valid_from"),
        ("above_input_tokens = -1", "above_input_tokens"),
        ('source = " "', "source"),
    ],
)
def test_a_faulty_row_is_refused_by_name(tmp_path: Path, line: str, named: str) -> None:
    rows = {
        "provider": '"a"',
        "model": '"m"',
        "valid_from": "2026-01-01",
        "source": '"s"',
        "input": '"1"',
    }
    name, _, value = line.partition(" = ")
    rows[name] = value
    file = tmp_path / "prices.toml"
    file.write_text("[[price]]\n" + "\n".join(f"{key} = {text}" for key, text in rows.items()))
    with pytest.raises(LedgerError, match=named):
        overrides(file)


@pytest.mark.parametrize("text", ["price = 3", "[[prices]]", "x = [", "[[price]]\nprovider = 1"])
def test_a_faulty_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(LedgerError, match=r"prices\.toml"):
        overrides(file)


def test_what_is_not_sold_stays_unpriced() -> None:
    table = PriceTable(listed)
    table.prepare([("openai", "no-such-model"), ("self-hosted", "llama")])
    row = unpriced(served="no-such-model")
    assert priced(row, table) == row
    assert table.find("self-hosted", "llama", 0) is None
    assert table.find("never", "prepared", 0) is None


def test_a_batch_is_cheaper_and_its_cached_tokens_are_not_guessed() -> None:
    table = PriceTable(listed)
    table.prepare([("openai", "gpt-4o"), ("groq", "llama-3.3-70b-versatile")])
    at = nanos(dt.datetime(2026, 11, 1, tzinfo=dt.UTC))
    for pair in (("openai", "gpt-4o"), ("groq", "llama-3.3-70b-versatile")):
        standard, batch = (table.find(*pair, at, tier=tier) for tier in ("", "batch"))
        assert standard is not None
        assert batch is not None
        assert batch.picos[0] == (standard.picos[0] or 0) // 2
    openai = table.find("openai", "gpt-4o", at, tier="batch")
    assert openai is not None
    assert openai.picos[1] is None
    assert amounts(openai.picos, (5, 1, 0, 0, 0, 0)) is None


def test_a_row_is_billed_to_the_model_that_served_it() -> None:
    table = PriceTable(listed)
    table.prepare([("openai", "gpt-4o-mini"), ("openai", "gpt-4o")])
    row = unpriced(model="gpt-4o", served="gpt-4o-mini")
    found = priced(row, table)
    assert "gpt-4o-mini" in found.price
    assert found.nanos is not None
    fallback = priced(row._replace(served="unknown"), table)
    assert "/gpt-4o@" in fallback.price
    assert fallback.nanos is not None
    assert fallback.nanos > found.nanos


PICOS = st.integers(0, 10**9)
COUNTS = st.integers(0, 10**7)


@given(st.tuples(*[PICOS] * 6), st.tuples(*[COUNTS] * 6))
def test_a_line_is_rounded_once_and_its_classes_add_up(
    picos: tuple[int, ...], tokens: tuple[int, ...]
) -> None:
    found = amounts(picos, tokens)
    exact = [pico * count for pico, count in zip(picos, tokens, strict=True)]
    assert found is not None
    assert sum(found) == (sum(exact) + 500) // 1000
    assert all(
        0 <= 1000 * part - whole + 1000 <= 2000 for part, whole in zip(found, exact, strict=True)
    )
