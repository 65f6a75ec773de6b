"""The search against a naive twin: plain loops over every configuration and replica count."""

from dataclasses import replace

import numpy as np
import pytest
from plan_cases import choices, evaluator, model, shape, slo, supply

from inferometer.candidates import one
from inferometer.deployment import Deployment
from inferometer.plan.cheapest import cheapest
from inferometer.plan.infeasible import NoPlanError
from inferometer.plan.search import search
from inferometer.plan.space import Space, build
from inferometer.workload.slo import Slo

SUPPLY = 12


def naive(space: Space, load: float, limits: Slo) -> list[tuple[float, int, Deployment]]:
    """Return (cost, replicas, deployment) at the smallest serving count of each configuration."""
    evaluate, found = evaluator(), list[tuple[float, int, Deployment]]()
    for row in range(len(space.candidates)):
        chip = int(space.candidates.accelerator[row])
        price = space.prices[chip]
        assert price is not None
        for count in range(1, SUPPLY + 1):
            trial = space.candidates.take(np.array([row]))
            deployment = trial.deployment(0)
            if deployment.parallelism.accelerators * count > SUPPLY:
                break
            cells = one(deployment)
            object.__setattr__(cells, "replicas", np.array([count]))
            result = evaluate(cells, shape(load))
            if not result.fits[0] or result.utilisation[0] >= 1:
                continue
            columns = {"mean": 0, "p50": 1, "p90": 2, "p99": 3}
            if all(
                getattr(result, t.metric)[0, columns[t.quantile]] <= t.limit for t in limits.targets
            ):
                cost = price.price * deployment.parallelism.accelerators * count
                found.append((cost, count, deployment))
                break
    return found


@pytest.mark.parametrize(
    ("load", "limits"),
    [
        (5.0, ("ttft p99 <= 2s", "tpot p99 <= 50ms")),
        (40.0, ("ttft p90 <= 1s", "tpot mean <= 20ms")),
        (80.0, ()),
    ],
)
def test_search_finds_what_plain_loops_find(load: float, limits: tuple[str, ...]) -> None:
    which, targets = model(), slo(*limits)
    offers = [supply("h100-sxm", available=SUPPLY), supply("l40s", available=SUPPLY)]
    space = build(which, offers, choices(which))
    plan = search(space, shape(load), targets, evaluator())
    expected = naive(space, load, targets)
    assert plan.feasible == len(expected)
    assert plan.best.cost == pytest.approx(min(cost for cost, _, _ in expected), rel=1e-12)
    for option in plan.alternatives:
        key = option.deployment.accelerator.key
        costs = [cost for cost, _, d in expected if d.accelerator.key == key]
        assert option.cost == pytest.approx(min(costs), rel=1e-12)


@pytest.mark.parametrize("load", [0.2, 5.0, 40.0, 80.0, 400.0])
@pytest.mark.parametrize("goodput", [None, 0.9])
def test_branch_and_bound_names_what_the_exhaustive_search_names(
    load: float, goodput: float | None
) -> None:
    which = model()
    targets = replace(slo("ttft p99 <= 3s", "tpot p99 <= 50ms"), goodput=goodput)
    offers = [supply("h100-sxm", available=SUPPLY), supply("l40s", available=SUPPLY)]
    space = build(which, offers, choices(which, small=False))
    found = cheapest(space, shape(load), targets, evaluator())
    try:
        expected = search(space, shape(load), targets, evaluator()).best
    except NoPlanError:
        assert found is None
        return
    assert found is not None
    assert (found.deployment, found.cost) == (expected.deployment, expected.cost)


def test_search_is_infeasible_where_plain_loops_find_nothing() -> None:
    which, targets = model(), slo("tpot p99 <= 0.1ms")
    space = build(which, [supply("l40s", available=SUPPLY)], choices(which))
    assert not naive(space, 1.0, targets)
    with pytest.raises(NoPlanError, match="tpot p99"):
        search(space, shape(1.0), targets, evaluator())
