"""When nothing serves: the nearest deployment, and what would have to give."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from inferometer.candidates import Floats
from inferometer.errors import InfeasibleError
from inferometer.plan.cheapest import cheapest
from inferometer.plan.option import Option, option
from inferometer.plan.replicas import GOODPUT, Evaluate, Sizing, with_replicas
from inferometer.plan.space import Space
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

SLACK = 1.01
"""Beyond the best that the whole supply reaches, so that fewer accelerators come near it too."""


class NoPlanError(InfeasibleError):
    """No deployment in the space serves the workload within the SLO.

    Attributes:
        nearest: The deployment that comes nearest; None if none fits in memory.
        relax: What would have to give for it to do.
        counts: Configurations ruled out, by reason.
    """

    def __init__(
        self,
        message: str,
        *,
        counts: Mapping[str, int],
        nearest: Option | None = None,
        relax: tuple[str, ...] = (),
    ) -> None:
        top = ", ".join(f"{reason}: {count}" for reason, count in _by_size(counts))
        parts = [message, f"ruled out: {top}", *relax]
        super().__init__("; ".join(parts))
        self.nearest = nearest
        self.relax = relax
        self.counts = dict(counts)


def _by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def nearest(
    space: Space,
    sizing: Sizing,
    shape: Shape,
    slo: Slo,
    evaluate: Evaluate,
    counts: Mapping[str, int],
) -> NoPlanError:
    """Return the error that carries the nearest deployment and what would have to give.

    With enough supply for the load, the targets are relaxed by the least factor that any
    deployment needs, and the cheapest one under the relaxed targets is shown; else the one whose
    capacity is nearest to the load.

    Args:
        space: What can be built.
        sizing: Replica counts of its configurations.
        shape: The workload.
        slo: The targets.
        evaluate: What predicts.
        counts: Configurations ruled out, by reason.
    """
    if not sizing.fits.any():
        give = "allow more accelerators per replica, larger ones, or a smaller number format"
        return NoPlanError("nothing fits in memory", counts=counts, relax=(give,))
    if sizing.loaded.any():
        ratios = sizing.ratios[:, sizing.loaded]
        relaxed = _relaxed(ratios[:, int(ratios.max(axis=0).argmin())], slo)
        found = cheapest(space, shape, relaxed, evaluate)
        give = _given(slo, relaxed)
        return NoPlanError("no deployment meets the SLO", counts=counts, nearest=found, relax=give)
    rows = np.flatnonzero(sizing.fits)
    trial = with_replicas(space.candidates.take(rows), space.most_replicas[rows])
    prediction = evaluate(trial, shape)
    place = int(np.nanargmin(prediction.utilisation))
    shown = replace(space.take(rows[[place]]), candidates=trial.take(np.array([place])))
    return NoPlanError(
        "the supply does not carry the load",
        counts=counts,
        nearest=option(0, shown, prediction, slo, place=place),
        relax=_supply(space, int(rows[place]), float(prediction.utilisation[place]), slo),
    )


def _relaxed(ratios: Floats, slo: Slo) -> Slo:
    """Return the targets that were missed at what was reached, and `SLACK` beyond.

    The headroom stays. Of goodput the error budget grows; it is dropped where all of it is used.
    """
    factors = [float(ratio) / (1 - slo.headroom) for ratio in ratios]
    targets = tuple(
        replace(target, limit=target.limit * factor * SLACK) if factor > 1 else target
        for target, factor in zip(slo.targets, factors, strict=False)
    )
    goodput = slo.goodput
    if goodput is not None and factors[-1] > 1:
        kept = 1 - (1 - goodput) * factors[-1] * SLACK
        goodput = kept if kept >= GOODPUT[0] else None
    return replace(slo, targets=targets, goodput=goodput)


def _given(slo: Slo, relaxed: Slo) -> tuple[str, ...]:
    new = relaxed.terms if relaxed.goodput is not None else (*relaxed.terms, "dropped")
    pairs = zip(slo.terms, new, strict=False)
    return tuple(f"{old} would have to be {term}" for old, term in pairs if old != term)


def _supply(space: Space, row: int, utilisation: float, slo: Slo) -> tuple[str, ...]:
    chip = int(space.candidates.accelerator[row])
    each = int(space.candidates.accelerators_per_replica[row])
    have = int(space.most_replicas[row])
    needed = (int(have * utilisation / (1 - slo.headroom)) + 1) * each
    key = space.candidates.accelerators[chip].key
    return (f"{needed} x {key} would carry the load, {int(space.available[chip])} are allowed",)
