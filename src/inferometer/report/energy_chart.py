"""The chart of energy: the day's draw and the grid's intensity, and what slower clocks save."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inferometer.account.carbon import HourOfDay
from inferometer.plan.clock_choice import ClockPoint
from inferometer.report.charts import INK, MUTED, SERIES, canvas, quieten

KILOWATT_HOUR = 3.6e6
"""Joules."""


def energy_chart(
    hours: Sequence[HourOfDay], points: Sequence[ClockPoint], best: ClockPoint | None
) -> Figure:
    """Draw a typical day above, where its hours are known, and the clocks below."""
    figure, axes = canvas(height=6.4 if hours else 3.6)
    if not hours:
        _clocks(axes, points, best)
        return figure
    rows = figure.add_gridspec(2, 1)
    axes.set_subplotspec(rows[0])
    below = figure.add_subplot(rows[1])
    quieten(below)
    _day(axes, hours)
    _clocks(below, points, best)
    return figure


def _day(axes: Axes, hours: Sequence[HourOfDay]) -> None:
    edges = np.arange(len(hours) + 1)
    power = [one.power / 1e3 for one in hours]
    axes.stairs(power, edges, fill=True, color=SERIES[0], alpha=0.45, label="draw, kW")
    axes.set(xlim=(0, 24), ylim=(0, 1.15 * max(power)), xlabel="hour of the day")
    axes.set_ylabel("kW at the meter")
    axes.set_xticks(range(0, 25, 3))
    beside = axes.twinx()
    beside.stairs(
        [one.intensity * KILOWATT_HOUR for one in hours], edges, baseline=None, color=SERIES[1],
        linewidth=2, label="grid, g/kWh",
    )  # fmt: skip
    beside.set_ylim(bottom=0)
    beside.set_ylabel("gCO2e per kWh", color=INK)
    beside.spines[["top", "left"]].set_visible(False)
    handles = [*axes.get_legend_handles_labels()[0], *beside.get_legend_handles_labels()[0]]
    axes.legend(handles=handles, frameon=False, labelcolor=INK, loc="lower right", ncols=2)


def _clocks(axes: Axes, points: Sequence[ClockPoint], best: ClockPoint | None) -> None:
    served = [point for point in points if np.isfinite(point.option.outcome.ttft.p99)]
    clocks, first = [point.clock for point in served], points[0]
    lines = (
        ("energy at the meter", [point.energy / first.energy for point in served]),
        ("TTFT p99", [_over(point.option.outcome.ttft.p99, first.option.outcome.ttft.p99)
                      for point in served]),
        ("TPOT p99", [_over(point.option.outcome.tpot.p99, first.option.outcome.tpot.p99)
                      for point in served]),
    )  # fmt: skip
    for place, (name, values) in enumerate(lines):
        axes.plot(clocks, values, color=SERIES[place], marker="os^"[place], label=name)
    missed = [point.clock for point in served if not point.kept]
    if missed:
        axes.axvspan(min(clocks), max(missed) + 0.025, color=MUTED, alpha=0.15, label="SLO missed")
    if best is not None:
        axes.axvline(best.clock, color=INK, linestyle="--", linewidth=1.1, label="least energy")
    axes.set(xlabel="core clock over the highest", ylabel="over that at full clock")
    axes.invert_xaxis()
    axes.legend(frameon=False, labelcolor=INK, loc="upper left", ncols=2)


def _over(value: float, full: float) -> float:
    return value / full if full else np.nan
