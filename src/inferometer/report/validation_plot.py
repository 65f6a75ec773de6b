"""Predicted against measured, and the residuals, one panel per quantity."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from inferometer.calibrate.verdict import Verdict, quantity
from inferometer.errors import ScenarioError
from inferometer.report.charts import INK, SERIES, plain_log, quieten, save

CROWD = 1000
"""Rows beyond which points are drawn small."""

UNITS = {"rate": "tokens or requests per s", "power": "W", "energy": "J per token or request"}
"""Unit of each quantity; the others are times, in ms."""


def draw(verdicts: Sequence[Verdict], path: Path) -> None:
    """Write a figure of all predicted verdicts; the ending of `path` gives the format.

    Raises:
        ScenarioError: nothing was predicted, or the file cannot be written.
    """
    kinds: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if np.isfinite(verdict.error):
            kinds.setdefault(quantity(verdict.metric), []).append(verdict)
    if not kinds:
        raise ScenarioError("--plot: no row was predicted")
    figure = Figure(figsize=(4.2 * len(kinds), 6), layout="constrained")
    axes = figure.subplots(2, len(kinds), squeeze=False, sharex="col")
    for column, (name, found) in enumerate(sorted(kinds.items())):
        measured = np.array([v.measured for v in found])
        predicted = np.array([v.predicted for v in found])
        top, bottom = axes[0, column], axes[1, column]
        dots = {"color": SERIES[0], "markersize": 2 if len(found) > CROWD else 5, "alpha": 0.5}
        top.loglog(measured, predicted, ".", **dots)
        ends = [measured.min(), measured.max()]
        top.loglog(ends, ends, color=INK, linewidth=0.8)
        unit = UNITS.get(name, "ms")
        top.set(title=name, ylabel=f"predicted ({unit})")
        errors = np.log(predicted / measured)
        bottom.semilogx(measured, errors, ".", **dots)
        bottom.axhline(0, color=INK, linewidth=0.8)
        bottom.set(xlabel=f"measured ({unit})", ylabel="ln(predicted / measured)")
        for each in (top, bottom):
            quieten(each)
        plain_log(bottom.xaxis)
        plain_log(top.yaxis)
    save(figure, path)
