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

import numpy as np

from inferometer.candidates import Candidates, Flags, Floats, Ints
from inferometer.perf.prediction import QUANTILES, Prediction
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

Evaluate = Callable[[Candidates, Shape], Prediction]
"""What predicts: `perf.predict.predict` with its efficiencies bound, or a test's own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """How many replicas each configuration needs.

    Attributes:
        replicas: Smallest count that meets the SLO; 0 if none within the supply does.
        fits: Whether one replica fits in memory.
        loaded: Whether the whole supply carries the load at all.
        evaluations: Predictions made, one per configuration and count.
    """

    replicas: Ints
    fits: Flags
    loaded: Flags
    evaluations: int


def excess(prediction: Prediction, slo: Slo) -> Floats:
    """Return each latency over its limit [target, config]; above 1 misses, NaN where none fits."""
    ratios = [
        getattr(prediction, target.metric)[:, QUANTILES.index(target.quantile)] / target.limit
        for target in slo.targets
    ]
    return np.array(ratios).reshape(len(slo.targets), len(prediction))


def meets(prediction: Prediction, slo: Slo) -> Flags:
    """Return which configurations fit, carry the load and meet every target [config]."""
    within = (excess(prediction, slo) <= 1).all(axis=0)
    return prediction.fits & (prediction.utilisation < 1) & within


def with_replicas(candidates: Candidates, replicas: Ints) -> Candidates:
    """Return `candidates` with other replica counts."""
    return replace(candidates, replicas=replicas)


def size(candidates: Candidates, most: Ints, shape: Shape, slo: Slo, evaluate: Evaluate) -> Sizing:
    """Return the smallest serving replica count of every configuration, at most `most`.

    About 3 + log2(most) evaluations of those configurations that are not yet decided.
    """
    single = evaluate(with_replicas(candidates, np.ones_like(most)), shape)
    least = _least_count(single, most, shape)
    loaded = single.fits & (least <= most)
    found = np.zeros_like(most)
    open_rows = np.flatnonzero(loaded)
    evaluations = len(candidates)

    def serves(rows: Ints, counts: Ints) -> Flags:
        nonlocal evaluations
        evaluations += len(rows)
        trial = with_replicas(candidates.take(rows), counts)
        return meets(evaluate(trial, shape), slo) if len(rows) else np.zeros(0, np.bool_)

    found[open_rows] = _smallest(open_rows, least[open_rows], most[open_rows], serves)
    return Sizing(replicas=found, fits=single.fits, loaded=loaded, evaluations=evaluations)


def _least_count(single: Prediction, most: Ints, shape: Shape) -> Ints:
    """Return the least count that is not overloaded, or more than `most` [config]."""
    beyond = most.astype(np.float64) + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        needed = np.floor(shape.peak_rate / single.capacity) + 1
    return np.fmin(np.nan_to_num(needed, nan=np.inf, posinf=np.inf), beyond).astype(np.int64)


def _smallest(rows: Ints, least: Ints, most: Ints, serves: Callable[[Ints, Ints], Flags]) -> Ints:
    """Return the smallest count in [least, most] at which each row serves, 0 if at none."""
    high, answer = most.copy(), np.zeros_like(most)
    at_most = serves(rows, most)  # whatever fails here fails everywhere
    low = least - 1  # serves nowhere at or below
    probe, step = least.copy(), np.ones_like(least)
    open_at = np.flatnonzero(at_most)
    while len(open_at):
        good = serves(rows[open_at], probe[open_at])
        high[open_at[good]] = probe[open_at[good]]
        low[open_at[~good]] = probe[open_at[~good]]
        step[open_at[~good]] *= 2
        gap = high[open_at] - low[open_at]
        open_at, gap = open_at[gap > 1], gap[gap > 1]
        probe[open_at] = low[open_at] + np.maximum(np.minimum(step[open_at], gap // 2), 1)
    answer[at_most] = high[at_most]
    return answer
