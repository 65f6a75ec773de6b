"""How minimum latency scales: with model size, and with bandwidth and latency of the hardware.

The paper's headline is latency ~ sqrt(size) and ~ bandwidth^(-1/3). Both come from the toy model
at large instances; the sweeps here measure them in the full one.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inferometer.perf.theory.architecture import Architecture
from inferometer.perf.theory.chip import Chip
from inferometer.perf.theory.collectives import Array
from inferometer.perf.theory.step import Question, step
from inferometer.perf.theory.toy import fastest, toy

CHIPS = np.geomspace(1e-2, 2.0**14, 4000)
"""Real-valued instances searched for the least latency."""

Least = Callable[[Architecture, Chip], float]
"""Least seconds per step of a model on a chip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Least latency along one quantity.

    Attributes:
        name: What is swept.
        function: Which latency function.
        subject: Model, or rule by which it grows.
        factors: The quantity itself.
        latency: Seconds per step.
        claim: Exponent that the paper states, or None.
    """

    name: str
    function: str
    subject: str
    factors: Array
    latency: Array
    claim: float | None = None

    @property
    def slope(self) -> float:
        """Exponent: least squares in logarithms."""
        return float(np.polyfit(np.log(self.factors), np.log(self.latency), 1)[0])


def grown(model: Architecture, factor: float, depth: float) -> Architecture:
    """Return the model with `factor` times the parameters, layers growing as factor^depth.

    Layers are real-valued inside the sweep, widths and heads share the rest; the vocabulary is
    left out, which would break the power law.
    """
    width = factor ** ((1 - depth) / 2)
    return dataclasses.replace(
        model,
        width=model.width * width,
        feedforward=model.feedforward * width,
        head_size=model.head_size * width,
        layers=model.layers * factor**depth,  # type: ignore[arg-type]
        vocabulary=0,
    )


def least_full(context: float = 0.0, batch: float = 1.0) -> Least:
    """Return the full model's least latency over instances; HBM capacity is off."""

    def least(model: Architecture, chip: Chip) -> float:
        question = Question(model=model, chip=chip, context=context, capacity=False)
        return float(step(question, CHIPS, np.asarray(batch)).total.min())

    return least


def least_toy(model: Architecture, chip: Chip) -> float:
    """Return the least latency of the toy model with the notebook's base latency."""
    question = Question(model=model, chip=chip, capacity=False)
    return float(toy(question, CHIPS, np.asarray(1.0)).min())


def least_closed(model: Architecture, chip: Chip) -> float:
    """Return the closed-form least latency of the paper's toy model."""
    return fastest(model, chip).latency


FUNCTIONS: dict[str, Least] = {
    "toy": least_closed,
    "toy with base latency": least_toy,
    "full": least_full(),
}


def size_sweep(
    model: Architecture, chip: Chip, depth: float, function: str, points: int = 13
) -> Sweep:
    """Return least latency for sizes a thousandfold apart around a model."""
    factors = np.geomspace(10**-1.5, 10**1.5, points)
    models = [grown(model, factor, depth) for factor in factors]
    return Sweep(
        name="size",
        function=function,
        subject=f"{model.key}, layers ~ size^{depth:.3g}",
        factors=np.array([m.parameters for m in models]),
        latency=np.array([FUNCTIONS[function](m, chip) for m in models]),
        claim=0.5,
    )


def bandwidth_sweep(model: Architecture, chip: Chip, function: str, points: int = 11) -> Sweep:
    """Return least latency for HBM bandwidths from a quarter to eight times the chip's."""
    values = chip.memory_bandwidth * np.geomspace(0.25, 8, points)
    variants = [dataclasses.replace(chip, memory_bandwidth=float(value)) for value in values]
    return Sweep(
        name="HBM bandwidth",
        function=function,
        subject=model.key,
        factors=values,
        latency=np.array([FUNCTIONS[function](model, variant) for variant in variants]),
        claim=-1 / 3,
    )


def latency_sweep(model: Architecture, chip: Chip, points: int = 11) -> Sweep:
    """Return least latency as all latency constants together grow from a quarter to eight times."""
    factors = np.geomspace(0.25, 8, points)
    variants = [
        dataclasses.replace(chip, latency_factor=f, kernel_latency=f * chip.kernel_latency)
        for f in map(float, factors)
    ]
    return Sweep(
        name="all latencies",
        function="full",
        subject=model.key,
        factors=factors,
        latency=np.array([FUNCTIONS["full"](model, variant) for variant in variants]),
        claim=2 / 3,
    )
