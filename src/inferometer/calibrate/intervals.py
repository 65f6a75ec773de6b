"""Intervals of predictions, learned from held-out groups so that they cover groups not yet seen.

Conformal by group: rows of one group (a model family, a silicon generation, a laboratory) are off
together, so quantiles of all rows are too narrow for a group that is not among them. Each group is
therefore judged by the quantiles of the others, and the interval is widened until it would have
covered `COVERAGE` of the rows of groups that it had not seen; by quantity and kind of load, since
a model that is steady on throughput may not be so on waits.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from inferometer.calibrate.folds import NOVELTY_OF, Fold, cross_validate
from inferometer.calibrate.measurement import Observation
from inferometer.calibrate.verdict import Verdict, quantity
from inferometer.candidates import Floats
from inferometer.catalog.efficiency import Efficiencies
from inferometer.catalog.source import Source
from inferometer.catalog.uncertainty import OWN, Residual

COVERAGE = 0.8
"""Share of rows that an interval is to cover."""

LEAST, FEWEST = 20, 3
"""Rows and groups below which a kind of load borrows the interval of its quantity."""

NARROWEST, WIDEST = 0.7, 6.0
"""Least and most that an interval is stretched: 0.7 of plain quantiles is far below any seen need,
six times leaves a factor of several hundred."""

ALONE = 2.4
"""Stretch of what only one group tells: 80 % of Student's t with one degree of freedom over that of
the normal law."""


class Held(NamedTuple):
    """One held-out row: its group, its cell, and ln(measured / predicted)."""

    group: str
    cell: tuple[str, str, str]
    ratio: float


def interval(held: Sequence[Held]) -> tuple[float, float]:
    """Return the ends of ln(measured / predicted) that cover `COVERAGE` of groups not seen."""
    low, high = _plain(held)
    middle, half = (low + high) / 2, (high - low) / 2 * stretch(held)
    return middle - half, middle + half


def stretch(held: Sequence[Held]) -> float:
    """Return by how much plain quantiles must widen to cover groups that they have not seen."""
    groups = {row.group for row in held}
    if len(groups) < 2:
        return ALONE
    needed, weights = list[float](), list[float]()
    for group in sorted(groups):
        low, high = _plain([row for row in held if row.group != group])
        middle, half = (low + high) / 2, max((high - low) / 2, 1e-6)
        mine = [row for row in held if row.group == group]
        needed += [abs(row.ratio - middle) / half for row in mine]
        weights += _weights(mine).tolist()
    found = quantiles(np.array(needed), np.array(weights), (COVERAGE,))[0]
    return float(np.clip(found, NARROWEST, WIDEST))


def _plain(held: Sequence[Held]) -> tuple[float, float]:
    tail = (1 - COVERAGE) / 2
    ratios = np.array([row.ratio for row in held])
    low, high = quantiles(ratios, _weights(held), (tail, 1 - tail))
    return float(low), float(high)


def _weights(held: Sequence[Held]) -> Floats:
    """Return n^-0.5 for a row of a cell of n: large sources do not set the width alone."""
    sizes = Counter(row.cell for row in held)
    return np.array([sizes[row.cell] ** -0.5 for row in held])


def quantiles(values: Floats, weights: Floats, levels: Sequence[float]) -> Floats:
    """Return weighted quantiles: the value below which a share `level` of the weight lies."""
    order = np.argsort(values)
    share = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return np.interp(levels, share, values[order])


def basis(held: Mapping[tuple[str, str], Sequence[Held]], what: str, load: str) -> Sequence[Held]:
    """Return the rows that tell the interval of a quantity under a load; none where too few do.

    Args:
        held: Rows by (quantity, load).
        what: Quantity.
        load: Kind of load, or "any".
    """
    near = held.get((what, load), ())
    if len(near) >= LEAST and len({row.group for row in near}) >= FEWEST:
        return near
    every = [row for (name, _), rows in held.items() if name == what for row in rows]
    return every if len(every) >= LEAST else ()


def by_kind(folds: Iterable[Fold]) -> dict[tuple[str, str], list[Held]]:
    """Return the held-out rows of folds by (quantity, load)."""
    found: dict[tuple[str, str], list[Held]] = {}
    for fold in folds:
        for verdict in fold.verdicts:
            if np.isfinite(verdict.error):
                kind = (quantity(verdict.metric), verdict.load)
                found.setdefault(kind, []).append(_held(fold, verdict))
    return found


def _held(fold: Fold, verdict: Verdict) -> Held:
    return Held(group=fold.name, cell=verdict.row.cell, ratio=-verdict.error)


def residuals(
    folds: Sequence[Fold], source: Source, novelties: Mapping[str, str] = NOVELTY_OF
) -> list[Residual]:
    """Return the intervals of measured over predicted by quantity, load and novelty.

    Args:
        folds: Held-out groups.
        source: Provenance of the intervals.
        novelties: Novelty that each split imitates.
    """
    known = dict[str, Residual]()
    for split in dict.fromkeys(fold.split for fold in folds):
        held = by_kind(fold for fold in folds if fold.split == split)
        rows = {kind: basis(held, *kind) for kind in sorted(held)}
        rows = {kind: found for kind, found in rows.items() if found is held[kind]}
        rows |= {(what, "any"): basis(held, what, "any") for what, _ in sorted(held)}
        rows["any", "any"] = [row for every in held.values() for row in every]
        for (what, load), found in rows.items():
            if len(found) >= LEAST:
                key = f"{what}.{load}.{novelties[split]}"
                low, high = np.exp(interval(found))
                known[key] = Residual(key=key, low=float(low), high=float(high), rows=len(found),
                                      sources={"": source})  # fmt: skip
    return [*(known[key] for key in sorted(known)), *_both_new(known)]


def _both_new(known: Mapping[str, Residual]) -> list[Residual]:
    """Return the intervals of a new model on a new accelerator: the wider of either alone."""
    found = list[Residual]()
    for key, model in known.items():
        if key.endswith(".new-model"):
            chip = known.get(key.replace(".new-model", ".new-accelerator"), model)
            wide = {"low": min(model.low, chip.low), "high": max(model.high, chip.high)}
            found.append(replace(model, key=key.replace(".new-model", ".new-both"), **wide))
    return found


def residuals_of(
    observations: Sequence[Observation],
    start: Efficiencies,
    source: Source,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Residual]:
    """Return the intervals of a fit that is shipped, of all splits, by cross-validation."""
    folds = [
        fold
        for split in NOVELTY_OF
        for fold in cross_validate(observations, start, source, split, progress=progress)
    ]
    return residuals(folds, source)


def own_residuals(
    observations: Sequence[Observation],
    start: Efficiencies,
    source: Source,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Residual]:
    """Return the intervals of a user's own rows, on top of the shipped ones.

    By parts of the rows: they tell how far off the fit is on more of the same, and nothing of other
    models, accelerators or laboratories. None where all rows are one sweep of one load: without it,
    nothing of theirs would be left to fit.
    """
    folds = cross_validate(observations, start, source, "rows", progress=progress)
    if len(folds) < 2:
        return []
    found = residuals(folds, source, {"rows": OWN})
    return [one for one in found if not one.key.startswith("any.")]
