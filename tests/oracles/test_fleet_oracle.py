"""The fleet against its naive twin: mixed replicas, clients who give up, replicas that go."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from simulate_cases import deployment, trace
from simulate_fleet_twin import Clients, FleetTwin, Member, Plan

from inferometer.catalog.efficiency import efficiencies
from inferometer.deployment import Deployment
from inferometer.simulate.faults import Faults, Outage
from inferometer.simulate.kinds import limits_at
from inferometer.simulate.play import Gateway, Play
from inferometer.simulate.pools import fleet_of, pool_of
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.workload.trace import Calls, Trace

MIXED = (
    deployment(replicas=2, sequences=8, budget=256),
    deployment(replicas=1, sequences=4, budget=128, gpu="a100-sxm-80gb", block=32),
)
STATUS = ("in flight", "finished", "rejected", "timed out", "lost")
TIMES = ("arrival", "admitted", "first_token", "finished")

CASES: dict[str, tuple[tuple[Deployment, ...], Gateway]] = {
    "mixed": (MIXED, Gateway()),
    "patience": (MIXED, Gateway(timeout=0.6)),
    "retries": (MIXED, Gateway(timeout=0.5, retries=2, backoff=0.3)),
    "queues": (MIXED, Gateway(queue=2, retries=3, backoff=0.2)),
    "queues and patience": (MIXED[:1], Gateway(queue=3, timeout=0.4, retries=1, backoff=0.1)),
}


def calls_of(trace: Trace, seed: int) -> Trace:
    """Return the trace with a random graph over it."""
    random = np.random.default_rng(seed)
    after = np.sort(random.choice(np.arange(1, len(trace)), len(trace) // 2, replace=False))
    before = np.array([random.integers(0, row) for row in after])
    return replace(
        trace,
        calls=Calls(
            before=before, after=after, delay=random.exponential(0.1, len(after)),
            dispatched=random.random(len(after)) < 0.3, earliest=np.zeros(len(trace)),
            task=np.zeros(len(trace), np.int64),
        ),
    )  # fmt: skip


def twin_of(requests: Trace, built: tuple[Deployment, ...], play: Play, plan: Plan) -> FleetTwin:
    pools = [pool_of(one, efficiencies(), play) for one in built]
    made = fleet_of(requests, pools, play, compiled=False)
    members = [
        Member(
            pool.machines[0],
            limits_at(made.kinds, number),
            is_open=place < pool.deployment.replicas,
        )
        for number, pool in enumerate(pools)
        for place in range(pool.most)
    ]
    gateway = play.gateway
    clients = Clients(
        gateway.timeout, gateway.retries, gateway.backoff,
        10**9 if gateway.queue is None else gateway.queue, play.clients,
    )  # fmt: skip
    draws = [request.draw for request in made.world.requests]
    twin = FleetTwin(requests, members, clients, draws)
    twin.play(plan)
    return twin


def agree(run: Simulation, twin: FleetTwin) -> None:
    records = run.records
    assert [STATUS[status] for status in records.status] == [call.status for call in twin.calls]
    assert records.attempts.tolist() == [call.attempts for call in twin.calls]
    assert records.preemptions.tolist() == [one.preemptions for one in twin.requests]
    for name in TIMES:
        expected = [
            call.sent if name == "arrival" else getattr(one, name)
            for one, call in zip(twin.requests, twin.calls, strict=True)
        ]
        assert_allclose(getattr(records, name), expected, rtol=1e-9, err_msg=name)
    assert order(records) == order_of(twin)


def order(records: Any) -> list[tuple[str, int]]:
    found = [(float(getattr(records, name)[i]), name, i) for i in range(len(records))
             for name in TIMES]  # fmt: skip
    return [event[1:] for event in sorted(found)]


def order_of(twin: FleetTwin) -> list[tuple[str, int]]:
    found = [
        (call.sent if name == "arrival" else getattr(one, name), name, one.number)
        for one, call in zip(twin.requests, twin.calls, strict=True)
        for name in TIMES
    ]
    return [event[1:] for event in sorted(found)]


@pytest.mark.parametrize("graph", [False, True], ids=["open", "graph"])
@pytest.mark.parametrize("case", CASES)
def test_fleets_agree_with_the_naive_twin(case: str, *, graph: bool) -> None:
    built, gateway = CASES[case]
    for seed in range(2):
        requests = trace(seed, 60, 60.0)
        requests = calls_of(requests, seed) if graph else requests
        play = Play(gateway=gateway)
        played = simulate(requests, built, efficiencies=efficiencies(), play=play, compiled=False)
        agree(played, twin_of(requests, built, play, ()))


def test_cases_do_what_their_names_say() -> None:
    found = {}
    for case, (built, gateway) in CASES.items():
        played = simulate(trace(0, 60, 60.0), built, efficiencies=efficiencies(),
                          play=Play(gateway=gateway), compiled=False)  # fmt: skip
        found[case] = (played.counts, played.records.attempts.max())
    assert found["patience"][0].timed_out > 5
    assert found["retries"][1] == 3
    assert found["queues"][1] > 1
    assert found["queues and patience"][0].timed_out > 0 < found["queues and patience"][0].rejected


def agents_of(trace: Trace, seed: int) -> Trace:
    """Return the trace as agents, each of whose calls waits for one of its earlier ones."""
    random = np.random.default_rng(seed)
    task = random.integers(0, len(trace) // 3, len(trace)) * 10  # in no order
    edges = [(random.choice(np.flatnonzero(task[:row] == task[row])), row)
             for row in range(1, len(trace)) if task[row] in task[:row]]  # fmt: skip
    before, after = np.array(edges, np.int64).reshape(-1, 2).T
    return replace(
        trace,
        calls=Calls(
            before=before, after=after, delay=random.exponential(0.1, len(after)),
            dispatched=random.random(len(after)) < 0.3, earliest=np.zeros(len(trace)), task=task,
        ),
    )  # fmt: skip


@settings(deadline=None, max_examples=10)
@given(
    case=st.sampled_from(list(CASES)), seed=st.integers(0, 10**6), clients=st.integers(1, 40),
    agents=st.booleans(), longest=st.sampled_from([0, 300]),
)  # fmt: skip
def test_closed_loops_agree_with_clients_who_take_what_comes_next(
    case: str, seed: int, clients: int, longest: int, *, agents: bool
) -> None:
    """Also where prompts are too long, queues full, clients impatient: each frees its client."""
    built, gateway = CASES[case]
    requests = trace(seed, 30, 60.0, output=60)
    requests = agents_of(requests, seed) if agents else requests
    play = Play(gateway=gateway, clients=clients, longest=longest)
    played = simulate(requests, built, efficiencies=efficiencies(), play=play, compiled=False)
    agree(played, twin_of(requests, built, play, ()))
    assert played.counts.arrived == 30


OUTAGES = Faults(outages=(Outage(at=0.35, replica=0), Outage(at=0.8, replica=1, warning=0.3)))


@pytest.mark.parametrize("clients", [0, 20])
def test_replicas_that_stop_lose_what_they_hold(clients: int) -> None:
    """One stops without warning, one drains first; neither is replaced before the end."""
    gateway = Gateway(retries=3, backoff=0.2)
    built, play = MIXED[:1], Play(gateway=gateway, faults=OUTAGES, clients=clients)
    for seed in range(3):
        requests = trace(seed, 60, 60.0)
        played = simulate(requests, built, efficiencies=efficiencies(), play=play, compiled=False)
        ups = sorted((life.up, k) for k, life in enumerate(played.usage[0].lives) if life.up > 0)
        plan = [(0.35, "stop", 0), (0.5, "close", 1), (0.8, "stop", 1)]
        plan += [(up, "open", 2 + k) for k, (up, _) in enumerate(ups)]
        assert played.records.attempts.max() > 1
        agree(played, twin_of(requests, built, play, plan))


@pytest.mark.parametrize(("case", "clients"), [("retries", 0), ("queues", 0), ("retries", 25)])
def test_compiled_and_plain_fleets_agree(case: str, clients: int) -> None:
    built, gateway = CASES[case]
    requests = agents_of(trace(3, 80, 60.0), 3) if clients else calls_of(trace(3, 80, 60.0), 3)
    play = Play(gateway=gateway, faults=OUTAGES, router="cost-aware", clients=clients)
    plain, compiled = (
        simulate(requests, built, efficiencies=efficiencies(), play=play, compiled=compiled)
        for compiled in (False, True)
    )
    for name in ("status", "lane", "attempts", "preemptions"):
        assert getattr(plain.records, name).tolist() == getattr(compiled.records, name).tolist()
    assert plain.gaps.sum(axis=1).tolist() == compiled.gaps.sum(axis=1).tolist()
    for name in TIMES:
        assert_allclose(getattr(plain.records, name), getattr(compiled.records, name), rtol=1e-9)
    assert_allclose(plain.usage[0].spent, compiled.usage[0].spent, rtol=1e-9)
