"""Laws of traces: round trips, seeds, rates, distributions."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.errors import WorkloadError
from inferometer.workload.arrivals import unit_gaps
from inferometer.workload.formats.files import read, write
from inferometer.workload.marginal import Marginal
from inferometer.workload.sampling import lengths
from inferometer.workload.shape import cached_fraction, shape_of, strata
from inferometer.workload.spec import WorkloadSpec, spec_of
from inferometer.workload.synthesis import generator, synthesise

TABLE = {
    "rate": "5 1/s",
    "duration": "30 min",
    "lengths": {"input": {"p50": 100, "p99": 1000}, "output": {"mean": 80, "p50": 50}},
}
CHAT = TABLE | {
    "arrivals": "gamma",
    "cv": 2,
    "sessions": {"turns": 3, "think": "10 s"},
    "prefix": {"tokens": 320, "share": 0.5, "block_size": 16},
    "tenants": {"a": 0.25, "b": 0.75},
}


def spec(**changes: object) -> WorkloadSpec:
    return spec_of(CHAT | changes, "test")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 60))
def test_what_is_written_is_read(suffix: str, seed: int, size: int) -> None:
    trace = synthesise(dataclasses.replace(spec(), duration=None, requests=size), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trace{suffix}"
        write(trace, path)
        back = read(path).trace
    assert trace.prefixes is not None
    assert back.prefixes is not None
    for column in ("arrival", "input_tokens", "output_tokens", "session", "tenant"):
        assert getattr(back, column).tolist() == getattr(trace, column).tolist()
    assert back.prefixes.hashes.tolist() == trace.prefixes.hashes.tolist()
    assert back.prefixes.offsets.tolist() == trace.prefixes.offsets.tolist()
    assert len(back) == size


def test_same_seed_same_bytes_and_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write(synthesise(spec(), seed=seed), tmp_path / f"{name}.jsonl")
    one, same, other = ((tmp_path / f"{name}.jsonl").read_bytes() for name in "abc")
    assert one == same != other


def test_a_subsystem_does_not_disturb_another() -> None:
    plain, tenants = synthesise(spec(tenants={"a": 1.0})), synthesise(spec())
    assert plain.arrival.tolist() == tenants.arrival.tolist()


@pytest.mark.parametrize("table", [TABLE, CHAT, TABLE | {"hourly": [1, 3] * 12}])
def test_the_rate_is_kept(table: dict[str, object]) -> None:
    trace = synthesise(spec_of(table | {"duration": "20 h"}, "test"))
    assert len(trace) / (20 * 3600) == pytest.approx(5, rel=0.03)


def test_the_hours_are_followed() -> None:
    trace = synthesise(spec_of(TABLE | {"duration": "2 h", "hourly": [1, 3] * 12}, "test"))
    early = (trace.arrival < 3600).mean()
    assert early == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("kind", ["gamma", "weibull"])
@pytest.mark.parametrize("cv", [0.5, 1.0, 2.0])
def test_gaps_have_mean_and_variation(kind: str, cv: float) -> None:
    gaps = unit_gaps(kind, cv, 400_000, generator(0, "test"))
    assert gaps.mean() == pytest.approx(1, rel=0.02)
    assert gaps.std() == pytest.approx(cv, rel=0.03)


def test_lengths_hit_their_quantiles() -> None:
    normal = generator(0, "test").standard_normal(200_000)
    stepped = lengths(Marginal(levels=(0.5, 0.9, 1.0), quantiles=(100, 500, 900)), normal, "x")
    assert np.quantile(stepped, [0.5, 0.9]) == pytest.approx([100, 500], rel=0.02)
    smooth = lengths(Marginal(mean=800, p50=500), normal, "x")
    assert (smooth.mean(), np.median(smooth)) == pytest.approx((800, 500), rel=0.02)
    tail = lengths(Marginal(p50=100, p99=1000), normal, "x")
    assert np.quantile(tail, [0.5, 0.99]) == pytest.approx([100, 1000], rel=0.03)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=50))
def test_lengths_rise_with_their_deviate(deviates: list[float]) -> None:
    marginal = Marginal(levels=(0.1, 0.5, 1.0), quantiles=(10, 10, 800))
    assert (np.diff(lengths(marginal, np.sort(deviates), "x")) >= 0).all()


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=200), st.integers(1, 70))
def test_strata_keep_the_mean_and_rise(values: list[int], points: int) -> None:
    found = strata(np.array(values), points)
    assert found.mean() == pytest.approx(np.mean(values), rel=1e-9)
    assert (np.diff(found) >= -1e-6 * max(values)).all()


def test_poisson_burstiness_is_one_and_sharing_is_found() -> None:
    steady = synthesise(spec_of(TABLE | {"duration": "6 h"}, "test"))
    assert shape_of(steady).burstiness == pytest.approx(1, abs=0.05)
    chat = synthesise(spec())
    assert cached_fraction(steady) == 0 < cached_fraction(chat) < 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ratee": 1}, "nearest: rate"),
        ({"rate": "5 s"}, "rate"),
        ({"rate": "0 1/s"}, "rate: must be positive"),
        ({"requests": 5}, "duration: give it, or requests"),
        ({"arrivals": "pareto"}, "not one of"),
        ({"arrivals": "poisson"}, "cv"),
        ({"hourly": [1.0]}, "24 values"),
        ({"lengths": {}}, "give one of"),
        ({"lengths": {"input": {"mean": 5}, "output": {"mean": 5}}}, "two of mean"),
        ({"tenants": {"a": 0.5}}, "add up to 1"),
        ({"rate": "1e9 1/s"}, "are the most"),
    ],
)
def test_a_wrong_spec_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        synthesise(spec_of(CHAT | changes, "test"))
