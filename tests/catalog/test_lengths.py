import ast
import csv
import dataclasses
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from inferometer.catalog import tables
from inferometer.errors import CatalogError
from inferometer.workload.sampling import draw, thoughts
from inferometer.workload.spec import LengthSpec


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
        ({"reasoning_quantiles": (0.5,)}, "one share"),
        ({"reasoning_quantiles": (*[0.5] * 11, 1.5)}, "one share"),
        ({"reasoning_quantiles": (*[0.5] * 11, 0.4)}, "one share"),
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


def test_thoughts_and_answers_are_those_of_the_production_day(data: Path) -> None:
    """Weights: each client's requests in the six hours that a histogram is of."""
    profile = tables.length_profile("servegen-deepseek-r1")
    totals = {"input_tokens": Mixture(), "output_tokens": Mixture(), "reason_ratio": Mixture()}
    with tarfile.open(data / "traces/servegen_reason_deepseek-r1.tar.xz") as archive:
        files = {name: archive.extractfile(name) for name in archive.getnames()}
        for name, file in files.items():
            if file is None or not name.endswith("dataset.json"):
                continue
            rates = files[name.replace("dataset.json", "trace.csv")]
            assert rates is not None
            rows = np.loadtxt(io.StringIO(rates.read().decode()), delimiter=",", usecols=(0, 1))
            for start, window in json.load(file).items():
                mine = (rows[:, 0] >= int(start)) & (rows[:, 0] < int(start) + SIX_HOURS)
                requests = float(rows[mine, 1].sum()) * TEN_MINUTES
                for key, mixture in totals.items():
                    if requests > 0:
                        mixture.add(ast.literal_eval(window[key]), requests)
    for key, quantiles, mean in (
        ("input_tokens", profile.input_quantiles, profile.input_mean),
        ("output_tokens", profile.output_quantiles, profile.output_mean),
        ("reason_ratio", profile.reasoning_quantiles, profile.reasoning_mean),
    ):
        assert quantiles == pytest.approx(totals[key].quantiles(profile.levels), abs=5e-5)
        assert mean == pytest.approx(totals[key].mean, rel=1e-4)
    assert totals["output_tokens"].weight == pytest.approx(profile.requests, abs=1)


SIX_HOURS, TEN_MINUTES = 21600, 600


class Mixture:
    """Histograms added up, each with the weight of its requests."""

    def __init__(self) -> None:
        self.counts = dict[float, float]()

    def add(self, histogram: dict[float, float], requests: float) -> None:
        whole = sum(histogram.values())
        for value, share in histogram.items():
            self.counts[value] = self.counts.get(value, 0.0) + requests * share / whole

    @property
    def weight(self) -> float:
        return sum(self.counts.values())

    @property
    def mean(self) -> float:
        return sum(value * count for value, count in self.counts.items()) / self.weight

    def quantiles(self, levels: tuple[float, ...]) -> list[float]:
        values = np.array(sorted(self.counts))
        share = np.cumsum([self.counts[value] for value in values]) / self.weight
        return [float(values[min(np.searchsorted(share, at - 1e-9), len(values) - 1)])
                for at in levels]  # fmt: skip


def test_thoughts_of_a_production_day_are_most_of_the_output_in_two_humps() -> None:
    """ServeGen (arXiv 2505.09999) reports a bimodal share of reasoning in the output."""
    profile = tables.length_profile("servegen-deepseek-r1")
    spec = LengthSpec(profile=profile.key)
    random = np.random.default_rng(0)
    _, outputs = draw(spec, 100_000, random)
    thought = thoughts(spec, outputs, random)
    assert (thought >= 0).all()
    assert (thought < outputs).all()
    share = thought / outputs
    assert share.mean() == pytest.approx(profile.reasoning_mean, abs=0.01)
    found = np.quantile(share, profile.levels[2:-2])
    assert found == pytest.approx(profile.reasoning_quantiles[2:-2], abs=0.01)
    low, middle, high = (np.mean(abs(share - at) < 0.05) for at in (0.39, 0.55, 0.93))
    assert low > middle < high
    assert np.quantile(outputs, 0.99) > 10 * np.median(outputs)  # a heavy tail


def test_a_profile_without_the_split_has_no_thoughts_unless_a_share_is_stated() -> None:
    outputs = np.array([100, 1, 7])
    random = np.random.default_rng(0)
    assert not thoughts(LengthSpec(profile="sharegpt"), outputs, random).any()
    stated = thoughts(LengthSpec(profile="sharegpt", reasoning=0.99), outputs, random)
    assert stated.tolist() == [99, 0, 6]
