"""The notebook's search for a utilisation, and for the model size that then runs at a speed."""

import dataclasses

import numpy as np

from inferometer.errors import InfeasibleError
from inferometer.perf.theory.architecture import Architecture, scaled
from inferometer.perf.theory.search import Points, evaluate
from inferometer.perf.theory.speculation import latency_of
from inferometer.perf.theory.step import Question
from inferometer.units import Fraction, TokensPerSecond

GRID = 100
"""Points along each axis; source: the notebook."""

NEAR = np.log(1.05)
"""Largest distance from the wanted utilisation, in logarithms; source: the notebook."""


def fastest_at_utilisation(question: Question, mfu: Fraction) -> Points:
    """Return the fastest point of the notebook's coarse grid within 5 % of a utilisation.

    Raises:
        InfeasibleError: no point comes that near.
    """
    model = question.model
    least = model.weight_bytes * model.parameters / question.chip.memory
    chips = np.repeat(np.geomspace(least, 2.0**10, GRID), GRID)
    batch = np.tile(np.geomspace(1, 2.0**14 * model.sparsity, GRID), GRID)
    points = evaluate(question, latency_of(question), chips, batch)
    with np.errstate(divide="ignore"):
        near = np.abs(np.log(points.mfu / mfu)) <= NEAR
    if not near.any():
        raise InfeasibleError(f"no instance runs at a utilisation near {mfu:g}; ask for less")
    found = points.at(near)
    return found.at(int(np.argmin(found.latency)))


def size_for_speed(question: Question, mfu: Fraction, speed: TokensPerSecond) -> Architecture:
    """Return the scaled model whose fastest point at a utilisation has a wanted speed.

    Bisects the decimal exponent of the scale in [-4, 4] down to 0.01, as the notebook does; where
    a size has no such point, it counts as too large.
    """
    low, high = -4.0, 4.0
    while high - low > 0.01:
        middle = (low + high) / 2
        if _speed(question, 10**middle, mfu) > speed:
            low = middle
        else:
            high = middle
    return scaled(question.model, 10 ** ((low + high) / 2))


def _speed(question: Question, factor: float, mfu: Fraction) -> float:
    model = scaled(question.model, factor)
    if model.layers < 1:
        return np.inf  # too small to have a layer: too fast for any wish
    try:
        variant = dataclasses.replace(question, model=model)
        return float(fastest_at_utilisation(variant, mfu).speed)
    except InfeasibleError:
        return 0.0
