"""The simulator in the limits that textbooks solve: single servers, closed loops, the mean."""

import heapq
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_cases import deployment

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.deployment import Deployment
from inferometer.outcome import Outcome
from inferometer.perf.predict import predict
from inferometer.simulate import measures
from inferometer.simulate.play import Play
from inferometer.simulate.records import Records
from inferometer.simulate.serving import Serving
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.workload.shape import shape_of
from inferometer.workload.trace import Calls, Ints, Trace

ALONE = deployment(sequences=1)
SIZE = 8000


def served_alone(outputs: Ints, load: float, seed: int = 0) -> tuple[Records, float]:
    """Return the records of Poisson arrivals at one server, and the mean service time."""
    prompts = np.full(len(outputs), 10)
    apart = Trace(
        arrival=np.arange(len(outputs), dtype=np.float64) * 1e3,
        input_tokens=prompts,
        output_tokens=outputs,
    )
    idle = simulate(apart, ALONE, efficiencies=efficiencies()).records
    mean = float((idle.finished - idle.arrival).mean())
    gaps = np.random.default_rng(seed).exponential(mean / load, len(outputs))
    busy = replace(apart, arrival=np.cumsum(gaps))
    return simulate(busy, ALONE, efficiencies=efficiencies()).records, mean


def waited(records: Records) -> tuple[float, float]:
    """Return the mean wait and three standard errors of it, by batch means."""
    waits = (records.admitted - records.arrival).reshape(20, -1).mean(axis=1)
    return float(waits.mean()), float(3 * waits.std(ddof=1) / np.sqrt(len(waits)))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_constant_lengths_at_one_server_are_md1(load: float) -> None:
    records, service = served_alone(np.full(SIZE, 5), load)
    mean, error = waited(records)
    assert mean == pytest.approx(load * service / (2 * (1 - load)), abs=error)


@pytest.mark.parametrize("load", [0.3, 0.6])
def test_geometric_lengths_at_one_server_are_mm1(load: float) -> None:
    outputs = np.random.default_rng(1).geometric(1 / 60, SIZE)
    records, service = served_alone(outputs, load)
    mean, error = waited(records)
    assert mean == pytest.approx(load * service / (1 - load), abs=error + 0.05 * mean)


@pytest.mark.parametrize("load", [0.4, 0.7])
def test_any_lengths_at_one_server_wait_as_pollaczek_and_khinchine_say(load: float) -> None:
    outputs = np.random.default_rng(2).choice([2, 20, 100], SIZE)
    records, service = served_alone(outputs, load)
    served = records.finished - records.admitted
    expected = load * service / (1 - load) * (1 + (served.std() / served.mean()) ** 2) / 2
    mean, error = waited(records)
    assert mean == pytest.approx(expected, abs=error)


def test_a_closed_loop_holds_as_many_requests_as_clients() -> None:
    trace = Trace(
        arrival=np.zeros(500), input_tokens=np.full(500, 50), output_tokens=np.full(500, 40)
    )
    run = simulate(
        trace, deployment(sequences=16), efficiencies=efficiencies(), play=Play(clients=6)
    )
    records = run.records
    inside = (records.finished - records.arrival).sum() / run.end
    assert inside == pytest.approx(6, rel=0.02)
    events = np.concatenate([records.arrival, records.finished])
    steps = np.concatenate([np.ones(500), -np.ones(500)])
    assert np.cumsum(steps[np.lexsort((steps, events))]).max() == 6


@settings(deadline=None, max_examples=25)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 400), st.integers(1, 60)), min_size=1, max_size=60),
    clients=st.integers(1, 30),
    replicas=st.integers(1, 3),
    pools=st.booleans(),
)
def test_a_request_of_a_closed_loop_comes_when_the_next_client_is_free(
    lengths: list[tuple[int, int]], clients: int, replicas: int, *, pools: bool
) -> None:
    """So no client is idle while a request waits, and no more are in flight than there are."""
    built = deployment(replicas=replicas + pools, sequences=4)
    records = simulate(
        looped(lengths), built, efficiencies=efficiencies(), play=Play(clients=clients),
        serving=Serving(prefill_replicas=int(pools)),
    ).records  # fmt: skip
    assert records.done.all()
    free = [0.0] * clients
    for arrival, finished in zip(records.arrival, records.finished, strict=True):
        assert arrival == heapq.heappop(free)
        heapq.heappush(free, finished)


