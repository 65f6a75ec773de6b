"""Charts of the theory: the frontier of speed and price, and the measured exponents."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from inferometer.perf.theory.exponents import Sweep
from inferometer.perf.theory.search import Points
from inferometer.report.charts import MUTED, SERIES, plain_log, quieten, save


def draw_frontier(points: Points, best: Points, title: str, file: Path) -> None:
    """Write price against speed, both logarithmic, with the preferred point marked."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(points.speed, 1e6 * points.price, color=SERIES[0], linewidth=2)
    axes.scatter([best.speed], [1e6 * best.price], color=SERIES[1], s=60, zorder=3)
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
        arrowprops={"arrowstyle": "-", "color": SERIES[1]},
    )
    axes.set(xscale="log", yscale="log", title=title)
    axes.set(xlabel="speed (tok/s per user)", ylabel="price (USD per million output tokens)")
    _finish(figure, file)


def draw_exponents(panels: Mapping[str, Sequence[Sweep]], file: Path) -> None:
    """Write one panel per quantity: least latency over the sweep, slopes in the legend."""
    figure = Figure(figsize=(6 * len(panels), 5), layout="constrained")
    for number, (quantity, sweeps) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number)
        for colour, sweep in zip(SERIES, sweeps, strict=False):
            label = f"{sweep.function}: exponent {sweep.slope:+.2f}"
            axes.plot(sweep.factors, 1e3 * sweep.latency, "o-", color=colour, label=label)
        first = sweeps[-1]
        if first.claim is not None:
            middle = len(first.factors) // 2
            claimed = (first.factors / first.factors[middle]) ** first.claim
            line = 1e3 * first.latency[middle] * claimed
            label = f"paper: exponent {first.claim:+.2f}"
            axes.plot(first.factors, line, "--", color=MUTED, label=label)
        axes.set(xscale="log", yscale="log", title=first.subject)
        axes.set(xlabel=quantity, ylabel="least latency (ms per token)")
        axes.legend(frameon=False)
    _finish(figure, file)


def _finish(figure: Figure, file: Path) -> None:
    for axes in figure.axes:
        quieten(axes)
        for axis in (axes.xaxis, axes.yaxis):
            plain_log(axis)
    save(figure, file)
