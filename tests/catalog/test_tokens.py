import datetime as dt

import genai_prices
import pytest
from genai_prices.types import Usage

from inferometer.catalog.tokens import token_prices

TODAY = dt.date(2026, 11, 23)


def test_an_open_model_is_sold_by_several() -> None:
    rows = token_prices("llama-3.1-70b", at=TODAY)
    assert len({row.provider for row in rows}) >= 5
    assert all(row.input > 0 and row.output > 0 for row in rows)
    assert all(row.source.source and row.source.as_of <= TODAY for row in rows)


def test_any_spelling_of_a_provider_id_is_found() -> None:
    assert token_prices("OpenAI/GPT-4o", at=TODAY) == token_prices("gpt-4o", at=TODAY) != ()


def test_a_model_that_nobody_sells_is_unpriced() -> None:
    assert token_prices("no-such-model", at=TODAY) == ()


def test_free_offers_are_no_price() -> None:
    assert token_prices("llama-3.3-70b-instruct:free", at=TODAY) == ()


def test_a_lookup_takes_an_instant() -> None:
    def price(day: dt.date) -> float:
        rows = token_prices("llama-3.1-70b", at=day)
        return next(row.output * 1e6 for row in rows if row.provider == "openrouter")

    assert price(dt.date(2026, 10, 18)) == pytest.approx(0.28)
    assert price(dt.date(2026, 10, 19)) == pytest.approx(0.4)
    assert price(dt.date(2026, 11, 3)) == pytest.approx(0.72)


def test_batch_costs_half() -> None:
    rows = {(r.provider, r.tier): r for r in token_prices("gpt-4o", at=TODAY)}
    standard, batch = rows["openai", "standard"], rows["openai", "batch"]
    assert batch.input == pytest.approx(standard.input / 2)
    assert batch.output == pytest.approx(standard.output / 2)
    assert batch.cached is None
    together = {
        r.tier: r for r in token_prices("llama-3.1-70b", at=TODAY) if r.provider == "together"
    }
    assert together["batch"].output == pytest.approx(together["standard"].output / 2)


@pytest.mark.parametrize("model", ["gpt-4o", "o4-mini", "claude-opus-4-1"])
def test_a_request_costs_what_the_library_says(model: str) -> None:
    provider = "anthropic" if model.startswith("claude") else "openai"
    row = next(
        r for r in token_prices(model, at=TODAY) if (r.provider, r.tier) == (provider, "standard")
    )
    noon = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
    usage = Usage(input_tokens=1000, cache_read_tokens=400, output_tokens=200)
    theirs = genai_prices.calc_price(
        usage, model_ref=model, provider_id=provider, genai_request_timestamp=noon
    )
    assert row.cached is not None
    ours = 600 * row.input + 400 * row.cached + 200 * row.output
    assert ours == pytest.approx(float(theirs.total_price), rel=1e-9)


def test_prices_of_long_prompts_are_kept() -> None:
    rows = token_prices("claude-sonnet-4-5", at=dt.date(2026, 11, 1))
    standard = next(row for row in rows if (row.provider, row.tier) == ("anthropic", "standard"))
    (beyond,) = standard.longer
    # Anthropic's list: 3 and 15 USD/Mtok to 200k prompt tokens, 6 and 22.50 beyond.
    assert beyond.above == 200_000
    assert (standard.input, standard.output) == pytest.approx((3e-6, 15e-6))
    assert (beyond.input, beyond.output) == pytest.approx((6e-6, 22.5e-6))
    batch = next(row for row in rows if (row.provider, row.tier) == ("anthropic", "batch"))
    assert [one.input for one in batch.longer] == pytest.approx([0.5 * beyond.input])
