"""Errors of verdicts: inside each cell of source, family and accelerator first, then over cells."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from inferometer.calibrate.verdict import Verdict

Key = tuple[str, ...]

DIMENSIONS: Mapping[str, Callable[[Verdict], str]] = {
    "source": lambda verdict: verdict.row.source,
    "family": lambda verdict: verdict.row.family,
    "gpu": lambda verdict: verdict.row.gpu,
    "engine": lambda verdict: (
        verdict.row.cells.get("engine_norm") or verdict.row.cells.get("engine", "")
    ),
    "load": lambda verdict: verdict.load,
}
"""What verdicts can be grouped by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Error of one metric over a group of verdicts.

    Attributes:
        metric: Column of the metric.
        group: Values of the dimensions; empty for all.
        rows: Measured rows.
        cells: Cells of (source, family, accelerator).
        coverage: Share of rows that have a prediction.
        median: Median of |ln(predicted / measured)|, mean over cells.
        p90: Its 90th percentile, mean over cells.
        bias: Median of ln(predicted / measured), mean over cells.
        inside: Share of predicted rows whose measurement lies in the 80 % interval.
    """

    metric: str
    group: Key
    rows: int
    cells: int
    coverage: float
    median: float
    p90: float
    bias: float
    inside: float


def scores(verdicts: Iterable[Verdict], by: tuple[str, ...] = ()) -> list[Score]:
    """Return the score of every metric and group, metrics and groups in order of name.

    Args:
        verdicts: What to score.
        by: Names in `DIMENSIONS`.
    """
    groups: dict[tuple[str, Key], list[Verdict]] = {}
    for verdict in verdicts:
        key = tuple(DIMENSIONS[name](verdict) for name in by)
        groups.setdefault((verdict.metric, key), []).append(verdict)
    return [_score(metric, key, found) for (metric, key), found in sorted(groups.items())]


def _score(metric: str, key: Key, verdicts: list[Verdict]) -> Score:
    cells: dict[Key, list[float]] = {}
    for verdict in verdicts:
        if np.isfinite(verdict.error):
            cells.setdefault(verdict.row.cell, []).append(verdict.error)
    errors = [np.array(cell) for cell in cells.values()]
    predicted = [verdict for verdict in verdicts if np.isfinite(verdict.predicted)]
    return Score(
        metric=metric,
        group=key,
        rows=len(verdicts),
        cells=len(cells),
        coverage=len(predicted) / len(verdicts),
        median=_mean([np.median(np.abs(cell)) for cell in errors]),
        p90=_mean([np.quantile(np.abs(cell), 0.9) for cell in errors]),
        bias=_mean([np.median(cell) for cell in errors]),
        inside=_mean([float(v.lower <= v.measured <= v.upper) for v in predicted]),
    )


def _mean(values: list[np.floating] | list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
