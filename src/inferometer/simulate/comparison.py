"""Two fleets under the same requests: differences of paired runs, with confidence intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.workload.trace import Floats

RESAMPLES = 4000
"""Bootstrap resamples; the ends of a 95 % interval then move by about a percent of its width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One metric of two fleets, over paired runs.

    Attributes:
        metric: Its name, with the unit.
        first: Mean over the runs of the first fleet.
        second: Mean over the runs of the second.
        change: Mean of second less first.
        low: Lower end of the 95 % interval of `change`.
        high: Upper end.
    """

    metric: str
    first: float
    second: float
    change: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def paired(
    metric: str, first: Sequence[float], second: Sequence[float], *, seed: int = 0
) -> Difference:
    """Return the difference of two fleets whose runs share their seeds pair by pair.

    The interval is the percentile bootstrap over pairs (Efron 1979).

    Raises:
        ScenarioError: runs that do not pair, or fewer than three pairs.
    """
    if len(first) != len(second) or len(first) < 3:
        raise ScenarioError(
            f"{len(first)} and {len(second)} runs: give as many of both, 3 at least"
        )
    change = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    low, high = np.quantile(_resampled(change, seed), (0.025, 0.975))
    return Difference(
        metric=metric,
        first=float(np.mean(first)),
        second=float(np.mean(second)),
        change=float(change.mean()),
        low=float(low),
        high=float(high),
    )


def _resampled(values: Floats, seed: int) -> Floats:
    rows = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    means: Floats = values[rows].mean(axis=1)
    return means
