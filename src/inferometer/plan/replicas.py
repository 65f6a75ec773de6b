"""The smallest number of replicas that serves a workload within its SLO.

Exact, not sampled: the load of a replica falls as 1 / replicas, and neither a queue nor a batch
grows when its load falls, so every latency falls (weakly) with the count, and a count that serves
is followed only by counts that serve. The smallest one is then found by galloping from the least
count that is not overloaded (capacity is proportional to replicas), then bisecting. Arrivals
*smoother* than Poisson (burstiness < 1) are the exception in principle, since spreading them over
replicas makes them rougher; the closed form's gain from the lower load outweighs it (a law test
holds it to that).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from inferometer.candidates import Candidates, Flags, Floats, Ints
from inferometer.catalog.models import Model
from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.perf.goodput import goodput_fraction
from inferometer.perf.prediction import QUANTILES, Depth, Prediction
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

GOODPUT = (0.5, 0.99)
"""Shares that can be planned for: between the quantiles that predictions hold, where the share of
good requests grows with the replicas; beyond them it is extrapolated and need not."""


class Evaluate(Protocol):
    """What predicts: `perf.predict.predict` with its efficiencies bound, or a test's own."""

    def __call__(
        self, candidates: Candidates, shape: Shape, *, depth: Depth = Depth.ENERGY
    ) -> Prediction:
        """Return the prediction, as deep as `depth` asks at least."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """How many replicas each configuration needs.

    Attributes:
        replicas: Smallest count that meets the SLO; 0 if none within the supply does.
        least: Smallest count that carries the load, SLO or not; beyond the supply if none does.
        fits: Whether one replica fits in memory.
        loaded: Whether the whole supply carries the load at all.
        ratios: What is used up of each limit with the whole supply [term, config]; NaN where it was
            not asked.
        evaluations: Predictions made, one per configuration and count.
    """

    replicas: Ints
    least: Ints
    fits: Flags
    loaded: Flags
    ratios: Floats
    evaluations: int


def excess(prediction: Prediction, slo: Slo) -> Floats:
    """Return how much of each limit is used up [term, config]; above 1 misses.

    Latency over its limit, in the order of `slo.terms` (NaN where nothing fits); of goodput the
    share of bad requests over the error budget, where a request is bad beyond what the headroom
    leaves of any limit (scaled by that share, so that all terms compare with `1 - slo.headroom`).

    Raises:
        ScenarioError: a goodput outside `GOODPUT`.
    """
    ratios = [
        getattr(prediction, target.metric)[:, QUANTILES.index(target.quantile)] / target.limit
        for target in slo.targets
    ]
    if slo.goodput is not None:
        bad = 1 - _good(prediction, slo)
        ratios.append(bad / (1 - slo.goodput) * (1 - slo.headroom))
    return np.array(ratios).reshape(len(slo.terms), len(prediction))


def _good(prediction: Prediction, slo: Slo) -> Floats:
    low, high = GOODPUT
    if slo.goodput is not None and not low <= slo.goodput <= high:
        raise ScenarioError(
            f"SLO goodput is {slo.goodput:g}; predictions know latencies from p50 to p99, so plan "
            f"for a share from {low:g} to {high:g}"
        )
    latencies = {target.metric: getattr(prediction, target.metric) for target in slo.targets}
    return goodput_fraction(slo.strict, latencies)


def meets(prediction: Prediction, slo: Slo) -> Flags:
    """Return which configurations fit, carry the load and meet every target [config].

    The share `slo.headroom` of every limit, and of the capacity, stays free.
    """
    used = 1 - slo.headroom
    within = (excess(prediction, slo) <= used).all(axis=0)
    return prediction.fits & (prediction.utilisation < used) & within


def with_replicas(candidates: Candidates, replicas: Ints) -> Candidates:
    """Return `candidates` with other replica counts."""
    return replace(candidates, replicas=replicas)


def size(candidates: Candidates, most: Ints, shape: Shape, slo: Slo, evaluate: Evaluate) -> Sizing:
    """Return the smallest serving replica count of every configuration, at most `most`.

    Capacities are worked out first; latencies only of what fits and carries the load: at the least
    count that does, with the whole supply where that misses the SLO, and by bisection between.
    """
    sizing = outline(candidates, most, shape, slo, evaluate)
    rows = np.flatnonzero(sizing.loaded)
    return settle(sizing, rows, candidates, most, shape, slo, evaluate)


def outline(
    candidates: Candidates, most: Ints, shape: Shape, slo: Slo, evaluate: Evaluate
) -> Sizing:
    """Return what the capacities alone tell: what fits, and which count carries the load.

    `replicas` is 0 throughout.

    Raises:
        InfeasibleError: a request is longer than the model's context.
    """
    check_context(candidates.model, shape)
    single = evaluate(with_replicas(candidates, np.ones_like(most)), shape, depth=Depth.CAPACITY)
    least = _least_count(single, most, shape, slo)
    return Sizing(
        replicas=np.zeros_like(most),
        least=least,
        fits=single.fits,
        loaded=single.fits & (least <= most),
        ratios=np.full((len(slo.terms), len(candidates)), np.nan),
        evaluations=len(candidates),
    )


def check_context(model: Model, shape: Shape) -> None:
    """Refuse a workload whose longest request `model` was not published for.

    Raises:
        InfeasibleError: a request is longer than the model's context.
    """
    totals = shape.totals
    over = int((totals > model.max_context).sum())
    if over:
        raise InfeasibleError(
            f"workload {shape.name!r}: {over} of {len(totals)} requests exceed the "
            f"{model.max_context} tokens that {model.key} was published for (the longest request "
            f"has {totals.max():.0f}); cap the lengths, leave these requests out, or name a model "
            "with a longer context"
        )


def settle(
    sizing: Sizing, rows: Ints, candidates: Candidates, most: Ints, shape: Shape, slo: Slo,
    evaluate: Evaluate,
) -> Sizing:  # fmt: skip
    """Return `sizing` with the replica counts of `rows`, which carry the load, worked out.

    The least count goes first: most configurations that serve at all serve with it.
    """
    replicas, ratios = sizing.replicas.copy(), sizing.ratios.copy()
    evaluations = sizing.evaluations

    def predicted(where: Ints, counts: Ints) -> Prediction:
        nonlocal evaluations
        evaluations += len(where)
        trial = with_replicas(candidates.take(where), counts)
        return evaluate(trial, shape, depth=Depth.LATENCY)

    def serves(where: Ints, counts: Ints) -> Flags:
        return meets(predicted(where, counts), slo) if len(where) else np.zeros(0, np.bool_)

    good = serves(rows, sizing.least[rows])
    replicas[rows[good]] = sizing.least[rows[good]]
    rows = rows[~good]
    if len(rows):
        whole = predicted(rows, most[rows])
        ratios[:, rows] = excess(whole, slo)
        rows = rows[meets(whole, slo)]  # what fails with the whole supply fails with less of it
        replicas[rows] = _smallest(rows, sizing.least[rows], most[rows], serves)
    return replace(sizing, replicas=replicas, ratios=ratios, evaluations=evaluations)


def _least_count(single: Prediction, most: Ints, shape: Shape, slo: Slo) -> Ints:
    """Return the least count that is not overloaded, or more than `most` [config]."""
    beyond = most.astype(np.float64) + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        needed = np.floor(shape.peak_rate / (single.capacity * (1 - slo.headroom))) + 1
    return np.fmin(np.nan_to_num(needed, nan=np.inf, posinf=np.inf), beyond).astype(np.int64)


def _smallest(rows: Ints, low: Ints, high: Ints, serves: Callable[[Ints, Ints], Flags]) -> Ints:
    """Return the smallest serving count in (low, high]; `low` does not serve, `high` does.

    Gallops up from `low`, then bisects.
    """
    low, high, step = low.copy(), high.copy(), np.ones_like(low)
    open_at = np.flatnonzero(high - low > 1)
    while len(open_at):
        gap = high[open_at] - low[open_at]
        probe = low[open_at] + np.maximum(np.minimum(step[open_at], gap // 2), 1)
        good = serves(rows[open_at], probe)
        high[open_at[good]] = probe[good]
        low[open_at[~good]] = probe[~good]
        step[open_at[~good]] *= 2
        open_at = open_at[high[open_at] - low[open_at] > 1]
    return high
