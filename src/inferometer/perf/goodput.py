"""Share of requests that meet an SLO, from the quantiles of their latencies."""

from collections.abc import Mapping

import numpy as np

from inferometer.candidates import Floats
from inferometer.workload.shape import SCORES
from inferometer.workload.slo import Slo


def goodput_fraction(slo: Slo, latencies: Mapping[str, Floats]) -> Floats:
    """Return the share of requests within every limit of `slo`, NaN for an empty one [config].

    Each latency is taken as log-normal between and beyond its quantiles; limits are applied to
    every request, whatever quantile they are stated for. How the latencies of one request hang
    together is unknown, so the shares that miss a limit are added up (Boole's inequality): a lower
    bound, exact if no request misses two limits. It is at least zero.
    """
    size = len(latencies["ttft"])
    if not slo.targets:
        return np.full(size, np.nan)
    shares = [_share_within(latencies[target.metric], target.limit) for target in slo.targets]
    return np.maximum(1 - np.sum([1 - share for share in shares], axis=0), 0.0)


def _share_within(quantiles: Floats, limit: float) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        p50, p90, p99 = np.log(quantiles[:, 1:]).T
        low = (np.log(limit) - p50) / (p90 - p50) * SCORES[1]
        high = SCORES[1] + (np.log(limit) - p90) / (p99 - p90) * (SCORES[2] - SCORES[1])
        score = np.where(np.log(limit) <= p90, low, high)
    score = np.where(p50 < p99, score, np.where(np.log(limit) >= p50, np.inf, -np.inf))
    finite = np.isfinite(p50)
    return np.where(finite, _normal_share(np.nan_to_num(score, nan=-np.inf)), 0.0)


def _normal_share(score: Floats) -> Floats:
    """Return the standard normal distribution function, by the logistic form of Lin (1990).

    1 / (1 + exp(-1.5976 z - 0.07056 z^3)); absolute error below 2e-4.
    """
    bounded = np.clip(score, -12.0, 12.0)
    return 1 / (1 + np.exp(-1.5976 * bounded - 0.07056 * bounded**3))
