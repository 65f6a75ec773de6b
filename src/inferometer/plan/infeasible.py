"""When nothing serves: the nearest deployment, and what would have to give."""

from collections.abc import Mapping

import numpy as np

from inferometer.errors import InfeasibleError
from inferometer.plan.option import Option, option
from inferometer.plan.replicas import Evaluate, Sizing, excess, with_replicas
from inferometer.plan.space import Space
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo


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

    Nearest is the one that, with the whole supply, misses its worst target by the least factor; if
    none carries the load, the one whose capacity is nearest to it.
    """
    if not sizing.fits.any():
        give = "allow more accelerators per replica, larger ones, or a smaller number format"
        return NoPlanError("nothing fits in memory", counts=counts, relax=(give,))
    rows = np.flatnonzero(sizing.loaded if sizing.loaded.any() else sizing.fits)
    trial = with_replicas(space.candidates.take(rows), space.most_replicas[rows])
    prediction = evaluate(trial, shape)
    ratios = excess(prediction, slo)
    if sizing.loaded.any():
        place = int(ratios.max(axis=0).argmin())
        message, relax = "no deployment meets the SLO", _relaxed(ratios[:, place], slo)
    else:
        place = int(np.nanargmin(prediction.utilisation))
        message = "the supply does not carry the load"
        relax = _supply(space, int(rows[place]), float(prediction.utilisation[place]))
    chosen = space.take(rows[[place]])
    shown = with_replicas(chosen.candidates, trial.replicas[[place]])
    sized = Space(
        candidates=shown,
        prices=space.prices,
        available=space.available,
        enumerated=1,
        excluded={},
    )
    found = option(0, sized, prediction, slo, place=place)
    return NoPlanError(message, counts=counts, nearest=found, relax=relax)


def _relaxed(
    ratios: np.ndarray[tuple[int, ...], np.dtype[np.float64]], slo: Slo
) -> tuple[str, ...]:
    return tuple(
        f"{target} would have to be {target.limit * float(ratio) * 1e3:.4g} ms"
        for target, ratio in zip(slo.targets, ratios, strict=True)
        if ratio > 1
    )


def _supply(space: Space, row: int, utilisation: float) -> tuple[str, ...]:
    chip = int(space.candidates.accelerator[row])
    each = int(space.candidates.accelerators_per_replica[row])
    have = int(space.most_replicas[row])
    needed = (int(have * utilisation) + 1) * each
    key = space.candidates.accelerators[chip].key
    return (f"{needed} x {key} would carry the load, {int(space.available[chip])} are allowed",)
