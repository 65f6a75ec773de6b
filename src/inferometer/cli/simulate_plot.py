"""The pictures that `simulate` saves: the fleet over time, gaps between tokens, latency by rate."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from inferometer.cli.knee import Load
from inferometer.errors import ScenarioError
from inferometer.report.charts import INK, MUTED, SERIES, canvas, panels, plain_log, save
from inferometer.simulate.histogram import MIDDLES
from inferometer.simulate.simulation import Simulation

COARSE = 5
"""Buckets drawn as one bar: five percent wide."""


def save_series(run: Simulation, path: Path) -> None:
    """Save replicas, requests and KV cache over time as PNG or SVG.

    Raises:
        ScenarioError: another suffix, or a path that cannot be written.
    """
    series = run.series
    times = np.arange(len(series.running)) * series.interval
    unit, name = (3600.0, "h") if run.end >= 3 * 3600 else (60.0, "min")
    shown = (
        ("replicas that serve", {"": series.replicas}),
        ("requests", {"decoding": series.running, "waiting": series.waiting}),
        ("KV blocks in use (%)", {"": 100 * np.asarray(series.kv_fraction)}),
    )
    figure, axes = panels(len(shown), height=7)
    for place, (label, lines) in zip(axes, shown, strict=True):
        for color, (kind, values) in zip(SERIES, lines.items(), strict=False):
            place.step(times / unit, values, where="post", color=color, label=kind)
        place.set_ylim(0, None)
        place.set_ylabel(label)
    for place in axes[:2]:
        place.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes[1].legend(frameon=False, labelcolor=INK)
    axes[-1].set_xlabel(f"time since the first request ({name})")
    save(figure, path)


def save_gaps(run: Simulation, path: Path) -> None:
    """Save the histogram of gaps between tokens, with p50, p99 and p99.9.

    Raises:
        ScenarioError: another suffix, a path that cannot be written, or a run without gaps.
    """
    counts = run.gaps.sum(axis=0)
    if not counts.any():
        raise ScenarioError(f"--plot-itl {path}: no answer of this run has two tokens")
    figure, axes = canvas(height=4.5)
    wide = len(counts) // COARSE * COARSE
    bars = counts[:wide].reshape(-1, COARSE).sum(axis=1) * (100 / counts.sum())
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
    for axis in (axes.xaxis, axes.yaxis):
        plain_log(axis)
    axes.set(xlabel="gap between tokens (ms)", ylabel="share of gaps (%)")
    save(figure, path)


def save_knee(found: Sequence[Load], path: Path) -> None:
    """Save latency and goodput against the offered rate.

    Args:
        found: What happened at each rate, rising.
        path: PNG or SVG file.

    Raises:
        ScenarioError: another suffix, or a path that cannot be written.
    """
    figure, axes = panels(3, height=8)
    rates = [load.offered for load in found]
    for place, metric in zip(axes, ("ttft", "tpot"), strict=False):
        for color, level in zip(SERIES, ("p50", "p99"), strict=False):
            values = [getattr(getattr(load, metric), level) * 1e3 for load in found]
            place.plot(rates, values, marker="o", color=color, label=level)
        place.set_yscale("log")
        plain_log(place.yaxis)
        place.set_ylabel(f"{metric.upper()} (ms)")
        place.legend(frameon=False, labelcolor=INK)
    axes[2].plot(rates, [load.goodput for load in found], marker="o", color=SERIES[0])
    axes[2].plot(rates, rates, color=MUTED, linewidth=1, linestyle="--", label="as offered")
    axes[2].legend(frameon=False, labelcolor=INK)
    axes[2].set(xlabel="offered rate (requests/s)", ylabel="goodput (requests/s)")
    save(figure, path)
