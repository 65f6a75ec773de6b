"""Risk: how probable it is that a deployment keeps its SLO, given how far predictions were off.

Reality is taken to be slower or faster than predicted as measurements of held-out groups were. All
errors move together, since they stem from one step time: at a share c of all outcomes, every
latency is at the c-quantile of its own error, and the load is as much heavier as the throughput is
lower. What holds at that share holds at every smaller one, so the probability is the largest share
at which the SLO still holds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from inferometer.candidates import Candidates, Floats, Ints, table
from inferometer.catalog.uncertainty import Basis, Residual, Spread, novelty_of, spread
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.outcome import Outcome
from inferometer.perf.prediction import Depth, Prediction
from inferometer.plan.replicas import Evaluate, meets
from inferometer.units import Fraction
from inferometer.workload.shape import Shape
from inferometer.workload.slo import METRICS, Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """How far measurements lay from predictions, measured over predicted.

    Attributes:
        novelty: "own", "known", "new-model", "new-accelerator" or "new-both": what the fit had not
            seen.
        rate: Throughput.
        ttft: Time to first token.
        tpot: Time per output token.
        itl: Gap between output tokens.
        e2e: Arrival to last token.
        power: Draw of the accelerators.
    """

    novelty: str
    rate: Spread
    ttft: Spread
    tpot: Spread
    itl: Spread
    e2e: Spread
    power: Spread


def doubts_of(
    residuals: Mapping[str, Residual],
    basis: Basis,
    family: str,
    accelerators: Iterable[str],
    own: Basis | None = None,
) -> dict[str, Doubt]:
    """Return the error of predictions of a model family on each of `accelerators`.

    Of rows under any load: those under an open one alone are too few to tell.

    Args:
        residuals: Spreads by key.
        basis: What the shipped fit rests on.
        family: Family of the model.
        accelerators: Keys of the accelerators.
        own: What the user's own calibration rests on, on top of it.
    """
    found = dict[str, Doubt]()
    for key in accelerators:
        novelty = novelty_of(basis, family, key, own)
        each = {
            name: spread(residuals, name, "any", novelty) for name in ("rate", *METRICS, "power")
        }
        found[key] = Doubt(novelty=novelty, **each)
    return found


class Interval(NamedTuple):
    """One figure of a prediction with the ends that 80 % of such measurements lay between."""

    quantity: str
    predicted: float
    lower: float
    upper: float


def intervals(outcome: Outcome, doubt: Doubt) -> tuple[Interval, ...]:
    """Return the figures of `outcome` with their 80 % intervals: ms, requests/s and W."""
    figures = [(f"{name} mean ms", getattr(outcome, name).mean * 1e3, getattr(doubt, name))
               for name in METRICS]  # fmt: skip
    figures += [("capacity requests/s", outcome.capacity, doubt.rate)]
    figures += [("power W", outcome.power, doubt.power)]
    return tuple(Interval(name, value, value * s.low, value * s.high) for name, value, s in figures)


def likely(probability: Fraction, slo: Slo, doubt: Doubt) -> str:
    """Return in words how probable it is that a deployment keeps `slo`, and what that rests on."""
    what, (low, high) = "keeps the SLO" if slo.terms else "carries the load", doubt.tpot
    return (
        f"it {what} with a probability of {probability:.0%}, if predictions are off as those of "
        f"held-out measurements were ({NOVELTY[doubt.novelty]}: 80 % of measured TPOT within x "
        f"{low:.2g} to {high:.2g} of the predicted)"
    )


NOVELTY: Mapping[str, str] = {
    "own": "model family on this accelerator measured in this calibration",
    "known": "model family and accelerator measured",
    "new-model": "model family never measured",
    "new-accelerator": "accelerator never measured",
    "new-both": "neither model family nor accelerator measured",
}
"""What a novelty means, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What a search is to know of the error of its predictions.

    Attributes:
        doubts: Error by accelerator.
        confidence: Probability with which the SLO must hold; None: it must hold as predicted.
    """

    doubts: Mapping[str, Doubt]
    confidence: Fraction | None = None

    def __post_init__(self) -> None:
        if self.confidence is not None and not LEVELS[0] <= self.confidence <= LEVELS[-1]:
            raise ScenarioError(
                f"confidence is {self.confidence:g}; a probability from {LEVELS[0]:g} to "
                f"{LEVELS[-1]:g} is wanted: errors beyond are not known"
            )

    def strict(self, evaluate: Evaluate) -> Evaluate:
        """Return what a search must hold against: `evaluate`, or its outcome at `confidence`."""
        return evaluate if self.confidence is None else at(evaluate, self.doubts, self.confidence)


LEVELS = tuple(np.linspace(0.01, 0.99, 50).round(2).tolist())
"""Shares of outcomes that are tried, in steps of 2 %; rows are too few to tell further tails."""


def at(evaluate: Evaluate, doubts: Mapping[str, Doubt], share: Fraction) -> Evaluate:
    """Return the evaluator of a reality that is no worse in a `share` of all outcomes.

    Args:
        evaluate: What predicts.
        doubts: Error by accelerator.
        share: Share of outcomes.
    """

    def changed(candidates: Candidates, shape: Shape, *, depth: Depth = Depth.ENERGY) -> Prediction:
        parts = [
            (rows, _slowed(evaluate, candidates.take(rows), shape, doubt, share, depth))
            for doubt, rows in _by_doubt(candidates, doubts)
        ]
        order = np.argsort(np.concatenate([rows for rows, _ in parts]))
        found = [part for _, part in parts]
        joined = {
            field.name: np.concatenate([getattr(part, field.name) for part in found])[order]
            for field in fields(Prediction)
            if field.name not in {"shape", "constraints"}
        }
        return Prediction(shape=shape, constraints=found[0].constraints, **joined)

    return changed


def _by_doubt(candidates: Candidates, doubts: Mapping[str, Doubt]) -> Iterator[tuple[Doubt, Ints]]:
    """Yield the rows of all accelerators that share an error: few kinds, so few evaluations."""
    each = [doubts[chip.key] for chip in candidates.accelerators]
    kinds = list(dict.fromkeys(each))
    kind = np.array([kinds.index(doubt) for doubt in each])[candidates.accelerator]
    for place in np.unique(kind):
        yield kinds[place], np.flatnonzero(kind == place)


def _slowed(
    evaluate: Evaluate, candidates: Candidates, shape: Shape, doubt: Doubt, share: Fraction,
    depth: Depth,
) -> Prediction:  # fmt: skip
    load = 1 / doubt.rate.quantile(1 - share)
    heavier = replace(
        shape, rate=shape.rate * load, peak_rate=shape.peak_rate * load, series=shape.series * load
    )
    found = evaluate(candidates, heavier, depth=depth)
    times = {name: getattr(found, name) * getattr(doubt, name).quantile(share) for name in METRICS}
    return replace(found, shape=shape, capacity=found.capacity / load, **times)


def probabilities(
    deployments: Sequence[Deployment],
    shape: Shape,
    slo: Slo,
    evaluate: Evaluate,
    doubts: Mapping[str, Doubt],
) -> Floats:
    """Return the probability that each deployment carries the load and keeps every target.

    Without the headroom that a plan leaves free: that is what it is for. In steps of `LEVELS`: 0
    below the first, and never above the last.

    Args:
        deployments: Deployments of one model, with their replicas.
        shape: The workload.
        slo: The targets.
        evaluate: What predicts.
        doubts: Error by accelerator.
    """
    candidates, bare = table(deployments), replace(slo, headroom=0.0)
    found = np.zeros(len(deployments))
    for share in LEVELS:
        worse = at(evaluate, doubts, share)(candidates, shape, depth=Depth.LATENCY)
        found = np.where(meets(worse, bare), share, found)
    return found
