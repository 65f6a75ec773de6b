"""Lengths drawn from quantiles, a lognormal or a file, prompt and output correlated."""

import math
from pathlib import Path
from statistics import NormalDist

import numpy as np

from inferometer.catalog.tables import length_profile
from inferometer.errors import WorkloadError
from inferometer.workload.formats.files import read_lengths
from inferometer.workload.marginal import Marginal
from inferometer.workload.spec import LengthSpec
from inferometer.workload.trace import Floats, Ints

_NORMAL = NormalDist()
_GRID = np.linspace(-6, 6, 4001)  # standard deviations; a table, since numpy has no normal CDF
_CDF = np.array([_NORMAL.cdf(z) for z in _GRID])


def draw(spec: LengthSpec, size: int, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Return prompt and output lengths, [size] each, 1 token at least.

    Correlation is by a Gaussian copula, r = 2 sin(pi rho / 6) for Spearman's rho.

    Raises:
        WorkloadError: marginals that are no distribution, or a file that cannot be read.
        CatalogError: unknown profile.
    """
    if spec.file:
        known = read_lengths(Path(spec.file))
        row = random.integers(0, len(known.inputs), size)
        return known.inputs[row], known.outputs[row]
    inputs, outputs, correlation = _marginals(spec)
    slant = 2 * math.sin(math.pi * correlation / 6)
    one, other = random.standard_normal((2, size))
    other = slant * one + math.sqrt(max(0.0, 1 - slant**2)) * other
    return lengths(inputs, one, "input"), lengths(outputs, other, "output")


def thoughts(spec: LengthSpec, outputs: Ints, random: np.random.Generator) -> Ints:
    """Return how much of each output is thought, [output] tok; what is left is answer, 1 at least.

    A share by the profile's quantiles, whatever the length: published figures give each apart.

    Raises:
        CatalogError: unknown profile.
    """
    chance = random.random(len(outputs))
    share = np.full(len(outputs), spec.reasoning or 0.0)
    if spec.reasoning is None and spec.profile:
        known = length_profile(spec.profile)
        if known.reasoning_quantiles:
            share = np.interp(chance, (0.0, *known.levels), (0.0, *known.reasoning_quantiles))
    return np.minimum(np.rint(share * outputs).astype(np.int64), outputs - 1)


def _marginals(spec: LengthSpec) -> tuple[Marginal, Marginal, float]:
    if spec.profile:
        known = length_profile(spec.profile)
        correlation = known.correlation if spec.correlation is None else spec.correlation
        return (
            Marginal(levels=known.levels, quantiles=known.input_quantiles),
            Marginal(levels=known.levels, quantiles=known.output_quantiles),
            correlation or 0.0,
        )
    if spec.input is None or spec.output is None:
        raise WorkloadError("workload.lengths: give one of profile, file, or input and output")
    return spec.input, spec.output, spec.correlation or 0.0


def lengths(marginal: Marginal, normal: Floats, name: str) -> Ints:
    """Return the lengths at standard normal deviates, rounded, 1 token at least.

    Raises:
        WorkloadError: the marginal is no distribution, naming it.
    """
    if marginal.quantiles or marginal.levels:
        values = _by_quantiles(marginal, normal, name)
    else:
        centre, width = lognormal(marginal, name)
        values = np.exp(centre + width * normal)
    return np.clip(np.rint(values), 1, 10**8).astype(np.int64)


def _by_quantiles(marginal: Marginal, normal: Floats, name: str) -> Floats:
    """Interpolate straight between quantiles, which keeps them rising; from 0 below the first."""
    levels, tokens = np.array(marginal.levels), np.array(marginal.quantiles)
    sound = len(levels) == len(tokens) and levels[0] > 0 and levels[-1] <= 1 and tokens[0] > 0
    if not sound or (np.diff(levels) <= 0).any() or (np.diff(tokens) < 0).any():
        raise WorkloadError(
            f"workload.lengths.{name}: levels rising within (0, 1] and as many quantiles > 0,"
            " not falling, are wanted"
        )
    return np.interp(np.interp(normal, _GRID, _CDF), np.append(0, levels), np.append(1, tokens))


def lognormal(marginal: Marginal, name: str) -> tuple[float, float]:
    """Return mu and sigma of the lognormal that two of mean, p50, p90 and p99 give.

    Raises:
        WorkloadError: not two of them, or two that no lognormal has.
    """
    known = {key: getattr(marginal, key) for key in ("mean", "p50", "p90", "p99")}
    given = {key: value for key, value in known.items() if value is not None}
    if len(given) != 2 or min(given.values()) <= 0:
        raise WorkloadError(
            f"workload.lengths.{name}: give two of mean, p50, p90 and p99, all > 0, or quantiles"
        )
    mean = given.pop("mean", None)
    scores = {key: _NORMAL.inv_cdf(int(key[1:]) / 100) for key in given}
    logs = {key: math.log(value) for key, value in given.items()}
    if mean is None:
        (low, high) = sorted(given, key=lambda key: scores[key])
        width = (logs[high] - logs[low]) / (scores[high] - scores[low])
        return _sound(logs[low] - width * scores[low], width, name)
    (key,) = given  # ln mean = mu + sigma^2 / 2 and ln q = mu + z sigma; the smaller sigma
    rest = scores[key] ** 2 - 2 * (logs[key] - math.log(mean))
    if rest < 0:
        raise WorkloadError(f"workload.lengths.{name}: no lognormal has this mean and {key}")
    width = math.sqrt(rest) if key == "p50" else scores[key] - math.sqrt(rest)
    return _sound(math.log(mean) - width**2 / 2, width, name)


def _sound(centre: float, width: float, name: str) -> tuple[float, float]:
    if width < 0:
        raise WorkloadError(f"workload.lengths.{name}: the quantiles fall; no lognormal has them")
    return centre, width
