"""Cross-validation: fit without a group of rows, then judge the model on that group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inferometer.calibrate.bench import compile_groups
from inferometer.calibrate.design import design
from inferometer.calibrate.fit import fit, tasks
from inferometer.calibrate.measurement import Observation
from inferometer.calibrate.overlay import fitted
from inferometer.calibrate.verdict import Verdict, quantity, verdicts_of
from inferometer.candidates import Floats
from inferometer.catalog.efficiency import Efficiencies
from inferometer.catalog.source import Source
from inferometer.catalog.uncertainty import Residual

LEFT_OUT: Mapping[str, Callable[[Observation], str]] = {
    "family": lambda o: o.row.family,
    "accelerator": lambda o: o.subject.deployment.accelerator.architecture,
    "source": lambda o: o.row.source,
}
"""What is left out whole, by name of the split; accelerators by silicon generation, since a
relative of the same generation is not new."""

NOVELTY_OF: Mapping[str, str] = {
    "rows": "known",
    "family": "new-model",
    "accelerator": "new-accelerator",
    "source": "new-source",
}
"""Novelty that each split imitates."""

PARTS = 3
"""Parts of the split by rows."""

ROUNDS = 9
"""Gauss-Newton steps of a fit of a fold: the last five of a full fit move little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One group left out.

    Attributes:
        split: Name of the split.
        name: What was left out.
        verdicts: Judgement of the rows left out.
    """

    split: str
    name: str
    verdicts: tuple[Verdict, ...]


def calibrated(
    observations: Sequence[Observation], start: Efficiencies, source: Source, *, rounds: int = 14
) -> Efficiencies:
    """Return `start` with everything that `observations` can inform fitted to them."""
    groups = compile_groups(thinned(uncapped(observations)), start)
    parameters = design(groups, start)
    theta = fit(parameters, tasks(groups, parameters), rounds=rounds)
    return fitted(parameters, theta, start, source)


MOST_ROWS = 150
"""Rows of one cell and layout that a fit reads: more of the same sweep teach nothing new."""


def uncapped(observations: Sequence[Observation]) -> list[Observation]:
    """Return the rows that no power cap holds back: clock laws are assumed, never fitted."""
    free = list[Observation]()
    for observation in observations:
        subject = observation.subject
        limit = subject.deployment.accelerator.tdp
        if subject.power_cap is None or subject.power_cap >= ALMOST * limit:
            free.append(replace(observation, subject=replace(subject, power_cap=None)))
    return free


ALMOST = 0.95
"""Share of the shipped limit from which a cap counts as none."""


def thinned(observations: Sequence[Observation]) -> list[Observation]:
    """Return at most `MOST_ROWS` rows of each cell and layout, evenly spread over its rows."""
    cells: dict[tuple[str, ...], list[int]] = {}
    for place, observation in enumerate(observations):
        cells.setdefault((observation.row.layout, *observation.row.cell), []).append(place)
    kept = [
        places[int(i)]
        for places in cells.values()
        for i in np.linspace(0, len(places) - 1, min(len(places), MOST_ROWS))
    ]
    return [observations[place] for place in sorted(kept)]


def cross_validate(
    observations: Sequence[Observation],
    start: Efficiencies,
    source: Source,
    split: str,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Fold]:
    """Return one fold per group of `split`: "rows", or a name in `LEFT_OUT`.

    Every fold starts from `start`, which must not have been fitted to the rows.
    """
    names = _names(observations, split)
    folds = list[Fold]()
    for name in sorted(set(names)):
        progress(f"{split}: without {name}")
        kept = [o for o, other in zip(observations, names, strict=True) if other != name]
        left = [o for o, other in zip(observations, names, strict=True) if other == name]
        values = calibrated(kept, start, source, rounds=ROUNDS)
        found = verdicts_of(left, values, {}, lambda _: NOVELTY_OF[split])
        folds.append(Fold(split=split, name=name, verdicts=tuple(found)))
    return folds


def _names(observations: Sequence[Observation], split: str) -> list[str]:
    if split != "rows":
        return [LEFT_OUT[split](observation) for observation in observations]
    series: dict[tuple[str, ...], int] = {}
    for observation in observations:
        series.setdefault(_series(observation), len(series))
    order = np.random.default_rng(0).permutation(len(series))
    return [str(order[series[_series(o)]] % PARTS) for o in observations]


def _series(observation: Observation) -> tuple[str, ...]:
    """Return what the rows of one sweep of load share: they go to one part together."""
    subject = observation.subject
    return (observation.row.source, str(subject.deployment.model.key), str(subject.deployment))


def residuals(folds: Sequence[Fold], source: Source) -> list[Residual]:
    """Return the spread of measured over predicted by quantity, load and novelty.

    Tenth and ninetieth percentile of held-out rows; rows of a cell of n weigh n^-0.5, so that large
    sources do not set the width alone.
    """
    kinds: dict[str, list[Verdict]] = {}
    stretch = {
        NOVELTY_OF[split]: stretched([fold for fold in folds if fold.split == split])
        for split in {fold.split for fold in folds}
    }
    for fold in folds:
        novelty = NOVELTY_OF[fold.split]
        for verdict in fold.verdicts:
            if np.isfinite(verdict.error):
                what = quantity(verdict.metric)
                for name in (f"{what}.{verdict.load}", f"{what}.any", "any.any"):
                    kinds.setdefault(f"{name}.{novelty}", []).append(verdict)
    known = {
        key: _residual(key, found, source, stretch[key.rsplit(".", maxsplit=1)[-1]])
        for key, found in sorted(kinds.items())
        if len(found) >= LEAST
    }
    return [*known.values(), *_both_new(known)]


def _both_new(known: Mapping[str, Residual]) -> list[Residual]:
    """Return the spreads of a new model on a new accelerator: the wider of either alone."""
    found = list[Residual]()
    for key, model in known.items():
        if key.endswith(".new-model"):
            chip = known.get(key.replace(".new-model", ".new-accelerator"), model)
            wide = {"low": min(model.low, chip.low), "high": max(model.high, chip.high)}
            found.append(replace(model, key=key.replace(".new-model", ".new-both"), **wide))
    return found


LEAST = 20
"""Rows below which a kind has no spread of its own."""


def _residual(key: str, verdicts: Sequence[Verdict], source: Source, stretch: float) -> Residual:
    low, high = _interval(verdicts, stretch)
    return Residual(key=key, low=float(np.exp(low)), high=float(np.exp(high)),
                    rows=len(verdicts), sources={"": source})  # fmt: skip


def _interval(verdicts: Sequence[Verdict], stretch: float) -> tuple[float, float]:
    """Return ends of the logarithm of measured over predicted, `stretch` times as far apart."""
    cells: dict[tuple[str, str, str], int] = {}
    for verdict in verdicts:
        cells[verdict.row.cell] = cells.get(verdict.row.cell, 0) + 1
    errors = -np.array([verdict.error for verdict in verdicts])
    weights = np.array([cells[verdict.row.cell] ** -0.5 for verdict in verdicts])
    low, high = quantiles(errors, weights, (0.1, 0.9))
    middle, half = (low + high) / 2, (high - low) / 2 * stretch
    return float(middle - half), float(middle + half)


def stretched(folds: Sequence[Fold]) -> float:
    """Return by how much intervals must widen to cover `COVERAGE` of a fold they have not seen.

    Every fold is judged by the intervals of the others; one group left out differs from another by
    more than rows of one group do, so plain quantiles are too narrow.
    """
    needed = list[float]()
    for fold in folds:
        others = [v for f in folds if f is not fold for v in f.verdicts if np.isfinite(v.error)]
        kinds = {(quantity(v.metric), v.load) for v in fold.verdicts}
        for what, load in kinds:
            same = [v for v in others if quantity(v.metric) == what]
            near = [v for v in same if v.load == load]
            basis = near if len(near) >= LEAST else same
            if len(basis) >= LEAST:
                needed += _needed(fold, what, load, _interval(basis, 1.0))
    return float(np.clip(np.quantile(needed, COVERAGE), 1.0, WIDEST)) if needed else 1.0


def _needed(fold: Fold, what: str, load: str, interval: tuple[float, float]) -> list[float]:
    middle, half = sum(interval) / 2, max((interval[1] - interval[0]) / 2, 1e-6)
    return [
        abs(-verdict.error - middle) / half
        for verdict in fold.verdicts
        if quantity(verdict.metric) == what and verdict.load == load and np.isfinite(verdict.error)
    ]


COVERAGE = 0.8
"""Share of rows that an interval is to cover."""

WIDEST = 3.0
"""Most that intervals are widened."""


def quantiles(values: Floats, weights: Floats, levels: Sequence[float]) -> Floats:
    """Return weighted quantiles: the value below which a share `level` of the weight lies."""
    order = np.argsort(values)
    share = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return np.interp(levels, share, values[order])


def residuals_of(
    observations: Sequence[Observation],
    start: Efficiencies,
    source: Source,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Residual]:
    """Return the spreads of all splits, by cross-validation."""
    folds = [
        fold
        for split in NOVELTY_OF
        for fold in cross_validate(observations, start, source, split, progress=progress)
    ]
    return residuals(folds, source)
