"""Charts of the theory: the frontier of speed and price, and the measured exponents."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from inferometer.errors import ScenarioError
from inferometer.perf.theory.exponents import Sweep
from inferometer.perf.theory.search import Points

COLOURS = ("#1b5e9b", "#c4572b", "#3d8b5f", "#7a4fa3")


def draw_frontier(points: Points, best: Points, title: str, file: Path) -> None:
    """Write price against speed, both logarithmic, with the preferred point marked."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(points.speed, 1e6 * points.price, color=COLOURS[0], linewidth=2)
    axes.scatter([best.speed], [1e6 * best.price], color=COLOURS[1], s=60, zorder=3)
    label = (
        f"preferred: {float(best.speed):.1f} tok/s, {1e6 * float(best.price):.3g} USD/Mtok\n"
        f"{float(best.chips):.1f} accelerators, batch {float(best.batch):.0f}"
    )
    axes.annotate(
        label,
        (float(best.speed), 1e6 * float(best.price)),
        xytext=(-14, 22),
        textcoords="offset points",
        ha="right",
        arrowprops={"arrowstyle": "-", "color": COLOURS[1]},
    )
    axes.set(xscale="log", yscale="log", title=title)
    axes.set(xlabel="speed (tok/s per user)", ylabel="price (USD per million output tokens)")
    _finish(figure, file)


def draw_exponents(panels: Mapping[str, Sequence[Sweep]], file: Path) -> None:
    """Write one panel per quantity: least latency over the sweep, slopes in the legend."""
    figure = Figure(figsize=(6 * len(panels), 5), layout="constrained")
    for number, (quantity, sweeps) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number)
        for colour, sweep in zip(COLOURS, sweeps, strict=False):
            label = f"{sweep.function}: exponent {sweep.slope:+.2f}"
            axes.plot(sweep.factors, 1e3 * sweep.latency, "o-", color=colour, label=label)
        first = sweeps[-1]
        if first.claim is not None:
            middle = len(first.factors) // 2
            claimed = (first.factors / first.factors[middle]) ** first.claim
            line = 1e3 * first.latency[middle] * claimed
            label = f"paper: exponent {first.claim:+.2f}"
            axes.plot(first.factors, line, "--", color="#777777", label=label)
        axes.set(xscale="log", yscale="log", title=first.subject)
        axes.set(xlabel=quantity, ylabel="least latency (ms per token)")
        axes.legend(frameon=False)
    _finish(figure, file)


def _finish(figure: Figure, file: Path) -> None:
    if file.suffix.lower() not in {".png", ".svg"}:
        raise ScenarioError(f"--plot {file}: only .png and .svg are written; change the ending")
    for axes in figure.axes:
        axes.grid(visible=True, which="both", alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
        _plain_ticks(axes)
    FigureCanvasAgg(figure)
    try:
        figure.savefig(file, dpi=150)
    except OSError as error:
        raise ScenarioError(f"--plot {file}: cannot be written: {error}") from error


def _plain_ticks(axes: Axes) -> None:
    """Label 1, 2 and 5 of each decade with plain numbers where the axis spans few of them."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        if high < 1e6:
            wide = math.log10(high / low) > 2.5
            axis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())
