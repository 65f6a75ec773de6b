"""Laws of the planner: nothing lost, nothing dominated kept, more never costs more."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import choices, evaluator, model, shape, slo, supply

from inferometer.plan.infeasible import NoPlanError
from inferometer.plan.pareto import front
from inferometer.plan.replicas import meets, with_replicas
from inferometer.plan.search import Plan, search
from inferometer.plan.sensitivity import Case, slowed, tornado
from inferometer.plan.space import Space, build
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

LIMITS = ("ttft p99 <= 2s", "tpot p99 <= 40ms")


def found(load: float, *, available: int = 32, limits: tuple[str, ...] = LIMITS) -> Plan:
    which = model()
    offers = [supply("h100-sxm", available=available), supply("l40s", available=available)]
    return search(build(which, offers, choices(which)), shape(load), slo(*limits), evaluator())


def ledger(space: Space, load: Shape, limits: Slo) -> tuple[dict[str, int], int]:
    try:
        plan = search(space, load, limits, evaluator())
    except NoPlanError as error:
        return error.counts, 0
    return plan.excluded, plan.feasible


@given(load=st.floats(0.1, 200.0), limit=st.floats(0.001, 10.0))
@settings(max_examples=40, deadline=None)
def test_every_configuration_is_accounted_for(load: float, limit: float) -> None:
    which = model()
    offers = [supply("h100-sxm", available=32), supply("l40s", available=32)]
    space = build(which, offers, choices(which))
    excluded, feasible = ledger(space, shape(load), slo(f"ttft p99 <= {limit}s"))
    assert sum(excluded.values()) + feasible == space.enumerated


@given(load=st.floats(1.0, 50.0), growth=st.floats(1.0, 3.0))
@settings(max_examples=20, deadline=None)
def test_more_load_never_costs_less(load: float, growth: float) -> None:
    low, high = found(load, available=512).best.cost, found(load * growth, available=512).best.cost
    assert low is not None
    assert high is not None
    assert high >= low


@given(load=st.floats(1.0, 50.0), tighter=st.floats(0.3, 1.0))
@settings(max_examples=20, deadline=None)
def test_a_tighter_target_never_costs_less(load: float, tighter: float) -> None:
    loose = found(load, limits=("ttft p99 <= 8s",), available=512).best.cost
    tight = found(load, limits=(f"ttft p99 <= {8 * tighter}s",), available=512).best.cost
    assert loose is not None
    assert tight is not None
    assert tight >= loose


@given(load=st.floats(1.0, 50.0), free=st.floats(0.0, 0.6), share=st.floats(0.5, 0.95))
@settings(max_examples=20, deadline=None)
def test_headroom_is_kept_and_a_wider_one_never_costs_less(
    load: float, free: float, share: float
) -> None:
    which, offers = model(), [supply("h100-sxm", available=512), supply("l40s", available=512)]
    space, limits = build(which, offers, choices(which)), slo("ttft p99 <= 8s", "e2e p99 <= 90s")
    plain = search(space, shape(load), limits, evaluator())
    strict = replace(limits, goodput=share, headroom=free)
    careful = search(space, shape(load), strict, evaluator())
    assert (careful.best.cost or 0) >= (plain.best.cost or 0)
    for option in careful.alternatives:
        assert option.headroom >= free
        assert option.outcome.utilisation < 1 - free
    counted = sum(careful.excluded.values()) + careful.feasible
    assert counted == careful.enumerated


def test_the_smallest_count_serves_and_one_fewer_does_not() -> None:
    plan, limits = found(120.0), slo(*LIMITS)
    which = model()
    offers = [supply("h100-sxm", available=32), supply("l40s", available=32)]
    space = build(which, offers, choices(which))
    for option in plan.alternatives:
        rows = [
            row
            for row in range(len(space.candidates))
            if space.candidates.deployment(row).parallelism == option.deployment.parallelism
            and str(space.candidates.deployment(row).precision) == str(option.deployment.precision)
            and space.candidates.deployment(row).settings == option.deployment.settings
            and space.candidates.deployment(row).accelerator == option.deployment.accelerator
        ]
        count = np.array([option.deployment.replicas])
        candidates = space.candidates.take(np.array(rows))
        assert meets(evaluator()(with_replicas(candidates, count), shape(120.0)), limits)[0]
        fewer = with_replicas(candidates, count - 1)
        assert count[0] == 1 or not meets(evaluator()(fewer, shape(120.0)), limits)[0]


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=60))
def test_the_front_is_what_nothing_dominates(rows: list[tuple[int, int, int]]) -> None:
    points = np.array(rows, dtype=np.float64)
    kept = set(map(tuple, points[front(points)]))
    for point in points:
        beaten = any((other <= point).all() and (other < point).any() for other in points)
        assert (tuple(point) in kept) is not beaten


def test_the_front_holds_the_cheapest_plan() -> None:
    plan = found(30.0)
    assert plan.front[0].cost == plan.best.cost
    speeds = [option.speed for option in plan.front]
    assert max(speeds) >= plan.best.speed


def test_a_slower_clock_changes_nothing_but_the_unit_of_time() -> None:
    which = model()
    space = build(which, [supply("h100-sxm")], choices(which))
    plain = evaluator()(space.candidates, shape(10.0))
    slow = slowed(evaluator(), 2.0)(space.candidates, shape(5.0))
    np.testing.assert_allclose(slow.ttft, 2 * plain.ttft)
    np.testing.assert_allclose(slow.utilisation, plain.utilisation)


def test_both_ends_of_every_swing_are_the_best_of_all_accelerators() -> None:
    """Also of those that are far too dear today: the first accelerator here has no room to grow."""
    which = model()
    offers = [
        supply("l40s", hourly=0.2, available=1),
        supply("h100-sxm", hourly=9.0),
        supply("a100-sxm-80gb", hourly=3.0, available=1),
    ]
    space = build(which, offers, choices(which))
    carried = search(space, shape(1.0), slo(), evaluator()).best.outcome.capacity
    case = Case(space=space, shape=shape(0.95 * carried / 1.5), evaluate=evaluator())
    plan = search(space, case.shape, slo(), case.evaluate)
    for swing in tornado(plan, case, slo()):
        if swing.assumption == "request rate":
            more = replace(
                case.shape, rate=1.25 * case.shape.rate, peak_rate=1.25 * case.shape.peak_rate
            )
            best = search(space, more, slo(), case.evaluate).best
            assert best.cost is not None
            assert best.cost > 2 * (plan.best.cost or 0)
            assert swing.high_cost == pytest.approx(best.cost)


def test_a_swing_that_only_adds_replicas_says_so() -> None:
    which = model()
    space = build(which, [supply("h100-sxm")], choices(which))
    case = Case(space=space, shape=shape(300.0), evaluate=evaluator())
    plan = search(space, case.shape, slo(), case.evaluate)
    swing = next(s for s in tornado(plan, case, slo()) if s.assumption == "request rate")
    assert swing.replicas == plan.best.deployment.replicas
    assert swing.low_replicas < swing.replicas < swing.high_replicas
    assert swing.change == f"replicas {swing.low_replicas} .. {swing.high_replicas}"


def test_a_price_that_moves_far_enough_flips_the_decision() -> None:
    which = model()
    offers = [supply("h100-sxm", hourly=1.0), supply("h200-sxm", hourly=1.1)]
    space = build(which, offers, choices(which))
    case = Case(space=space, shape=shape(20.0), evaluate=evaluator())
    plan = search(space, case.shape, slo(*LIMITS), case.evaluate)
    swings = {swing.assumption: swing for swing in tornado(plan, case, slo(*LIMITS))}
    price = swings[f"price of {plan.best.deployment.accelerator.key}"]
    assert price.low_cost == pytest.approx(0.75 * (plan.best.cost or 0))
    assert price.flips
