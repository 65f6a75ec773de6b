"""The picture that `trace describe --plot` saves."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from inferometer.report.charts import INK, SERIES, plain_log, quieten, save
from inferometer.workload.shape import Shape
from inferometer.workload.trace import Ints


def save_plot(path: Path, shape: Shape | None, inputs: Ints, outputs: Ints, name: str) -> None:
    """Save arrival rate over time, where known, and length distributions as PNG or SVG.

    Raises:
        ScenarioError: another ending, or a path that cannot be written.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(name, color=INK)
    axes = figure.subplots(1, 2 if shape else 1, squeeze=False)[0]
    for each in axes:
        quieten(each)
    if shape is not None:
        times = np.arange(len(shape.series) + 1) * shape.bin_width / 60
        axes[0].stairs(shape.series, times, fill=True, color=SERIES[0], alpha=0.6)
        axes[0].axhline(shape.rate, color=INK, linestyle="--", label="mean")
        axes[0].set(xlabel="time (min)", ylabel="arrivals (1/s)", ylim=(0, None))
        axes[0].legend(loc="lower right", frameon=False, labelcolor=INK)
    for colour, label, values in zip(SERIES, ("input", "output"), (inputs, outputs), strict=False):
        axes[-1].ecdf(values, label=label, color=colour)
    axes[-1].set(xlabel="length (tokens)", ylabel="share of requests not longer", xscale="log")
    plain_log(axes[-1].xaxis)
    axes[-1].legend(frameon=False, labelcolor=INK)
    save(figure, path)
