"""Predicted against measured, and the residuals, one panel per quantity."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inferometer.calibrate.verdict import Verdict, quantity
from inferometer.errors import ScenarioError
from inferometer.report.charts import INK, SERIES, plain_log, quieten, save

ACROSS = 4
"""Quantities side by side; more begin a new band below."""

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
    bands = -(-len(kinds) // ACROSS)
    columns = min(ACROSS, len(kinds))
    figure = Figure(figsize=(4.2 * columns, 6 * bands), layout="constrained")
    axes = figure.subplots(2 * bands, columns, squeeze=False)
    for spare in axes.flat:
        spare.set_visible(False)
    for place, (name, found) in enumerate(sorted(kinds.items())):
        band, column = divmod(place, ACROSS)
        _panel(axes[2 * band, column], axes[2 * band + 1, column], name, found)
    save(figure, path)


def _panel(top: Axes, bottom: Axes, name: str, found: Sequence[Verdict]) -> None:
    scale = np.array([1e3 if v.metric.endswith("_s") and name == "e2e" else 1.0 for v in found])
    measured = np.array([v.measured for v in found]) * scale  # [row], seconds as ms
    predicted = np.array([v.predicted for v in found]) * scale
    dots = {"color": SERIES[0], "markersize": 2 if len(found) > CROWD else 5, "alpha": 0.5}
    top.loglog(measured, predicted, ".", **dots)
    ends = [measured.min(), measured.max()]
    top.loglog(ends, ends, color=INK, linewidth=0.8)
    unit = UNITS.get(name, "ms")
    top.set(title=f"{name}: {len(found):,} rows", ylabel=f"predicted ({unit})")
    bottom.semilogx(measured, np.log(predicted / measured), ".", **dots)
    bottom.axhline(0, color=INK, linewidth=0.8)
    bottom.set(xlabel=f"measured ({unit})", ylabel="ln(predicted / measured)")
    bottom.sharex(top)
    for each in (top, bottom):
        each.set_visible(True)
        quieten(each)
    plain_log(bottom.xaxis)
    plain_log(top.yaxis)
