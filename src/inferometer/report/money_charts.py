"""Charts of ways of paying: parts, loads at which they flip, months, doubt, hours of a week."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from inferometer.report.charts import INK, MUTED, SERIES, canvas, plain_log
from inferometer.report.numerals import dollars, share
from inferometer.workload.trace import Floats

LONGEST_NAME = 34


def short(name: str) -> str:
    """Return a name that has room beside an axis, without the publisher of a model."""
    name = " ".join(word.rsplit("/", 1)[-1] for word in name.split())
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}\u2026"


def stacked(ways: Sequence[tuple[str, Mapping[str, float]]], label: str) -> Figure:
    """Draw one bar per way, its parts beside each other; negative parts to the left."""
    figure, axes = canvas(height=0.55 * len(ways) + 2.0)
    names = list(dict.fromkeys(part for _, parts in ways for part in parts))
    rows = np.arange(len(ways))
    ahead, behind = np.zeros(len(ways)), np.zeros(len(ways))
    for place, name in enumerate(names):
        sizes = np.array([parts.get(name, 0.0) for _, parts in ways])
        colour = SERIES[place % len(SERIES)]
        hatch = "" if place < len(SERIES) else "//"
        axes.barh(
            rows, sizes, left=np.where(sizes >= 0, ahead, behind), color=colour, height=0.62,
            label=name.replace("_", " "), hatch=hatch, edgecolor="white", linewidth=0.4,
        )  # fmt: skip
        ahead, behind = ahead + np.maximum(sizes, 0), behind + np.minimum(sizes, 0)
    for row in rows:
        total = float(ahead[row] + behind[row])
        axes.annotate(
            dollars(total), (float(ahead[row]), row), xytext=(6, 0), textcoords="offset points",
            va="center", color=INK, fontsize=10,
        )  # fmt: skip
    axes.set_yticks(rows, labels=[short(name) for name, _ in ways])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    axes.set_xlabel(label)
    axes.xaxis.set_major_formatter(FuncFormatter(_money))
    figure.legend(loc="outside right upper", frameon=False, labelcolor=INK)
    return figure


class Line(NamedTuple):
    """One curve of a chart, with where it is crossed."""

    name: str
    values: Floats
    level: bool = False


def prices_by_load(loads: Floats, lines: Sequence[Line], now: float) -> Figure:
    """Draw the price of a million tokens against mean load; levels are dashed.

    Args:
        loads: Mean load over capacity [point].
        lines: Price at each load, USD per million tokens [point].
        now: Load at the workload as asked.
    """
    figure, axes = canvas()
    for place, line in enumerate(lines):
        axes.plot(
            100 * loads, line.values, label=short(line.name), color=SERIES[place % len(SERIES)],
            linestyle="--" if line.level else "-", linewidth=1.4 if line.level else 2,
        )  # fmt: skip
    axes.axvline(100 * now, color=MUTED, linestyle=":", linewidth=1.4)
    axes.annotate(
        f"now {share(now)}", (100 * now, 1), xycoords=("data", "axes fraction"), xytext=(4, -12),
        textcoords="offset points", color=INK, fontsize=9.5,
    )  # fmt: skip
    axes.set(yscale="log", xlim=(0, 100))
    axes.set(xlabel="mean load over capacity (%)", ylabel="USD per million tokens, idle time paid")
    plain_log(axes.yaxis)
    figure.legend(loc="outside right upper", frameon=False, labelcolor=INK)
    return figure


def paid_so_far(lines: Sequence[Line]) -> Figure:
    """Draw what has been paid by the end of every month, from the start [month + 1] USD."""
    figure, axes = canvas()
    for place, line in enumerate(lines):
        months = np.arange(len(line.values))
        axes.plot(
            months, line.values, label=short(line.name), color=SERIES[place % len(SERIES)],
            linewidth=2.6 if place == 0 else 1.6,
        )  # fmt: skip
    most = max(float(line.values[-1]) for line in lines)
    top = min(1.05 * most, 2.5 * float(lines[0].values[-1]))  # the dearest would flatten the rest
    axes.set(xlim=(0, max(len(line.values) for line in lines) - 1), ylim=(0, top))
    axes.set(xlabel="months", ylabel="USD paid so far")
    axes.yaxis.set_major_formatter(FuncFormatter(_money))
    figure.legend(loc="outside right upper", frameon=False, labelcolor=INK)
    return figure


class Range(NamedTuple):
    """Quantiles of one way: p5, p10, p50, p90, p95."""

    name: str
    quantiles: tuple[float, ...]


def spreads(ranges: Sequence[Range]) -> Figure:
    """Draw the range of every way's cost: nine in ten thin, eight in ten thick, the median."""
    figure, axes = canvas(height=0.5 * len(ranges) + 1.6)
    for row, item in enumerate(ranges):
        least, low, middle, high, most = item.quantiles
        axes.plot([least, most], [row, row], color=SERIES[0], linewidth=1.6)
        axes.plot([low, high], [row, row], color=SERIES[0], linewidth=7, solid_capstyle="butt")
        axes.plot([middle], [row], "o", color="white", markeredgecolor=INK, markersize=7)
        axes.annotate(
            dollars(middle), (middle, row), xytext=(0, 9), textcoords="offset points", ha="center",
            color=INK, fontsize=9.5,
        )  # fmt: skip
    axes.set_yticks(range(len(ranges)), labels=[short(item.name) for item in ranges])
    axes.set_ylim(len(ranges) - 0.4, -0.7)
    axes.grid(visible=False, axis="y")
    axes.set_xscale("log")
    plain_log(axes.xaxis)
    axes.set_xlabel("USD over the whole time (line: nine in ten draws, bar: eight, ring: median)")
    return figure


def information(values: Sequence[tuple[str, float]]) -> Figure:
    """Draw what knowing each quantity would be worth, the highest on top."""
    figure, axes = canvas(height=0.5 * len(values) + 1.6)
    rows = range(len(values))
    axes.barh(rows, [value for _, value in values], color=SERIES[2], height=0.6)
    for row, (_, value) in enumerate(values):
        axes.annotate(
            dollars(value), (value, row), xytext=(6, 0), textcoords="offset points", va="center",
            color=INK, fontsize=9.5,
        )  # fmt: skip
    axes.set_yticks(rows, labels=[name for name, _ in values])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.14)
    axes.set_xlim(left=0)
    axes.set_xlabel("USD that knowing it before choosing saves, on average")
    axes.xaxis.set_major_formatter(FuncFormatter(_money))
    return figure


def week(rates: Floats, work: Floats, replicas: Floats) -> Figure:
    """Draw replicas over the hours of a week: paid for, and kept busy.

    Args:
        rates: Mean rate of each hour [hour], for its length alone.
        work: Replicas kept busy [hour].
        replicas: Replicas provided, spares included [hour].
    """
    figure, axes = canvas(height=3.4)
    hours = np.arange(len(rates) + 1)
    axes.stairs(replicas, hours, fill=True, color=SERIES[1], alpha=0.35, label="provided")
    axes.stairs(work, hours, fill=True, color=SERIES[0], label="kept busy")
    axes.set(xlim=(0, len(rates)), ylim=(0, 1.15 * float(replicas.max())))
    axes.set_xticks(range(0, len(rates) + 1, 24))
    axes.set(xlabel="hour of the week", ylabel="replicas")
    axes.legend(frameon=False, labelcolor=INK, loc="upper left", ncols=2)
    return figure


def _money(value: float, _place: int = 0) -> str:
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"${value / size:g}{suffix}"
    return f"${value:g}"
