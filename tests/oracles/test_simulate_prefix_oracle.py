"""The simulator's prefix cache against a dictionary that is walked request by request."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
from simulate_cases import TOKENS, deployment, shared_prompts

from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import WorkloadError
from inferometer.simulate import fleet
from inferometer.simulate.play import Play
from inferometer.simulate.pools import fleet_of, pool_of
from inferometer.simulate.simulation import simulate
from inferometer.simulate.state import World
from inferometer.simulate.world import column
from inferometer.workload.shape import cached_fraction
from inferometer.workload.trace import Ints, Trace

BLOCK = 16


def played(trace: Trace, blocks: int, *, block: int = BLOCK) -> World:
    built = deployment(block=block, budget=8192)
    made = fleet_of(trace, [pool_of(built, efficiencies(), Play())], Play(), compiled=False)
    world = made.world._replace(limits=made.world.limits._replace(blocks=blocks))
    fleet.run(made._replace(world=world), np.inf)
    return world


def walked(trace: Trace, blocks: int) -> list[int]:
    """Return the cached tokens of requests that follow one another without overlap."""
    cache: OrderedDict[int, int] = OrderedDict()  # hash -> blocks, least recently used first
    served = []
    for row in range(len(trace)):
        prompt, hashes = int(trace.input_tokens[row]), hashes_of(trace, row)
        full = [min(TOKENS, prompt - k * TOKENS) // BLOCK for k in range(len(hashes))]
        hits = 0
        while hits < len(hashes) and hashes[hits] in cache:
            hits += 1
        served.append(min(hits * TOKENS, (prompt - 1) // BLOCK * BLOCK))
        mine = [cache.pop(item, size) for item, size in zip(hashes, full, strict=True)]
        most = -(-(prompt + int(trace.output_tokens[row]) - 1) // BLOCK) - sum(full) + sum(mine)
        while cache and sum(cache.values()) + most > blocks:
            cache.popitem(last=False)
        cache.update(reversed(list(zip(hashes, mine, strict=True))))
    return served


def hashes_of(trace: Trace, row: int) -> list[int]:
    assert trace.prefixes is not None
    start, end = trace.prefixes.offsets[row : row + 2]
    found: Ints = trace.prefixes.hashes[start:end]
    return [int(item) for item in found]


@pytest.mark.parametrize("blocks", [60, 100, 10_000])
def test_lru_serves_what_a_walk_does(blocks: int) -> None:
    trace = shared_prompts(blocks, 200, gap=100.0)
    world = played(trace, blocks)
    assert column(world.requests, "cached").tolist() == walked(trace, blocks)
    assert column(world.requests, "cached").sum() > 0
    lane = world.lanes[0]
    assert lane.used == 0
    assert 0 < lane.idle <= blocks


def test_an_endless_cache_serves_the_share_that_the_trace_repeats() -> None:
    trace = shared_prompts(1, 300, gap=0.01)
    world = played(trace, 10**6, block=1)
    share = column(world.requests, "cached").sum() / trace.input_tokens.sum()
    assert share == pytest.approx(cached_fraction(trace), rel=1e-12)


def test_crowded_cache_neither_leaks_nor_overflows() -> None:
    world = played(shared_prompts(2, 300, gap=0.02), 80)
    assert column(world.requests, "preemptions").sum() > 0
    assert world.lanes[0].used == 0
    assert world.lanes[0].idle == world.sizes[world.references >= 0].sum() <= 80


def test_tenants_share_nothing() -> None:
    trace = shared_prompts(3, 60, gap=10.0)
    apart = replace(trace, tenant=np.array([f"t{row}" for row in range(60)]))
    for case, hit in ((trace, True), (apart, False)):
        run = simulate(case, deployment(budget=8192), efficiencies=efficiencies())
        assert bool(run.records.cached.sum() > 0) is hit


def test_caching_saves_arithmetic_and_can_be_turned_off() -> None:
    trace, built = shared_prompts(4, 200, gap=0.02), deployment(budget=8192, sequences=64)
    off = replace(built, settings=replace(built.settings, prefix_caching=False))
    runs = [simulate(trace, case, efficiencies=efficiencies()) for case in (built, off)]
    cached, whole = (run.sums["mixed_compute"] for run in runs)
    assert cached < 0.8 * whole
    assert runs[1].records.cached.sum() == 0


def test_more_hashes_than_blocks_are_refused() -> None:
    trace = shared_prompts(5, 10, gap=1.0)
    wrong = replace(trace, input_tokens=np.full(10, TOKENS - 1))
    with pytest.raises(WorkloadError, match="hashes"):
        simulate(wrong, deployment(), efficiencies=efficiencies())


@pytest.mark.parametrize("play", [Play(router="prefix-affinity"), Play(think=0.1), Play(clients=9)])
def test_compiled_and_plain_loops_agree_on_caches_and_closed_loops(play: Play) -> None:
    trace = shared_prompts(6, 300, gap=0.01)
    trace = replace(trace, session=np.random.default_rng(0).integers(0, 20, 300))
    plain, compiled = (
        simulate(
            trace, deployment(budget=512, replicas=3, fraction=0.24), compiled=compiled,
            efficiencies=efficiencies(), play=play,
        )
        for compiled in (False, True)
    )  # fmt: skip
    assert plain.records.cached.tolist() == compiled.records.cached.tolist()
    assert plain.records.lane.tolist() == compiled.records.lane.tolist()
    np.testing.assert_allclose(plain.records.finished, compiled.records.finished, rtol=1e-12)
    np.testing.assert_array_equal(plain.gaps.sum(), compiled.gaps.sum())
