"""The cheapest deployment alone, without looking at those that cannot be it.

Exact, by branch and bound: rent cannot fall below that of the least replicas that carry the load,
so configurations are settled in order of that bound until it passes the best rent found.
"""

from dataclasses import replace

import numpy as np

from inferometer.perf.prediction import Depth
from inferometer.plan.option import Option, option
from inferometer.plan.ranking import cost, ranking
from inferometer.plan.replicas import Evaluate, outline, settle, with_replicas
from inferometer.plan.space import Space
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

BATCH = 1024
"""Configurations settled first; each following batch is twice the last."""


def cheapest(space: Space, shape: Shape, slo: Slo, evaluate: Evaluate) -> Option | None:
    """Return what `search` would name as best, None where nothing serves.

    Args:
        space: What can be built, with prices.
        shape: The workload.
        slo: The targets.
        evaluate: What predicts.
    """
    sized = _least_rent(space, shape, slo, evaluate)
    if not len(sized.candidates):
        return None
    first = ranking(sized, evaluate(sized.candidates, shape, depth=Depth.LATENCY), slo)[:1]
    chosen = sized.take(first)
    return option(0, chosen, evaluate(chosen.candidates, shape), slo)


def _least_rent(space: Space, shape: Shape, slo: Slo, evaluate: Evaluate) -> Space:
    """Return the configurations of least rent, with their replicas, in their order."""
    candidates, most, each = space.candidates, space.most_replicas, space.cost_per_replica
    sizing = outline(candidates, most, shape, slo, evaluate)
    bound = np.where(sizing.loaded, each * sizing.least, np.inf)
    order = np.argsort(bound, kind="stable")[: int(sizing.loaded.sum())]
    best, start, size = np.inf, 0, BATCH
    while start < len(order) and bound[order[start]] <= best:
        rows = order[start : start + size]
        rows = rows[bound[rows] <= best]
        sizing = settle(sizing, rows, candidates, most, shape, slo, evaluate)
        served = rows[sizing.replicas[rows] > 0]
        best = min(best, float((each * sizing.replicas)[served].min(initial=np.inf)))
        start, size = start + size, 2 * size
    found = np.flatnonzero(sizing.replicas > 0)
    counted = with_replicas(candidates.take(found), sizing.replicas[found])
    whole = replace(space, candidates=counted)
    return whole.take(np.flatnonzero(cost(whole) <= best))
