"""Charts of a workload: when requests arrive, and how long they are."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inferometer.report.charts import INK, MUTED, SERIES, canvas, plain_log

Floats = NDArray[np.float64]


def arrivals(series: Floats, bin_width: float, mean: float, peak: float) -> Figure:
    """Draw the arrival rate over time [bin] 1/s, with its mean and its busiest minute."""
    figure, axes = canvas(height=3.4)
    unit, name = (3600.0, "h") if len(series) * bin_width >= 3 * 3600 else (60.0, "min")
    edges = np.arange(len(series) + 1) * bin_width / unit
    axes.stairs(series, edges, fill=True, color=SERIES[0], alpha=0.55, linewidth=0)
    for level, text in ((mean, "mean"), (peak, "busiest minute")):
        axes.axhline(level, color=INK if text == "mean" else MUTED, linestyle="--", linewidth=1.1)
        axes.annotate(
            f"{text} {level:.3g}/s", (1.005, level), xycoords=("axes fraction", "data"),
            va="top" if text == "mean" else "bottom", annotation_clip=False, color=INK,
            fontsize=9.5,
        )  # fmt: skip
    axes.set(xlim=(0, edges[-1]), ylim=(0, 1.12 * max(peak, float(series.max()))))
    axes.set(xlabel=f"time since the first request ({name})", ylabel="requests per second")
    return figure


def lengths(inputs: Floats, outputs: Floats) -> Figure:
    """Draw the shares of requests whose prompt and output are not longer than a length."""
    figure, axes = canvas(height=3.4)
    for place, (name, values) in enumerate((("prompt", inputs), ("output", outputs))):
        axes.ecdf(
            values, color=SERIES[place], linewidth=2, label=f"{name}, mean {values.mean():,.0f}"
        )
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="tokens", ylabel="share of requests not longer")
    plain_log(axes.xaxis)
    axes.legend(frameon=False, labelcolor=INK, loc="upper left")
    return figure
