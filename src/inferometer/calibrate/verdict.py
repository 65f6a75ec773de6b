"""Predictions beside measurements: one verdict per measured metric of every row."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.calibrate.bench import Group, compile_groups
from inferometer.calibrate.forecast import forecast
from inferometer.calibrate.measurement import Observation, Refusal, Row
from inferometer.calibrate.metric import metric
from inferometer.calibrate.observation import observe
from inferometer.calibrate.resolution import FindModel
from inferometer.catalog.efficiency import Efficiencies
from inferometer.catalog.uncertainty import Basis, Residual, novelty_of, spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One metric of one row, predicted and measured, in the unit of its column.

    Attributes:
        row: The row.
        metric: Name of the column.
        measured: What was measured.
        predicted: What the model says; NaN where it refuses.
        lower: Lower end of the 80 % interval.
        upper: Upper end.
        load: Kind of load, for the interval.
        reason: Why it refuses, "" where it does not.
    """

    row: Row
    metric: str
    measured: float
    predicted: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    load: str = ""
    reason: str = ""

    @property
    def error(self) -> float:
        """ln(predicted / measured); NaN where either is missing or not positive."""
        if self.measured > 0 and self.predicted > 0:
            return math.log(self.predicted / self.measured)
        return math.nan


Novelty = Callable[[Observation], str]


def judge(
    rows: Sequence[Row],
    find: FindModel,
    efficiencies: Efficiencies,
    residuals: Mapping[str, Residual],
    novelty: Novelty,
) -> list[Verdict]:
    """Return a verdict for every measured metric of every row, in the order of `rows`."""
    observations, refusals = observe(rows, find)
    verdicts = [verdict for refusal in refusals for verdict in _refused(refusal)]
    verdicts += verdicts_of(observations, efficiencies, residuals, novelty)
    verdicts += [verdict for row in rows for verdict in _unusable(row)]
    found: dict[int, list[Verdict]] = {}
    for one in verdicts:
        found.setdefault(id(one.row), []).append(one)
    return [verdict for row in rows for verdict in found.get(id(row), [])]


def verdicts_of(
    observations: Sequence[Observation],
    efficiencies: Efficiencies,
    residuals: Mapping[str, Residual],
    novelty: Novelty,
) -> list[Verdict]:
    """Return the verdicts of all metrics of `observations`, by group of load."""
    if not observations:
        return []
    groups = compile_groups(observations, efficiencies)
    return [v for group in groups for row in _of_group(group, residuals, novelty) for v in row]


def novelty(basis: Basis, own: Basis | None = None) -> Novelty:
    """Return how new an observation is to a fit that rests on `basis`, and on `own` rows."""
    laboratories = {*basis.laboratories, *(own.laboratories if own else ())}

    def of(observation: Observation) -> str:
        deployment = observation.subject.deployment
        family = observation.row.family
        if family not in basis.families:  # a name of the source's own says less than the record
            family = deployment.model.family
        measured = own if own and observation.row.source in own.laboratories else None
        found = novelty_of(basis, family, deployment.accelerator.key, measured)
        foreign = observation.row.source not in laboratories
        return "new-source" if foreign and found == "known" else found

    return of


def quantity(metric: str) -> str:
    """Return what a column measures, without unit: "tpot" of "tpot_ms_p50", "itl_p99" of the tail.

    Mean and median count as one quantity, tails as others: they are modelled less well.
    """
    if metric.startswith(("tokens_per_s", "total_tokens", "req_per_s")):
        return "rate"
    if "power" in metric:
        return "power"
    if metric.startswith("energy"):
        return "energy"
    name, _, statistic = metric.partition("_ms_")
    return f"{name}_{statistic}" if statistic in TAILS else metric.split("_", maxsplit=1)[0]


TAILS = frozenset({"p90", "p95", "p99"})
"""Statistics of a latency that are tails."""


def _refused(refusal: Refusal) -> list[Verdict]:
    return [
        Verdict(row=refusal.row, metric=name, measured=value, reason=refusal.reason)
        for name, value in refusal.row.metrics.items()
    ]


def _unusable(row: Row) -> list[Verdict]:
    return [
        Verdict(row=row, metric=name, measured=value, reason=reason)
        for name, (value, reason) in row.unusable.items()
    ]


def _of_group(
    group: Group, residuals: Mapping[str, Residual], novelty: Novelty
) -> list[list[Verdict]]:
    columns = forecast(group)
    names = {name for o in group.observations for name in o.row.metrics}
    unknown = np.full(len(group.observations), np.nan)
    found = {name: metric(name, columns, group.loads) for name in names}
    values = {name: unknown if value is None else value for name, value in found.items()}
    return [
        [
            _verdict(observation, name, float(values[name][place]),
                     group.kind, residuals, novelty(observation))
            for name in observation.row.metrics
        ]
        for place, observation in enumerate(group.observations)
    ]  # fmt: skip


def _verdict(
    observation: Observation, name: str, value: float, load: str,
    residuals: Mapping[str, Residual], novelty: str,
) -> Verdict:  # fmt: skip
    row, measured = observation.row, observation.row.metrics[name]
    if not np.isfinite(value):
        reason = f"{name} is not modelled for a load of kind {load}"
        return Verdict(row=row, metric=name, measured=measured, load=load, reason=reason)
    low, high = spread(residuals, quantity(name), load, novelty)
    return Verdict(
        row=row, metric=name, measured=measured, load=load,
        predicted=value, lower=value * low, upper=value * high,
    )  # fmt: skip
