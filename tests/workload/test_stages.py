"""Stages before the model: a naive queue, and the M/D/1 formula."""

import heapq
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.errors import ScenarioError
from inferometer.workload.stages import Servers, ends, retrieved, through, with_passages
from inferometer.workload.trace import Calls, Floats, Trace


def naive(arrival: list[float], units: int, service: float) -> list[float]:
    free, done = [0.0] * units, list[float]()
    for time in arrival:
        begin = max(time, heapq.heappop(free))
        heapq.heappush(free, begin + service)
        done.append(begin + service)
    return done


@given(
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
    units=st.integers(1, 7),
    service=st.floats(0.01, 10),
)
@settings(deadline=None)
def test_ends_are_those_of_a_naive_queue(gaps: list[float], units: int, service: float) -> None:
    arrival = np.cumsum(gaps)
    np.testing.assert_allclose(
        ends(arrival, units, service), naive(arrival.tolist(), units, service), rtol=1e-9
    )


def poisson(load: float, size: int = 200_000) -> Floats:
    return np.cumsum(np.random.default_rng(0).exponential(1 / load, size))


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_one_server_waits_as_m_d_1(load: float) -> None:
    _, (met,) = through([Servers(name="embed", units=1, rate=1.0)], poisson(load))
    assert met.wait_mean == pytest.approx(load / (2 * (1 - load)), rel=0.03)
    assert met.load == pytest.approx(load, rel=0.02)


def test_stages_follow_one_another() -> None:
    stages = [
        Servers(name="embed", units=1, rate=10.0, latency=0.5),
        Servers(name="rerank", units=2, rate=40.0, calls=20.0),
    ]
    time, met = through(stages, np.array([0.0, 0.0, 0.0]))
    # embedded at 0.1, 0.2, 0.3; at the reranker at 0.6, 0.7, 0.8; each takes 0.5 s, two at a time
    np.testing.assert_allclose(time, [1.1, 1.2, 1.6])
    assert met[1].wait_mean == pytest.approx(0.3 / 3)


def questions() -> Trace:
    return Trace(
        arrival=np.array([0.0, 1.0]),
        input_tokens=np.array([10, 20]),
        output_tokens=np.array([5, 5]),
    )


def test_passages_lengthen_prompts_and_stages_delay_them() -> None:
    stage = Servers(name="index", units=1, rate=4.0, latency=0.1)
    found, _ = retrieved(questions(), 512, [stage])
    assert found.input_tokens.tolist() == [522, 532]
    assert found.prepared is not None
    np.testing.assert_allclose(found.prepared, [0.35, 0.35])
    assert with_passages(questions(), 512).prepared is None


def test_what_cannot_be_is_refused() -> None:
    for wrong in ({"units": 0}, {"rate": 0.0}, {"calls": 0.0}, {"latency": -1.0}):
        with pytest.raises(ScenarioError, match="stage embed"):
            Servers(**({"name": "embed", "units": 1, "rate": 1.0} | wrong))  # type: ignore[arg-type]
    none = np.zeros(0, np.int64)
    calls = Calls(
        before=none, after=none, delay=np.zeros(0), dispatched=np.zeros(0, bool),
        earliest=np.zeros(2), task=np.zeros(2, np.int64),
    )  # fmt: skip
    with pytest.raises(ScenarioError, match="times of their own"):
        retrieved(replace(questions(), calls=calls), 512, [])
