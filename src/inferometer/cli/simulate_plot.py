"""The pictures that `simulate` saves: the fleet over time, gaps between tokens, latency by rate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inferometer.cli.knee import Load
from inferometer.errors import ScenarioError
from inferometer.report.charts import GRID, INK, MUTED, SERIES
from inferometer.simulate.histogram import MIDDLES
from inferometer.simulate.simulation import Simulation

PLOTS = {".png", ".svg"}
COARSE = 5
"""Buckets drawn as one bar: five percent wide."""


def save_series(run: Simulation, path: Path) -> None:
    """Save replicas, requests and KV cache over time as PNG or SVG.

    Raises:
        ScenarioError: another suffix, or a path that cannot be written.
    """
    figure = _figure(path, 7)
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
        _styled(place, label)
    axes[1].legend(frameon=False, labelcolor=INK)
    axes[-1].set_xlabel(f"time since the first request ({name})", color=INK)
    _save(figure, path)


def save_gaps(run: Simulation, path: Path) -> None:
    """Save the histogram of gaps between tokens, with p50, p99 and p99.9.

    Raises:
        ScenarioError: another suffix, a path that cannot be written, or a run without gaps.
    """
    counts = run.gaps.sum(axis=0)
    if not counts.any():
        raise ScenarioError(f"--plot-itl {path}: no answer of this run has two tokens")
    figure = _figure(path, 4.5)
    axes = figure.subplots()
    wide = len(counts) // COARSE * COARSE
    bars = counts[:wide].reshape(-1, COARSE).sum(axis=1) / counts.sum()
    left = MIDDLES[:wide:COARSE] * 1e3
    axes.bar(left, bars, width=left * 0.05, align="edge", color=SERIES[0])
    upto = np.cumsum(counts) / counts.sum()
    for name, level in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
        value = MIDDLES[np.searchsorted(upto, level)] * 1e3
        axes.axvline(value, color=MUTED, linewidth=1, linestyle="--")
        axes.text(value, 1.0, f" {name} {value:.3g} ms", transform=axes.get_xaxis_transform(),
                  color=INK, va="bottom", rotation=35, fontsize=8)  # fmt: skip
    used = np.flatnonzero(bars)
    axes.set_xlim(left[used[0]] * 0.8, left[used[-1]] * 1.3)
    axes.set_xscale("log")
    axes.set_yscale("log")  # the tail is what is looked for
    _styled(axes, "share of gaps")
    axes.set_xlabel("gap between tokens (ms)", color=INK)
    _save(figure, path)


def save_knee(found: Sequence[Load], path: Path) -> None:
    """Save latency and goodput against the offered rate.

    Args:
        found: What happened at each rate, rising.
        path: PNG or SVG file.

    Raises:
        ScenarioError: another suffix, or a path that cannot be written.
    """
    figure = _figure(path, 8)
    axes = figure.subplots(3, 1, sharex=True)
    rates = [load.offered for load in found]
    for place, metric in zip(axes, ("ttft", "tpot"), strict=False):
        for color, level in zip(SERIES, ("p50", "p99"), strict=False):
            values = [getattr(getattr(load, metric), level) * 1e3 for load in found]
            place.plot(rates, values, marker="o", color=color, label=level)
        place.set_yscale("log")
        _styled(place, f"{metric.upper()} (ms)")
        place.legend(frameon=False, labelcolor=INK)
    axes[2].plot(rates, [load.goodput for load in found], marker="o", color=SERIES[0])
    axes[2].plot(rates, rates, color=MUTED, linewidth=1, linestyle="--", label="as offered")
    axes[2].legend(frameon=False, labelcolor=INK)
    _styled(axes[2], "goodput (requests/s)")
    axes[2].set_xlabel("offered rate (requests/s)", color=INK)
    _save(figure, path)


def _figure(path: Path, height: float) -> Figure:
    if path.suffix not in PLOTS:
        raise ScenarioError(f"{path}: plots are saved as .png or .svg")
    figure = Figure(figsize=(11, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _styled(axes: Any, label: str) -> None:
    axes.set_axisbelow(True)
    axes.set_ylabel(label, color=INK)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(color=MUTED, labelcolor=INK)


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error.strerror}") from error
