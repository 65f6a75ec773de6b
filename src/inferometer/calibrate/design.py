"""Parameters of the model as one vector of logarithms, and the rates that it implies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferometer.calibrate.bench import Group, Pool
from inferometer.candidates import Floats
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.perf.rates import Rates, factor_keys, scales

SPREAD: Mapping[str, float] = {
    "base": 0.7,
    "make": 0.1,
    "kernel": 0.25,
    "architecture": 0.35,
    "accelerator": 0.2,
    "engine": 0.5,
    "release": 0.4,
    "format": 0.4,
    "model": 0.3,
    "link": 0.4,
}
"""Standard deviation of the logarithm of a factor before any data, by its dimension: how far kinds
of silicon, engines and formats are expected to differ. It pools groups with little data."""

KNOWN = 0.15
"""The same for the base of a fraction of a peak. What good kernels reach is known better than what
the silicon, engines and formats at hand do: these shall bear what is particular to them, so that
silicon without rows starts from what good kernels reach."""

CLOSER = 0.25
"""Multiple of that spread for what software does to bandwidths: reading is easier than computing,
and engines, releases and formats differ less in it than silicon does."""

FAR: Mapping[str, float] = dict.fromkeys(
    ("kernel", "release", "architecture", "accelerator", "format", "engine"), 1.0
)
"""Spreads from which on a factor of these dimensions is believed the more readily (Cauchy): most
kernels are alike, and one that is missing or untuned is slower by multiples. That goes for rates;
the spread of overheads is wide as it is."""

NEVER = 1e3
"""The same for bases and all else: so far out that their priors are normal."""

STEADY = ("weight_bandwidth", "expert_bandwidth")
"""Rates without such tails: to read weights is what every kernel does well, and a row that seems to
tell otherwise (workers or replicas that its source leaves out) must not teach it."""

LOOSER = 2.5
"""Multiple of that spread for overheads: host code differs by more than silicon does."""

SECONDS = ("overhead", "latency")
"""Ends of the names of parameters that are no rates."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Which parameters there are.

    Attributes:
        names: (field of `Rates`, key of the factor, "" for the base) of each parameter.
        start: Logarithms of their values before the fit.
        spread: Standard deviations of the prior around `start`.
        tail: Spreads from `start` beyond which the prior is heavy-tailed.
        low: Logarithm of the least value of each field.
        high: Logarithm of the greatest.
    """

    names: tuple[tuple[str, str], ...]
    start: Floats
    spread: Floats
    tail: Floats
    low: Mapping[str, float]
    high: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Incidence:
    """Which parameters each configuration of a pool depends on.

    Attributes:
        combination: Index of the distinct combination of records [config].
        terms: Parameters of each combination and field, padded with -1 [combination, field, term].
        scale: Published peaks [combination, field].
    """

    combination: NDArray[np.int64]
    terms: NDArray[np.int64]
    scale: Floats


def design(groups: Sequence[Group], efficiencies: Efficiencies) -> Design:
    """Return the parameters that the observations of `groups` can inform."""
    found: dict[tuple[str, str], None] = {}
    for name in Rates._fields:
        found[name, ""] = None
    for deployment in _deployments(groups):
        for name in Rates._fields:
            for key in _keys(name, deployment):
                found[name, key] = None
    names = tuple(found)
    start = [_start(efficiencies, name, key) for name, key in names]
    spread = [_spread(name, key) for name, key in names]
    return Design(
        names=names,
        start=np.array(start),
        spread=np.array(spread),
        tail=np.array([_tail(name, key) for name, key in names]),
        low={name: _log(efficiencies[name].low) for name in Rates._fields},
        high={name: _log(efficiencies[name].high) for name in Rates._fields},
    )


def _spread(name: str, key: str) -> float:
    dimension = key.split(":", maxsplit=1)[0]
    if name.endswith(SECONDS):
        return SPREAD[dimension or "base"] * LOOSER
    if name.endswith("bandwidth") and dimension in {"engine", "release", "format"}:
        return SPREAD[dimension] * CLOSER
    return SPREAD[dimension] if dimension else KNOWN


def _tail(name: str, key: str) -> float:
    normal = name.endswith(SECONDS) or name in STEADY
    return NEVER if normal else FAR.get(key.split(":", maxsplit=1)[0], NEVER)


def _start(efficiencies: Efficiencies, name: str, key: str) -> float:
    parameter = efficiencies[name]
    return _log(parameter.factors.get(key, 1.0) if key else parameter.base)


def _log(value: float) -> float:
    return float(np.log(max(value, 1e-12)))


def _deployments(groups: Sequence[Group]) -> list[Deployment]:
    pools = [pool for group in groups for pool in pools_of(group)]
    return [deployment for pool in pools for deployment in pool]


def pools_of(group: Group) -> list[list[Deployment]]:
    """Return the deployments of a group's main pool, and of its front pool if it has one."""
    pools = [[o.subject.deployment for o in group.observations]]
    if group.front is not None:
        pools.append([o.subject.prefill or o.subject.deployment for o in group.observations])
    return pools


def _keys(name: str, deployment: Deployment) -> tuple[str, ...]:
    return factor_keys(
        name,
        deployment.model,
        deployment.accelerator,
        deployment.precision,
        deployment.settings.engine,
    )


def incidence(deployments: Sequence[Deployment], design: Design) -> Incidence:
    """Return which parameters of `design` each of `deployments` depends on.

    Factors that the design lacks (records that no data informed) count as one.
    """
    places = {name: place for place, name in enumerate(design.names)}
    combinations: dict[tuple[str, ...], int] = {}
    at, terms, scale = list[int](), list[list[list[int]]](), list[list[float]]()
    for one in deployments:
        key = (one.model.key, one.accelerator.key, str(one.precision), one.settings.engine.key)
        if key not in combinations:
            combinations[key] = len(combinations)
            fields = [(name, ("", *_keys(name, one))) for name in Rates._fields]
            terms.append([[places.get((n, k), -1) for k in keys] for n, keys in fields])
            peaks = scales(one.accelerator, one.precision)
            scale.append([peaks.get(name, 1.0) for name in Rates._fields])
        at.append(combinations[key])
    most = max(len(field) for row in terms for field in row)
    padded = [[field + [-1] * (most - len(field)) for field in row] for row in terms]
    return Incidence(combination=np.array(at), terms=np.array(padded), scale=np.array(scale))


def rates_at(theta: Floats, incidence: Incidence, design: Design) -> Rates:
    """Return the rates of every configuration of a pool at parameters `theta`."""
    values = np.append(theta, 0.0)[incidence.terms].sum(axis=2)  # [combination, field]
    low = np.array([design.low[name] for name in Rates._fields])
    high = np.array([design.high[name] for name in Rates._fields])
    table = np.exp(np.clip(values, low, high)) * incidence.scale
    return Rates(*table[incidence.combination].T)


def free(theta: Floats, incidence: Incidence, design: Design) -> NDArray[np.bool_]:
    """Return which fields of each configuration are inside their limits [config, field]."""
    values = np.append(theta, 0.0)[incidence.terms].sum(axis=2)
    low = np.array([design.low[name] for name in Rates._fields])
    high = np.array([design.high[name] for name in Rates._fields])
    return ((values > low) & (values < high))[incidence.combination]


__all__ = ["Design", "Incidence", "Pool", "design", "free", "incidence", "pools_of", "rates_at"]
