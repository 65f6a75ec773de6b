"""Cross-validation: fit without a group of rows, then judge the model on that group."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inferometer.calibrate.bench import compile_groups
from inferometer.calibrate.credible import credible
from inferometer.calibrate.design import design
from inferometer.calibrate.fit import fit, tasks
from inferometer.calibrate.measurement import Observation
from inferometer.calibrate.overlay import fitted
from inferometer.calibrate.verdict import Verdict, verdicts_of
from inferometer.catalog.clock_law import clock_laws
from inferometer.catalog.efficiency import Efficiencies
from inferometer.catalog.source import Source


def family_of(observation: Observation) -> str:
    """Return the model family of a row; what names a single model counts by its first word."""
    name = observation.row.family
    if "/" not in name and "(" not in name and " " not in name:
        return name
    word = re.match(r"[a-z]+", name.split("/")[-1].lower())
    return word[0] if word else name


def laboratory_of(observation: Observation) -> str:
    """Return who measured a row: one owner's power sweeps are one source."""
    source = observation.row.source
    return source.split("/", maxsplit=1)[0] if observation.row.layout == "dvfs" else source


LEFT_OUT: Mapping[str, Callable[[Observation], str]] = {
    "family": family_of,
    "accelerator": lambda o: o.subject.deployment.accelerator.architecture,
    "source": laboratory_of,
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
    groups = compile_groups(thinned(credible(lawful(observations))), start)
    parameters = design(groups, start)
    theta = fit(parameters, tasks(groups, parameters), rounds=rounds)
    return fitted(parameters, theta, start, source)


MOST_ROWS = 40
"""Rows of one cell and layout that a fit reads: more of the same sweep teach nothing new."""


def lawful(observations: Sequence[Observation]) -> list[Observation]:
    """Return the rows that no power cap holds back, or only on silicon whose law is known.

    Elsewhere it is assumed altogether, and a fit would put its error into the rates.
    """
    known = clock_laws()
    kept = list[Observation]()
    for observation in observations:
        subject = observation.subject
        chip = subject.deployment.accelerator
        if subject.power_cap is None or subject.power_cap >= ALMOST * chip.tdp:
            kept.append(replace(observation, subject=replace(subject, power_cap=None)))
        elif chip.architecture in known:
            kept.append(observation)
    return kept


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
