"""Laws of what the engine serves beyond its settings, each against a run without it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate_cases import deployment, shared_prompts, trace

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.deployment import Deployment, Speculation
from inferometer.errors import ScenarioError
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.predict import predict
from inferometer.perf.static_batch import static_batch
from inferometer.simulate.measures import gap_quantiles, outcome, tpot, ttft
from inferometer.simulate.serving import Serving
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.workload.shape import shape_of
from inferometer.workload.trace import Trace

APART = shared_prompts(3, 150, gap=100.0)


def played(
    requests: Trace, built: Deployment | None = None, serving: Serving | None = None
) -> Simulation:
    return simulate(
        requests,
        built or deployment(budget=8192),
        efficiencies=efficiencies(),
        serving=serving or Serving(),
    )


def small(fraction: float) -> Deployment:
    """Return a deployment whose cache takes about 40 pages and more."""
    return deployment(budget=8192, fraction=fraction)


@given(first=st.floats(0, 1), second=st.floats(0, 1))
@settings(max_examples=8, deadline=None)
def test_more_host_memory_never_serves_less_from_the_cache(first: float, second: float) -> None:
    served = []
    for size in sorted((first, second)):
        serving = Serving(host_kv=size * 1e9, host_bandwidth=5e10)
        run = played(APART, small(0.2325), serving)
        served.append(int(run.records.cached.sum()))
    assert served == sorted(served)


def test_host_memory_saves_arithmetic_and_a_slow_link_takes_time() -> None:
    runs = [
        played(APART, small(0.2325), serving)
        for serving in (
            Serving(),
            Serving(host_kv=1e10, host_bandwidth=5e10),
            Serving(host_kv=1e10, host_bandwidth=1e8),
        )
    ]
    without, fast, slow = ((r.records.first_token - r.records.arrival).mean() for r in runs)
    assert runs[1].sums["mixed_compute"] < runs[0].sums["mixed_compute"]
    assert runs[1].records.cached.tolist() == runs[2].records.cached.tolist()
    assert fast < without < slow


def test_windows_that_are_freed_leave_room_for_more() -> None:
    requests = trace(1, 150, 500.0, longest=3000, output=400)
    runs = [
        played(requests, deployment(budget=1024, sequences=64, fraction=0.25, window=64, hybrid=on))
        for on in (True, False)
    ]
    freed, kept = (run.sums["sequence_time"] / run.end for run in runs)
    assert freed > 1.3 * kept
    assert runs[0].end < runs[1].end


def test_interactive_requests_pass_batch_ones() -> None:
    tenant = np.random.default_rng(0).choice(["chat", "night"], 300)
    requests = replace(trace(2, 300, 200.0), tenant=tenant)
    alike, apart = (
        played(requests, serving=serving)
        for serving in (Serving(), Serving(batch_tenants=("night",)))
    )
    chat = tenant == "chat"
    for run in (alike, apart):
        assert run.counts.finished == 300
    waits = [run.records.first_token - run.records.arrival for run in (alike, apart)]
    assert waits[1][chat].mean() < 0.7 * waits[0][chat].mean()
    assert waits[1][~chat].mean() > waits[0][~chat].mean()


def steady(size: int, rate: float) -> Trace:
    random = np.random.default_rng(3)
    return Trace(
        arrival=np.cumsum(random.exponential(1 / rate, size)),
        input_tokens=random.integers(100, 900, size),
        output_tokens=random.integers(50, 350, size),
    )


@pytest.mark.parametrize("cost", [0.0, 0.1])
def test_speculation_is_what_the_closed_form_says(cost: float) -> None:
    draft = Speculation(draft_tokens=3, acceptance=0.7, draft_cost=cost)
    built = replace(deployment(sequences=128, budget=4096), speculation=draft)
    first = predict(one(built), shape_of(steady(2000, 1.0)), efficiencies=efficiencies())
    requests = steady(2000, 0.2 * float(first.capacity[0]))
    shape = shape_of(requests)
    level = replace(shape, peak_rate=shape.rate)
    expected = predict(one(built), level, efficiencies=efficiencies()).outcome(0)
    run = played(requests, built)
    assert run.counts.finished == 2000
    found = outcome(run, expected)
    assert found.tpot.mean == pytest.approx(expected.tpot.mean, rel=0.05)
    assert found.itl.mean == pytest.approx(expected.itl.mean, rel=0.05)
    gaps = (run.records.output - 1).sum()
    assert run.gaps.sum() == gaps
    decode = (run.records.finished - run.records.first_token).sum()
    assert gap_quantiles(run).mean * gaps == pytest.approx(decode, rel=0.01)


def test_a_prefill_pool_keeps_prompts_away_from_decodes() -> None:
    requests = trace(4, 400, 30.0, longest=4000, output=200)
    built = deployment(replicas=4, sequences=64, budget=2048)
    late = Serving(prefill_replicas=2, handover_latency=0.5)
    mixed, pools, slow = (
        played(requests, built, s) for s in (Serving(), Serving(prefill_replicas=2), late)
    )
    assert pools.counts.finished == slow.counts.finished == 400
    assert gap_quantiles(pools).p99 < 0.5 * gap_quantiles(mixed).p99
    several = pools.records.output > 1
    assert (ttft(slow)[several] - ttft(pools)[several]).min() > 0.2
    assert set(pools.records.lane[several].tolist()) == {2, 3}
    assert set(pools.records.lane[~several].tolist()) <= {0, 1}


def test_a_static_batch_of_equals_takes_what_the_closed_form_says() -> None:
    count, built = 16, deployment(sequences=16, budget=16 * 300)
    requests = Trace(
        arrival=np.zeros(2 * count),
        input_tokens=np.full(2 * count, 300),
        output_tokens=np.full(2 * count, 100),
    )
    run = played(requests, built, Serving(static=True))
    finished = np.unique(run.records.finished)
    asked = fixed_lengths(np.array([300.0]), np.array([100.0]), run.machine.shard.reaches)
    expected = static_batch(np.array([float(count)]), run.machine, asked).total[0]
    assert len(finished) == 2
    assert np.diff(finished, prepend=0.0) == pytest.approx(expected, rel=0.02)


def test_a_static_batch_waits_for_its_longest() -> None:
    requests = trace(5, 200, 50.0)
    static, continuous = (
        played(requests, serving=serving) for serving in (Serving(static=True), Serving())
    )
    assert static.counts.finished == 200
    assert tpot(static).mean() < tpot(continuous).mean()  # no prompt comes between
    assert ttft(static).mean() > 1.5 * ttft(continuous).mean()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"host_kv": -1.0}, "host_kv"),
        ({"host_kv": 1e9}, "host_bandwidth"),
        ({"host_kv": float("nan")}, "host_kv"),
        ({"handover_latency": float("inf")}, "handover_latency"),
        ({"prefill_replicas": 1}, "leave at least one"),
        ({"batch_tenants": ("x",)}, "names no tenants"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        played(trace(0, 10, 1.0), serving=Serving(**wrong))  # type: ignore[arg-type]


def test_an_unknown_batch_tenant_is_refused() -> None:
    requests = replace(trace(0, 4, 1.0), tenant=np.array(["a", "b", "a", "b"]))
    with pytest.raises(ScenarioError, match="it has a, b"):
        played(requests, serving=Serving(batch_tenants=("c",)))
