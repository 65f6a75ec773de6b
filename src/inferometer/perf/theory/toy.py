"""The two simpler latency functions, and the closed forms of the first."""

from dataclasses import dataclass

import numpy as np

from inferometer.perf.theory.architecture import Architecture
from inferometer.perf.theory.chip import Chip
from inferometer.perf.theory.collectives import Array
from inferometer.perf.theory.step import Question, fits, sliced
from inferometer.units import Seconds

HOP: Seconds = 1e-6
"""Latency of one hop; source: section 2.2 of the paper."""

BASE: Seconds = 6e-6
"""Latency of an all-reduce before any hop; source: the notebook, not in the paper's equations."""

ALL_REDUCES = 4
"""All-reduces per layer in 2D, source: section 2.2 of the paper, halved by parallel attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """Fastest instance of the toy model.

    Attributes:
        chips: Accelerators N*.
        latency: Seconds per step at N*.
    """

    chips: float
    latency: Seconds


def toy(question: Question, chips: Array, batch: Array, base: Seconds = BASE) -> Array:
    """Return seconds per step: all-reduces, then the larger of weight reads and FLOP."""
    model, chip = question.model, question.chip
    chips, batch = np.broadcast_arrays(np.asarray(chips, float), np.asarray(batch, float))
    reduce = 2 * HOP * np.maximum(np.sqrt(chips) - 1, 0) + base
    bandwidth = chip.memory_bandwidth * chip.memory_cap
    rate = chip.peak(model.weight_bytes) * chip.arithmetic_cap
    read = model.weight_bytes * model.parameters / (chips * bandwidth)
    all_reduces = ALL_REDUCES / 2 if model.parallel_attention else ALL_REDUCES
    total = model.layers * all_reduces * reduce
    total = total + np.maximum(read, 2 * model.parameters * batch / (chips * rate))
    return np.where(fits(question, chips, batch), total, np.inf)


def flat(question: Question, chips: Array, batch: Array) -> Array:
    """Return seconds per step of the full model with 2D slices and one stage only."""
    return sliced(question, chips, batch, 2, 1).total


def fastest(model: Architecture, chip: Chip, *, all_reduces: int = ALL_REDUCES) -> Optimum:
    """Return the closed-form optimum of the paper's toy model (Eq. 14), without base latency."""
    hops = model.layers * all_reduces * HOP
    read = model.weight_bytes * model.parameters / (chip.memory_bandwidth * chip.memory_cap)
    if read <= hops:
        return Optimum(chips=1.0, latency=read)
    latency = 3 * hops ** (2 / 3) * read ** (1 / 3) - 2 * hops
    return Optimum(chips=(read / hops) ** (2 / 3), latency=latency)
