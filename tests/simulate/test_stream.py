"""A trace that comes part by part gives what the whole trace gives, to the bit."""

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_cases import deployment, shared_prompts, trace

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError, WorkloadError
from inferometer.perf.predict import predict
from inferometer.simulate import measures
from inferometer.simulate.play import Gateway, Play
from inferometer.simulate.records import Records
from inferometer.simulate.scaling import Scaling
from inferometer.simulate.serving import Serving
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.stream import stream
from inferometer.workload.shape import shape_of
from inferometer.workload.slo import Slo, parse_target
from inferometer.workload.trace import Ints, Trace

SLO = Slo(targets=(parse_target("ttft p50 <= 200 ms"), parse_target("tpot p50 <= 8 ms")))
CASES: dict[str, dict[str, Any]] = {
    "fleet": {"built": {"replicas": 3}},
    "crowded": {"built": {"fraction": 0.23, "window": 100, "replicas": 2}},
    "pools": {"built": {"replicas": 3}, "serving": Serving(prefill_replicas=1)},
    "classes": {"serving": Serving(batch_tenants=("b",)), "tenants": ["a", "b", "c"]},
    "speculation of clients": {
        "play": Play(router="power-of-two", gateway=Gateway(timeout=2.0, retries=2, queue=6)),
    },
    "horizon": {"play": Play(horizon=0.8)},
    "scaling": {
        "built": {"replicas": 1},
        "play": Play(
            scaling=Scaling(
                policy="threshold", target=2.0, most=4, poll=0.2, startup_least=0.1,
                startup_most=0.5,
            )
        ),
    },
}  # fmt: skip


def parts(whole: Trace, cuts: list[int]) -> Iterator[Trace]:
    for start, end in pairwise([0, *cuts, len(whole)]):
        own = slice(start, end)
        yield Trace(
            arrival=whole.arrival[own],
            input_tokens=whole.input_tokens[own],
            output_tokens=whole.output_tokens[own],
            tenant=None if whole.tenant is None else whole.tenant[own],
        )


def both(
    cuts: list[int],
    *,
    seed: int = 0,
    tenants: list[str] | None = None,
    built: dict[str, Any] | None = None,
    **how: Any,
) -> tuple[Simulation, Simulation, dict[int, tuple[Any, ...]]]:
    whole = replace(trace(seed, 150, 60.0), session=None)
    if tenants:
        names = np.random.default_rng(seed).choice(tenants, len(whole))
        whole = replace(whole, tenant=names)
    seen: dict[int, tuple[Any, ...]] = {}

    def keep(records: Records, numbers: Ints) -> None:
        for place, number in enumerate(numbers):
            seen[int(number)] = row(records, place)

    fleet = deployment(**(built or {}))
    streamed = stream(
        parts(whole, cuts), fleet, efficiencies=efficiencies(), sink=keep, slo=SLO, compiled=False,
        **how,
    )  # fmt: skip
    return simulate(whole, fleet, efficiencies=efficiencies(), **how), streamed, seen


def row(records: Records, place: int) -> tuple[Any, ...]:
    names = [field.name for field in dataclasses.fields(Records) if field.name != "group"]
    return tuple(getattr(records, name)[place].item() for name in names)


@pytest.mark.parametrize("name", CASES)
def test_a_stream_is_the_whole_trace(name: str) -> None:
    whole, streamed, seen = both([1, 40, 41, 120], **CASES[name])
    waits, sent = whole.records.status == 0, whole.records.attempts > 0
    assert set(seen) == set(np.flatnonzero(~waits).tolist())
    assert all(seen[number] == row(whole.records, number) for number in seen)
    assert (streamed.records.attempts > 0).sum() == (waits & sent).sum()
    assert streamed.counts == whole.counts
    assert streamed.sums == whole.sums
    assert streamed.end == whole.end
    np.testing.assert_array_equal(streamed.gaps.sum(axis=0), whole.gaps.sum(axis=0))
    one, other = (measures.totals_of(run, SLO) for run in (streamed, whole))
    np.testing.assert_array_equal(one.counts.sum(axis=1), other.counts.sum(axis=1))
    for sums in ("met", "tokens"):
        assert (getattr(one, sums).sum(axis=0) == getattr(other, sums).sum(axis=0)).all()


@given(cuts=st.sets(st.integers(1, 149), max_size=12), seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_where_it_is_cut_does_not_matter(cuts: set[int], seed: int) -> None:
    whole, streamed, seen = both(sorted(cuts), seed=seed, built={"replicas": 2, "fraction": 0.23})
    assert all(seen[number] == row(whole.records, number) for number in range(150))
    np.testing.assert_array_equal(streamed.gaps, whole.gaps)


def test_an_outcome_of_buckets_is_that_of_the_requests_within_half_a_percent() -> None:
    whole, streamed, _ = both([50, 100])
    predicted = measures.outcome(whole, _nothing(whole), SLO)
    found = measures.outcome(streamed, _nothing(whole), SLO)
    assert found.goodput == predicted.goodput
    assert found.output_rate == predicted.output_rate
    assert found.energy == predicted.energy
    for name in ("ttft", "tpot", "e2e"):
        mine, other = getattr(found, name), getattr(predicted, name)
        assert mine.mean == pytest.approx(other.mean, rel=1e-9)
        assert mine.p50 == pytest.approx(other.p50, rel=0.02)  # two of 150 requests apart
    assert found.itl == predicted.itl
    with pytest.raises(ScenarioError, match="counted by"):
        measures.outcome(streamed, _nothing(whole), Slo())


def _nothing(run: Simulation) -> Any:
    shape = shape_of(trace(0, 150, 60.0))
    return predict(one(run.deployment), shape, efficiencies=efficiencies()).outcome(0)


def test_series_keep_their_length() -> None:
    whole = replace(trace(0, 150, 60.0), session=None)
    play = Play(interval=0.001)
    run = stream(parts(whole, [20, 90]), deployment(), efficiencies=efficiencies(), play=play,
                 compiled=False)  # fmt: skip
    long = simulate(whole, deployment(), efficiencies=efficiencies(), play=Play(interval=0.001))
    step = round(run.series.interval / 0.001)
    assert step in {2, 4, 8}
    upto = min(len(long.series.running[::step]), len(run.series.running))
    np.testing.assert_array_equal(run.series.running[:upto], long.series.running[::step][:upto])


def test_what_needs_the_whole_trace_is_refused() -> None:
    whole = trace(0, 20, 10.0)
    prompts = shared_prompts(0, 20, 0.1)
    for played, requests in ((Play(think=1.0), whole), (Play(clients=2), whole), (Play(), prompts)):
        with pytest.raises(ScenarioError, match="whole trace"):
            stream(iter([requests]), deployment(), efficiencies=efficiencies(), play=played)
    wrong = [replace(whole, session=None)] * 2
    with pytest.raises(WorkloadError, match="request 20"):
        stream(iter(wrong), deployment(), efficiencies=efficiencies(), compiled=False)
