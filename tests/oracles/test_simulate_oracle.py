"""The simulator against its naive twin, and against textbook queues."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from simulate_cases import deployment, shared_prompts, trace
from simulate_twin import Replica, Rules, Sequence, play

from inferometer.catalog.efficiency import efficiencies
from inferometer.deployment import Speculation
from inferometer.perf.roofline import Machine
from inferometer.simulate import fleet
from inferometer.simulate.compiled import compiled_run
from inferometer.simulate.fleet import Fleet
from inferometer.simulate.play import Play
from inferometer.simulate.pools import fleet_of, pool_of
from inferometer.simulate.serving import Serving
from inferometer.simulate.world import column
from inferometer.workload.trace import Trace

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "window": {"window": 100},
    "one pool for windows": {"window": 100, "hybrid": False},
    "experts": {"experts": 8},
    "fleet": {"replicas": 3},
    "tokens as blocks": {"block": 1},
    "tensor": {"tensor": 2, "experts": 8},
    "tight budget": {"sequences": 64, "budget": 64, "window": 64},
    "crowded": {"sequences": 32, "window": 100, "replicas": 2},
    "prompts alone": {"chunked": False, "budget": 2048},
    "static": {"serving": Serving(static=True), "budget": 2048, "sequences": 16},
    "classes": {"serving": Serving(batch_tenants=("b",)), "sequences": 24},
    "acceptance by position": {"draft": Speculation(draft_tokens=3, by_position=(0.8, 0.5, 0.1))},
    "speculation": {"draft": Speculation(draft_tokens=3, acceptance=0.7), "window": 100},
    "draft model": {
        "draft": Speculation(draft_tokens=4, acceptance=0.6, draft_cost=0.1), "sequences": 32,
    },
    "prefixes": {"prefixes": True, "sequences": 16},
    "host": {"prefixes": True, "serving": Serving(host_kv=1e9, host_bandwidth=5e9)},
    "little host": {"prefixes": True, "serving": Serving(host_kv=2e7, host_bandwidth=5e8)},
    "windows and prefixes": {"prefixes": True, "window": 70, "replicas": 2},
    "pools": {"replicas": 4, "serving": Serving(prefill_replicas=2, handover_latency=0.003)},
    "pools, all on": {
        "replicas": 3, "prefixes": True, "window": 100, "sequences": 32,
        "draft": Speculation(draft_tokens=2, acceptance=0.8, draft_cost=0.05),
        "serving": Serving(
            prefill_replicas=1, batch_tenants=("b",), host_kv=1e8, host_bandwidth=1e9
        ),
    },
}  # fmt: skip
TIMES = ("admitted", "first_token", "finished")
PAGES = {"roomy": 0, "tight": 50, "crowded": 100}


def world(
    seed: int, blocks: int, *, compiled: bool = False, size: int = 60, **settings: Any
) -> tuple[Fleet, Trace, Machine]:
    serving = settings.pop("serving", Serving())
    shared, draft = settings.pop("prefixes", False), settings.pop("draft", None)
    built = replace(deployment(**settings), speculation=draft)
    requests = trace(seed, size, 200.0)
    if shared:
        requests = shared_prompts(seed, size, gap=0.005)
    tenant = np.random.default_rng(seed).choice(["a", "b"], size)
    requests = replace(requests, tenant=tenant if serving.batch_tenants else None)
    pool = pool_of(built, efficiencies(), Play())
    made = fleet_of(requests, [pool], Play(), compiled=compiled, serving=serving)
    if blocks:
        limits = made.world.limits
        pages = blocks * 16 // limits.block * limits.page
        made = made._replace(world=made.world._replace(limits=limits._replace(blocks=pages)))
    return made, requests, pool.machines[0]


def least_loaded(_: Sequence, replicas: list[Replica]) -> int:
    return int(np.argmin([replica.load for replica in replicas]))


def twin_of(
    played: Fleet, requests: Trace, machine: Machine
) -> tuple[list[Sequence], list[Replica]]:
    made = played.world
    count = len(made.lanes)
    replicas = [Replica(prefills=n < made.limits.prefillers) for n in range(count)]
    rules = Rules(machine, made.limits, made.step)
    if requests.tenant is not None and requests.prefixes is not None:
        requests = salted(requests)
    everyone = play(requests, rules, replicas, least_loaded, column(made.requests, "priority"))
    return everyone, replicas


def salted(requests: Trace) -> Trace:
    """Return the trace with hashes that are a tenant's own."""
    assert requests.prefixes is not None
    assert requests.tenant is not None
    shift = np.where(requests.tenant == "b", 10**9, 0)
    spread = np.repeat(shift, np.diff(requests.prefixes.offsets))
    prefixes = replace(requests.prefixes, hashes=requests.prefixes.hashes + spread)
    return replace(requests, prefixes=prefixes)


@pytest.mark.parametrize("blocks", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_every_request_agrees_with_the_naive_twin(settings: dict[str, Any], blocks: int) -> None:
    for seed in range(2):
        made, requests, machine = world(seed, blocks, **settings)
        fleet.run(made, np.inf)
        twin, _ = twin_of(made, requests, machine)
        for name in TIMES:
            expected = [getattr(sequence, name) for sequence in twin]
            assert_allclose(column(made.world.requests, name), expected, rtol=1e-9)
        for name in ("preemptions", "cached"):
            assert [getattr(s, name) for s in twin] == column(made.world.requests, name).tolist()
        assert events(made.world.requests) == events(twin)


def events(requests: Any) -> list[tuple[str, int]]:
    """Return all events in the order of their times, then of kind and request."""
    found = [(getattr(r, name), name, i) for i, r in enumerate(requests) for name in TIMES]
    return [event[1:] for event in sorted(found)]


@pytest.mark.parametrize("name", CASES)
def test_crowded_lanes_give_everything_back(name: str) -> None:
    """And the cases are what they say: they preempt, hit, fetch and hand over."""
    settings = CASES[name] | {"sequences": max(16, CASES[name].get("sequences", 0))}
    # 34 blocks: small enough that even cases that free and share blocks run out of them.
    made, requests, *_ = world(0, 34, **settings)
    fleet.run(made, np.inf)
    assert column(made.world.requests, "preemptions").sum() > 0
    assert all(lane.used == lane.running == lane.waiting == 0 for lane in made.world.lanes)
    assert all(lane.head == lane.tail == lane.urgent == -1 for lane in made.world.lanes)
    assert not made.world.residues.any()
    assert not made.world.growing.any()
    assert (column(made.world.requests, "cached").sum() > 0) == (requests.prefixes is not None)
    assert (made.world.limits.hosted > 0) == any(lane.hosted > 0 for lane in made.world.lanes)
    assert (made.world.limits.prefillers > 0) == any(lane.link > 0 for lane in made.world.lanes)
    assert (made.world.limits.page > 1) == (
        "window" in CASES[name] and CASES[name].get("hybrid", True)
    )


@pytest.mark.parametrize("name", CASES)
def test_compiled_and_plain_loops_agree(name: str) -> None:
    results = []
    for compiled in (False, True):
        made, *_ = world(1, 60, compiled=compiled, **CASES[name])
        run = compiled_run() if compiled else fleet.run
        run(made, np.inf)
        results.append(np.stack([column(made.world.requests, field) for field in TIMES]))
    assert_allclose(results[0], results[1], rtol=1e-12)
