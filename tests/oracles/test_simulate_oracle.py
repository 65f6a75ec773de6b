"""The simulator against its naive twin, and against textbook queues."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from simulate_cases import deployment, trace
from simulate_twin import Replica, Sequence, play

from inferometer.catalog.efficiency import efficiencies
from inferometer.perf.roofline import Machine
from inferometer.simulate import fleet
from inferometer.simulate.compiled import compiled_run
from inferometer.simulate.fleet import Fleet
from inferometer.simulate.play import Play
from inferometer.simulate.pools import fleet_of, pool_of
from inferometer.simulate.world import column
from inferometer.workload.trace import Trace

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "window": {"window": 100},
    "experts": {"experts": 8},
    "fleet": {"replicas": 3},
    "tokens as blocks": {"block": 1},
    "tensor": {"tensor": 2, "experts": 8},
    "tight budget": {"sequences": 64, "budget": 64, "window": 64},
    "crowded": {"sequences": 32, "window": 100, "replicas": 2},
}
TIMES = ("admitted", "first_token", "finished")


def world(
    seed: int, blocks: int, *, compiled: bool = False, **settings: Any
) -> tuple[Fleet, Trace, Machine, int]:
    built = deployment(**settings)
    requests = trace(seed, 60, 200.0)
    pool = pool_of(built, efficiencies(), Play())
    made = fleet_of(requests, [pool], Play(), compiled=compiled)
    if blocks:
        limits = made.world.limits
        limits = limits._replace(blocks=blocks * 16 // limits.block)
        made = made._replace(world=made.world._replace(limits=limits))
    return made, requests, pool.machines[0], pool.most * pool.lanes_each


def least_loaded(_: Sequence, replicas: list[Replica]) -> int:
    return int(np.argmin([replica.load for replica in replicas]))


@pytest.mark.parametrize("blocks", [0, 50, 100], ids=["roomy", "tight", "crowded"])
@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_every_request_agrees_with_the_naive_twin(settings: dict[str, Any], blocks: int) -> None:
    for seed in range(2):
        made, requests, machine, lanes = world(seed, blocks, **settings)
        fleet.run(made, np.inf)
        twin = play(
            requests, machine, made.world.limits, [Replica() for _ in range(lanes)], least_loaded
        )
        for name in TIMES:
            expected = [getattr(sequence, name) for sequence in twin]
            assert_allclose(column(made.world.requests, name), expected, rtol=1e-9)
        assert [s.preemptions for s in twin] == column(made.world.requests, "preemptions").tolist()
        assert events(made.world.requests) == events(twin)


def events(requests: Any) -> list[tuple[str, int]]:
    """Return all events in the order of their times, then of kind and request."""
    found = [(getattr(r, name), name, i) for i, r in enumerate(requests) for name in TIMES]
    return [event[1:] for event in sorted(found)]


def test_crowded_cases_preempt() -> None:
    made, *_ = world(0, 50, **CASES["crowded"])
    fleet.run(made, np.inf)
    assert column(made.world.requests, "preemptions").sum() > 5
    assert all(lane.used == 0 and lane.running == 0 for lane in made.world.lanes)
    assert not made.world.residues.any()


@pytest.mark.parametrize("name", ["crowded", "experts"])
def test_compiled_and_plain_loops_agree(name: str) -> None:
    results = []
    for compiled in (False, True):
        made, *_ = world(1, 60, compiled=compiled, **CASES[name])
        run = compiled_run() if compiled else fleet.run
        run(made, np.inf)
        results.append(np.stack([column(made.world.requests, field) for field in TIMES]))
    assert_allclose(results[0], results[1], rtol=1e-12)
