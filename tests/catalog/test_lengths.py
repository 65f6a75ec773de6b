import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from inferometer.catalog import tables
from inferometer.errors import CatalogError


def test_quantiles_match_the_trace(data: Path) -> None:
    profile = tables.length_profile("azure conversation")
    with (data / "traces/azure_llm_2023_conv.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert profile.requests == len(rows)
    for quantiles, name in (
        (profile.input_quantiles, "ContextTokens"),
        (profile.output_quantiles, "GeneratedTokens"),
    ):
        lengths = np.array([int(row[name]) for row in rows])
        expected = np.quantile(lengths, profile.levels, method="inverted_cdf")
        assert quantiles == pytest.approx(list(expected))


def test_the_mean_lies_within_the_quantiles() -> None:
    for profile in tables.lengths().values():
        assert profile.input_mean <= profile.input_quantiles[-1]
        assert profile.output_mean <= profile.output_quantiles[-1]


@pytest.mark.parametrize(
    "name", ["azure-code", "sharegpt", "mooncake", "burstgpt", "reasoning", "agentic-coding"]
)
def test_published_workloads_are_there(name: str) -> None:
    assert tables.length_profile(name).input_mean > 0


def test_the_agentic_ratio_is_the_published_one() -> None:
    profile = tables.length_profile("agentic-coding")
    assert profile.input_mean / profile.output_mean == pytest.approx(153, rel=0.01)


def test_a_day_has_24_hours_around_its_mean() -> None:
    for day in tables.diurnal().values():
        assert len(day.hourly) == 24
        assert sum(day.hourly) / 24 == pytest.approx(1, abs=1e-3)
    business = tables.diurnal_profile("azure-like").hourly
    assert max(business) / min(business) == pytest.approx(2.8, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input_quantiles": (5.0,)}, "one length per level"),
        ({"levels": (0.5, 0.4)}, "shares rising"),
        ({"correlation": 2.0}, "not within"),
    ],
)
def test_a_profile_is_checked(change: dict[str, object], says: str) -> None:
    with pytest.raises(CatalogError, match=says):
        dataclasses.replace(tables.length_profile("sharegpt"), **change)  # type: ignore[arg-type]


def test_a_day_is_checked() -> None:
    day = tables.diurnal_profile("flat")
    with pytest.raises(CatalogError, match="24 relative rates"):
        dataclasses.replace(day, hourly=(1.0,))
    with pytest.raises(CatalogError, match="the mean is 2"):
        dataclasses.replace(day, hourly=(2.0,) * 24)