def test_one_client_gets_one_answer_after_another() -> None:
    once, often = (
        simulate(looped([(30, 5)] * size), deployment(), efficiencies=efficiencies(),
                 play=Play(clients=1)).records
        for size in (1, 4)
    )  # fmt: skip
    assert often.arrival[1:].tolist() == often.finished[:-1].tolist()
    assert often.finished[-1] == pytest.approx(4 * once.finished[0])


def test_prompts_that_are_turned_away_free_their_clients_in_order() -> None:
    """Those of one instant are sent in the order of the trace, so turns are taken in it."""
    trace = looped([(200_000, 5), *[(30, 5)] * 7])
    play = Play(clients=2, router="round-robin")
    run = simulate(trace, deployment(replicas=3), efficiencies=efficiencies(), play=play)
    assert (run.counts.rejected, run.counts.finished) == (1, 7)
    assert run.records.arrival[:3].tolist() == [0.0, 0.0, 0.0]
    assert run.records.lane[:3].tolist() == [-1, 1, 2]


def test_calls_are_requests_like_others_where_times_are_those_of_the_trace() -> None:
    trace = looped([(40, 9), (80, 30), (20, 12), (60, 4), (10, 25)])
    agents = replace(
        trace,
        calls=Calls(
            before=np.array([0, 1]), after=np.array([3, 4]), delay=np.ones(2),
            dispatched=np.zeros(2, np.bool_), earliest=np.zeros(5), task=np.array([0, 1, 1, 0, 1]),
        ),
    )  # fmt: skip
    late = replace(agents, arrival=np.linspace(0.0, 400.0, 5))
    found = [
        simulate(one, deployment(), efficiencies=efficiencies(),
                 play=Play(clients=2, timestamps=True)).records.finished.tolist()
        for one in (trace, agents, late)
    ]  # fmt: skip
    assert found[0] == found[1] == found[2]


def looped(lengths: list[tuple[int, int]]) -> Trace:
    prompts, outputs = np.array(lengths).T
    return Trace(arrival=np.zeros(len(lengths)), input_tokens=prompts, output_tokens=outputs)


def test_sessions_wait_for_their_answers() -> None:
    random = np.random.default_rng(0)
    trace = Trace(
        arrival=np.sort(random.uniform(0, 1, 60)),
        input_tokens=np.full(60, 50),
        output_tokens=np.full(60, 40),
        session=random.integers(0, 7, 60),
    )
    records = simulate(
        trace, deployment(), efficiencies=efficiencies(), play=Play(think=0.5)
    ).records
    assert trace.session is not None
    for session in range(7):
        mine = np.flatnonzero(trace.session == session)
        np.testing.assert_allclose(records.arrival[mine[1:]], records.finished[mine[:-1]] + 0.5)


@pytest.mark.parametrize(("load", "within"), [(0.2, 0.05), (0.4, 0.05), (0.7, 0.05)])
def test_closed_form_and_simulation_agree_below_the_knee(load: float, within: float) -> None:
    built = deployment(sequences=128, budget=4096)
    run, predicted = both(built, load)
    found = measures.outcome(run, predicted)
    assert found.tpot.mean == pytest.approx(predicted.tpot.mean, rel=within)
    assert found.e2e.mean == pytest.approx(predicted.e2e.mean, rel=within)
    assert found.batch == pytest.approx(predicted.batch, rel=within)
    assert found.power == pytest.approx(predicted.power, rel=0.05)


def both(built: Deployment, load: float) -> tuple[Simulation, Outcome]:
    random, size = np.random.default_rng(3), 3000
    lengths = {
        "input_tokens": random.integers(100, 900, size),
        "output_tokens": random.integers(50, 350, size),
    }
    steady = Trace(arrival=np.cumsum(random.exponential(1.0, size)), **lengths)
    rate = float(predict(one(built), shape_of(steady), efficiencies=efficiencies()).capacity[0])
    trace = replace(steady, arrival=steady.arrival / (load * rate))
    shape = shape_of(trace)
    level = replace(shape, peak_rate=shape.rate)
    predicted = predict(one(built), level, efficiencies=efficiencies()).outcome(0)
    return simulate(trace, built, efficiencies=efficiencies()), predicted
