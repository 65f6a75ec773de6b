"""Laws of the simulator: one step time, conservation, causality, determinism, monotony, limits."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from simulate_cases import deployment, trace

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.perf.roofline import Batch, Machine, compile_candidates, step_time
from inferometer.simulate.coefficients import StepCoefficients, coefficients
from inferometer.simulate.play import Play
from inferometer.simulate.router import ROUTERS, Offers, Visible, choose
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.step import attention_sum, matrix_times, overhead, visible_sum

MODELS = ("llama-3.1-8b", "gpt-oss-120b", "deepseek-v3", "gemma-3-27b", "qwen3-30b-a3b")
SMALL: dict[str, Any] = {"max_examples": 25, "deadline": None}


@pytest.mark.parametrize("name", MODELS)
@given(
    sequences=st.integers(0, 256), prefill=st.integers(0, 4096), seen=st.floats(1, 1e5),
    asked=st.floats(1, 1e5),
)  # fmt: skip
@settings(**SMALL)
def test_coefficients_give_the_step_time_of_perf(
    name: str, sequences: int, prefill: int, seen: float, asked: float
) -> None:
    if sequences + prefill == 0:
        return
    machine, step = compiled(name)
    reaches = step.reaches[:, None]
    visible, read = np.minimum(asked, reaches), np.minimum(seen, reaches)
    batch = Batch(
        sequences=np.array([float(sequences)]), context=read,
        prefill=np.array([float(prefill)]), prefill_context=visible,
    )  # fmt: skip
    busy, compute, memory = matrix_times(step, sequences, prefill, 1)
    decode = float(step.decode_flop @ read[:, 0]) * sequences
    flop = decode + float(step.prefill_flop @ visible[:, 0]) * prefill
    moved = float(step.kv_read @ read[:, 0]) * sequences + (sequences + prefill) * step.kv_write
    busy += max(flop, moved)
    expected = step_time(batch, machine)
    total = busy + overhead(step, sequences, prefill, busy)
    assert_allclose(total, expected.total[0], rtol=1e-12)
    assert_allclose(compute + flop, expected.compute[0], rtol=1e-9)
    assert_allclose(memory + moved, expected.memory[0], rtol=1e-9)


KNOWN: dict[str, tuple[Machine, StepCoefficients]] = {}


def compiled(name: str) -> tuple[Machine, StepCoefficients]:
    if name not in KNOWN:
        built = dataclasses.replace(deployment(tensor=2), model=model(name))
        machine = compile_candidates(one(built), efficiencies())
        KNOWN[name] = machine, coefficients(machine, 256 + 4096)
    return KNOWN[name]


@given(
    compute=st.floats(0, 1), compute_slope=st.floats(0, 0.1), memory=st.floats(0, 1),
    memory_slope=st.floats(0, 0.1), count=st.integers(1, 200),
)  # fmt: skip
@settings(**SMALL)
def test_sum_of_steps_is_the_sum_step_by_step(
    compute: float, compute_slope: float, memory: float, memory_slope: float, count: int
) -> None:
    k = np.arange(count)
    expected = np.maximum(compute + k * compute_slope, memory + k * memory_slope).sum()
    found = attention_sum(compute, compute_slope, memory, memory_slope, count)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@given(computed=st.integers(0, 500), count=st.integers(1, 500), reach=st.integers(1, 700))
@settings(**SMALL)
def test_prompt_tokens_see_what_the_window_lets_them(computed: int, count: int, reach: int) -> None:
    expected = sum(min(computed + j, reach) for j in range(1, count + 1))
    assert visible_sum(computed, count, float(reach)) == expected


def played(
    seed: int = 0, rate: float = 50.0, size: int = 200, play: Play | None = None, **changes: Any
) -> Simulation:
    return simulate(
        trace(seed, size, rate), deployment(**changes), efficiencies=efficiencies(), play=play
    )


@given(seed=st.integers(0, 10**6), router=st.sampled_from(list(ROUTERS)), rate=st.floats(1, 500))
@settings(**SMALL)
def test_every_request_ends_once_and_effects_follow_causes(
    seed: int, router: str, rate: float
) -> None:
    run = played(seed, rate, 60, Play(router=router), replicas=3, fraction=0.23)
    counts = run.counts  # conservation and causality are checked by every run
    assert counts.arrived == 60
    assert counts.finished + counts.rejected == 60
    assert (run.records.lane[run.records.done] < 3).all()
    several = run.records.output[run.records.done] - 1
    assert run.gaps.sum() == several.sum()


@given(horizon=st.floats(0.01, 2))
@settings(**SMALL)
def test_what_a_stopped_clock_leaves_is_in_flight(horizon: float) -> None:
    run = played(play=Play(horizon=horizon))
    assert run.end <= horizon
    assert run.counts.in_flight > 0
    assert run.counts.arrived == (run.records.arrival <= run.end).sum()


def test_the_same_seed_gives_the_same_bytes_and_another_router_the_same_arrivals() -> None:
    one_run, again = (played(play=Play(router="power-of-two"), replicas=4) for _ in range(2))
    for field in dataclasses.fields(one_run.records):
        first, second = (getattr(run.records, field.name) for run in (one_run, again))
        assert first.tobytes() == second.tobytes()
    other = played(play=Play(router="round-robin"), replicas=4)
    assert other.records.arrival.tobytes() == one_run.records.arrival.tobytes()
    coins = played(play=Play(router="power-of-two", seed=1), replicas=4)
    assert coins.records.lane.tobytes() != one_run.records.lane.tobytes()


def test_waiting_grows_with_the_rate() -> None:
    means = []
    for rate in (5.0, 20.0, 80.0, 320.0):
        records = played(rate=rate).records
        means.append((records.first_token - records.arrival).mean())
    assert means == sorted(means)


def test_littles_law_holds() -> None:
    run = played(rate=20.0, size=2000)
    records = run.records
    decoding = (records.finished - records.first_token).sum() / run.end
    assert_allclose(run.sums["sequence_time"] / run.end, decoding, rtol=1e-6)


@given(draw=st.floats(0, 0.999), session=st.integers(-1, 10**15), lanes=st.integers(1, 9))
@settings(**SMALL)
def test_numbered_routers_are_the_named_ones(draw: float, session: int, lanes: int) -> None:
    loads = np.arange(lanes)[::-1].copy()
    offers = Offers(
        lanes=np.arange(lanes) * 3, loads=loads, matches=np.roll(loads, 1) * 10,
        costs=np.roll(loads, 2).astype(np.float64), seats=np.full(lanes, 5),
    )  # fmt: skip
    visible = Visible(number=7, prompt=100, session=session, draw=draw)
    for number, router in enumerate(ROUTERS.values()):
        assert choose(number, visible, offers) == router(visible, offers)
        assert 0 <= router(visible, offers) < lanes
