"""Slips of the unit are pointed out, and the answer is given all the same."""

import datetime as dt

import pytest

from inferometer.catalog.prices import AcceleratorPrice
from inferometer.catalog.source import Source
from inferometer.cli.plausibility import doubts_of_prices, doubts_of_targets
from inferometer.workload.slo import parse_slo

DAY = dt.date(2026, 10, 1)


@pytest.mark.parametrize(
    "text", ["ttft p99 <= 2 us", "tpot p99 <= 50 s", "tpot p99 <= 50 us", "e2e p99 <= 9 day"]
)
def test_odd_limits_are_doubted(text: str) -> None:
    (doubt,) = doubts_of_targets(parse_slo((text,)))
    assert "unit" in doubt


@pytest.mark.parametrize("text", ["ttft p99 <= 2 s", "tpot p50 <= 5 ms", "e2e p99 <= 10 min"])
def test_usual_limits_are_not(text: str) -> None:
    assert not doubts_of_targets(parse_slo((text,)))


@pytest.mark.parametrize(("hourly", "odd"), [(2.1, False), (2100.0, True), (0.0006, True)])
def test_prices_per_another_time_are_doubted(hourly: float, odd: bool) -> None:
    row = AcceleratorPrice(
        accelerator="l40s", provider="ours", commitment="on-demand", price=hourly / 3600,
        valid_from=DAY, source=Source(source="a contract", as_of=DAY),
    )  # fmt: skip
    assert bool(doubts_of_prices([row])) == odd
