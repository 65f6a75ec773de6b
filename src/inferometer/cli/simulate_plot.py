"""The picture that `simulate --plot` saves."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inferometer.errors import ScenarioError
from inferometer.report.charts import GRID, INK, MUTED, SERIES
from inferometer.simulate.simulation import Simulation


def save_series(run: Simulation, path: Path) -> None:
    """Save replicas, requests and KV cache over time as PNG or SVG.

    Raises:
        ScenarioError: another suffix, or a path that cannot be written.
    """
    if path.suffix not in {".png", ".svg"}:
        raise ScenarioError(f"{path}: plots are saved as .png or .svg")
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    series = run.series
    times = np.arange(len(series.running)) * series.interval
    unit, name = (3600.0, "h") if run.end >= 3 * 3600 else (60.0, "min")
    panels = (
        ("replicas that serve", {"": series.replicas}),
        ("requests", {"decoding": series.running, "waiting": series.waiting}),
        ("KV blocks in use", {"": series.kv_fraction}),
    )
    axes = figure.subplots(len(panels), 1, sharex=True)
    for place, (label, lines) in zip(axes, panels, strict=True):
        for color, (kind, values) in zip(SERIES, lines.items(), strict=False):
            place.step(times / unit, values, where="post", color=color, label=kind)
        place.set_ylim(0, None)
        place.set_ylabel(label, color=INK)
        place.grid(visible=True, color=GRID, linewidth=0.8)
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(color=MUTED, labelcolor=INK)
    axes[1].legend(frameon=False, labelcolor=INK)
    axes[-1].set_xlabel(f"time since the first request ({name})", color=INK)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error.strerror}") from error
