"""Means of repeated runs with the interval in which they would fall again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferometer.errors import ScenarioError

STUDENT: Mapping[int, float] = {
    1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262,
    10: 2.228, 15: 2.131, 20: 2.086, 30: 2.042,
}  # fmt: skip
"""Student's t by degrees of freedom: 97.5 % of draws are below (any table of the distribution)."""

NORMAL = 1.960
"""The same for many degrees of freedom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and its 95 % interval.

    Attributes:
        mean: Mean.
        low: Lower end.
        high: Upper end.
        runs: Runs behind it.
    """

    mean: float
    low: float
    high: float
    runs: int


def student(freedom: int) -> float:
    """Return the quantile of Student's t at 97.5 %, the next wider one listed.

    Raises:
        ScenarioError: a single run has no interval.
    """
    if freedom < 1:
        raise ScenarioError("an interval needs at least two runs")
    listed = [known for known in STUDENT if known <= freedom]
    return NORMAL if freedom > 30 else STUDENT[max(listed)]


def interval(values: Sequence[float]) -> Interval:
    """Return mean and 95 % interval of runs that are alike and independent.

    Raises:
        ScenarioError: fewer than two runs.
    """
    count = len(values)
    quantile = student(count - 1)
    mean = math.fsum(values) / count
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    half = quantile * math.sqrt(variance / count)
    return Interval(mean=mean, low=mean - half, high=mean + half, runs=count)


def saving(before: Sequence[float], after: Sequence[float]) -> Interval:
    """Return the share that `after` saves of `before`, run by run in pairs, with its interval.

    Runs of one round are a pair: what slowed the machine then slowed both. The interval is that of
    the mean logarithm of their ratio.

    Raises:
        ScenarioError: fewer than two pairs, or a cost that is not positive.
    """
    if len(before) != len(after) or min(*before, *after) <= 0:
        raise ScenarioError("a saving needs pairs of positive costs")
    ratios = interval([math.log(b / a) for a, b in zip(before, after, strict=True)])
    return Interval(
        mean=1 - math.exp(ratios.mean),
        low=1 - math.exp(ratios.high),
        high=1 - math.exp(ratios.low),
        runs=ratios.runs,
    )
