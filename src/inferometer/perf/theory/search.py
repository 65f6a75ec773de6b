"""Price of a decode step, the frontier of speed and price, and the points preferred on it."""

from dataclasses import dataclass

import numpy as np

from inferometer.errors import InfeasibleError
from inferometer.perf.theory.collectives import Array
from inferometer.perf.theory.speculation import Latency
from inferometer.perf.theory.step import Question
from inferometer.units import Seconds, TokensPerSecond, UsdPerToken

GRID = 400
"""Points along each axis of the grid; source: the notebook."""
THRESHOLDS = np.geomspace(1e-4, 1.0, 600)  # s; source: the notebook
BUILDABLE_CHIPS = np.array([1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256], float)
BUILDABLE_BATCH = 2.0 ** np.arange(13)


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Instances and what they give; arrays of one shape.

    Attributes:
        chips: Accelerators N.
        batch: Sequences B.
        latency: Seconds per token of one user.
        price: USD per token.
        mfu: Model FLOP over the uncapped peak.
    """

    chips: Array
    batch: Array
    latency: Array
    price: Array
    mfu: Array

    @property
    def speed(self) -> Array:
        """Tokens per second and user."""
        return 1 / self.latency

    @property
    def system(self) -> Array:
        """Tokens per second of the instance."""
        return self.batch / self.latency

    def at(self, index: object) -> "Points":
        """Return the points of an index or mask."""
        names = ("chips", "batch", "latency", "price", "mfu")
        return Points(**{name: getattr(self, name)[index] for name in names})


def evaluate(question: Question, latency: Latency, chips: Array, batch: Array) -> Points:
    """Return speed, price and utilisation of instances."""
    chips, batch = np.broadcast_arrays(np.asarray(chips, float), np.asarray(batch, float))
    seconds = latency(chips, batch)
    model, chip = question.model, question.chip
    flop = (2 * model.active_parameters + model.attention_flop * question.context) * batch
    return Points(
        chips=chips,
        batch=batch,
        latency=seconds,
        price=chips * seconds / batch * chip.price,
        mfu=flop / (chips * chip.peak(model.weight_bytes) * seconds),
    )


def grid(question: Question, latency: Latency, size: int = GRID) -> Points:
    """Return the notebook's grid of real-valued instances, flattened, batch slowest."""
    model = question.model
    least = model.weight_bytes * model.parameters / question.chip.memory
    batch = np.geomspace(1, 2.0**18 * model.sparsity, size)
    chips = np.geomspace(least, 2.0**18, size)
    wide, high = np.meshgrid(chips, batch)
    return evaluate(question, latency, wide.ravel(), high.ravel())


def frontier(points: Points, demand: TokensPerSecond = np.inf) -> Points:
    """Return the cheapest point within each latency threshold, fastest first, repeats dropped.

    Args:
        points: Flat points.
        demand: Most tokens per second that one instance may serve.

    Raises:
        InfeasibleError: no point fits in memory, meets a threshold and the demand.
    """
    usable = np.isfinite(points.latency) & (points.system <= demand)
    kept = points.at(usable)
    kept = kept.at(np.argsort(kept.latency, kind="stable"))
    if not kept.latency.size or kept.latency[0] > THRESHOLDS[-1]:
        raise InfeasibleError("no instance of the grid fits; allow more demand or less context")
    cheapest = np.minimum.accumulate(kept.price)
    first = np.maximum.accumulate(np.where(kept.price == cheapest, np.arange(kept.price.size), 0))
    ends = np.searchsorted(kept.latency, THRESHOLDS, side="right") - 1
    return kept.at(np.unique(first[ends[ends >= 0]]))


def preferred(points: Points, alpha: float = 3.0) -> Points:
    """Return the point with the largest speed^alpha / price (paper: 3, notebook: 4)."""
    return points.at(int(np.argmax(alpha * np.log(points.speed) - np.log(points.price))))


def fastest_at(points: Points, price: UsdPerToken) -> Points:
    """Return the fastest point of at most that price.

    Raises:
        InfeasibleError: every point costs more.
    """
    seconds = np.where(points.price <= price, points.latency, np.inf)
    if not np.isfinite(seconds).any():
        raise InfeasibleError(f"no point costs {1e6 * price:g} USD/Mtok or less; allow more")
    return points.at(int(np.argmin(seconds)))


def cheapest_within(points: Points, latency: Seconds) -> Points:
    """Return the cheapest point of at most that latency.

    Raises:
        InfeasibleError: every point is slower.
    """
    price = np.where(points.latency <= latency, points.price, np.inf)
    if not np.isfinite(price).any():
        raise InfeasibleError(f"no point reaches {1 / latency:g} tok/s; ask for less")
    return points.at(int(np.argmin(price)))
