"""Waiting times of a loaded server, from its utilisation and the variation of what it serves.

Textbook approximations: Kingman's formula for one server, Sakasegawa's for many, exponential tails
beyond the probability of waiting at all. They are exact for M/M/1 and good to some per cent for the
loads at which an SLO can hold; the simulator is the check beyond that.
"""

import numpy as np

from inferometer.candidates import Floats
from inferometer.perf.demand import LEVELS


def waiting(
    utilisation: Floats, service: Floats, servers: Floats, variation: Floats
) -> tuple[Floats, Floats]:
    """Return the probability of waiting and the mean wait of all requests, s [config].

    Sakasegawa (1977): W = S rho^(sqrt(2 (n + 1)) - 1) / (n (1 - rho)) (c_a^2 + c_s^2) / 2, which is
    Kingman's formula for n = 1. Infinite at a utilisation of one or more.

    Args:
        utilisation: Offered load over capacity.
        service: Mean service time of one request, s.
        servers: Requests served side by side.
        variation: (c_a^2 + c_s^2) / 2, squared variations of inter-arrival and service times.
    """
    busy = np.minimum(utilisation, 1.0) ** (np.sqrt(2 * (servers + 1)) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = service * busy / (servers * (1 - utilisation)) * variation
    return busy, np.where(utilisation < 1, mean, np.inf)


def wait_quantiles(probability: Floats, mean: Floats) -> Floats:
    """Return the mean and the quantiles at `LEVELS` of a wait [config, 4].

    The wait is zero with probability 1 - p and exponential with mean `mean / p` otherwise.
    """
    chance = np.maximum(probability, np.finfo(float).tiny)  # of many servers it may underflow
    tail = mean / chance
    excess = [np.maximum(0.0, tail * np.log(chance / (1 - level))) for level in LEVELS]
    columns = [np.where(np.isfinite(mean), column, np.inf) for column in excess]
    return np.stack([mean, *columns], axis=1)


def independent_sum(*parts: Floats) -> Floats:
    """Return mean and quantiles of a sum of independent parts [config, 4].

    Means add; deviations of a quantile from the mean add in squares (exact for normal parts), with
    the sign of the summed deviation.
    """
    mean = sum((part[:, :1] for part in parts), start=np.zeros((1, 1)))
    with np.errstate(invalid="ignore"):
        deviations = [part[:, 1:] - part[:, :1] for part in parts]
    signed = sum((np.sign(d) * d**2 for d in deviations), start=np.zeros((1, 1)))
    quantiles = mean + np.sign(signed) * np.sqrt(np.abs(signed))
    ordered = np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=1)
    return np.where(np.isfinite(mean), np.concatenate([mean, ordered], axis=1), np.inf)
