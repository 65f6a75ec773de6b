"""Latencies in logarithmic buckets: any quantile of any number of them, within half a percent."""

from dataclasses import dataclass

import numpy as np

from inferometer.simulate.tally import BUCKETS, GROWTH, SHORTEST
from inferometer.units import Seconds
from inferometer.workload.trace import Floats, Ints

MIDDLES: Floats = SHORTEST * np.exp(GROWTH * (np.arange(BUCKETS) - 0.5))
"""Geometric middle of every bucket, s; the ends are half of `tally.GROWTH` away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """One latency over many requests or gaps; NaN without any.

    Attributes:
        count: How many.
        mean: Arithmetic mean.
        p50: Median.
        p90: 90th percentile.
        p99: 99th percentile.
        p999: The highest of all but one in a thousand.
    """

    count: int
    mean: Seconds
    p50: Seconds
    p90: Seconds
    p99: Seconds
    p999: Seconds


def buckets(values: Floats) -> Ints:
    """Return the bucket of every latency, as `tally.bucket` [value]."""
    logs = np.log(np.maximum(values, SHORTEST) / SHORTEST) / GROWTH
    places = np.minimum(logs.astype(np.int64) + 1, BUCKETS - 1)
    return np.where(values <= SHORTEST, 0, places)


def at_level(counts: Ints, level: float) -> float:
    """Return the latency below which a share `level` lies, s; NaN without any."""
    total = int(counts.sum())
    if total == 0:
        return np.nan
    upto = np.cumsum(counts)
    return float(MIDDLES[np.searchsorted(upto, level * total)])


def quantiles_of(counts: Ints, seconds: float | None = None) -> Quantiles:
    """Return the quantiles of counts by bucket.

    Args:
        counts: Latencies by bucket [bucket].
        seconds: Their sum, where it is known better than from the buckets.
    """
    total = int(counts.sum())
    summed = float(counts @ MIDDLES) if seconds is None else seconds
    p50, p90, p99, p999 = (at_level(counts, level) for level in (0.5, 0.9, 0.99, 0.999))
    mean = summed / total if total else np.nan
    return Quantiles(count=total, mean=mean, p50=p50, p90=p90, p99=p99, p999=p999)
