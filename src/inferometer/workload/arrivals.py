"""When requests come: renewal processes, bent in time to follow the hours of a day."""

import math

import numpy as np

from inferometer.workload.trace import Floats

HOUR = 3600.0


def unit_gaps(kind: str, cv: float, size: int, random: np.random.Generator) -> Floats:
    """Return gaps of mean 1 and coefficient of variation `cv`, [size].

    Args:
        kind: "poisson", "gamma" or "weibull".
        cv: Coefficient of variation; ignored for Poisson, where it is 1.
        size: How many.
        random: Source of chance.
    """
    if kind == "gamma":
        return random.gamma(cv**-2, cv**2, size)
    if kind == "weibull":
        shape = weibull_shape(cv)
        return random.weibull(shape, size) / math.gamma(1 + 1 / shape)
    return random.exponential(1.0, size)


def weibull_shape(cv: float) -> float:
    """Return the Weibull shape k with 1 + cv^2 = G(1 + 2/k) / G(1 + 1/k)^2, by bisection."""
    low, high = 0.1, 100.0  # cv falls from 429 to 0.013
    for _ in range(200):
        middle = math.sqrt(low * high)
        spread = math.gamma(1 + 2 / middle) / math.gamma(1 + 1 / middle) ** 2 - 1
        low, high = (middle, high) if spread > cv**2 else (low, middle)
    return math.sqrt(low * high)


def arrivals(
    gaps: Floats, rate: float, hourly: tuple[float, ...], start: float, end: float
) -> Floats:
    """Return arrival times from `start`, s, while the gaps last; time 0 is midnight.

    A renewal process of unit rate is rescaled by the inverse of the integrated rate, so that it
    keeps its burstiness while the rate follows the hours.

    Args:
        gaps: Gaps of mean 1, [request].
        rate: Mean rate, 1/s.
        hourly: Relative rate of each hour of the day; empty for a steady rate.
        start: When the process begins, s; may be negative.
        end: Last time of interest, s.
    """
    if not hourly:
        return start + np.cumsum(gaps) / rate
    first, last = math.floor(start / HOUR), math.ceil(end / HOUR) + 1
    relative = np.array(hourly)[np.arange(first, last) % 24] / np.mean(hourly)
    knots = np.arange(first, last + 1) * HOUR
    load = np.concatenate(([0.0], np.cumsum(relative * rate * HOUR)))
    load += np.arange(len(load)) * 1e-12  # hours of rate 0: keeps the inverse single-valued
    return np.interp(np.cumsum(gaps) + np.interp(start, knots, load), load, knots, right=np.inf)
