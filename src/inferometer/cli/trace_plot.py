"""The picture that `trace describe --plot` saves."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inferometer.errors import WorkloadError
from inferometer.workload.shape import Shape
from inferometer.workload.trace import Ints


def save_plot(path: Path, shape: Shape | None, inputs: Ints, outputs: Ints, name: str) -> None:
    """Save arrival rate over time, where known, and length distributions as PNG or SVG.

    Raises:
        WorkloadError: another suffix, or a path that cannot be written.
    """
    if path.suffix not in {".png", ".svg"}:
        raise WorkloadError(f"{path}: plots are saved as .png or .svg")
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(name.replace("$", r"\$"))
    axes = figure.subplots(1, 2 if shape else 1, squeeze=False)[0]
    if shape is not None:
        times = np.arange(len(shape.series) + 1) * shape.bin_width / 60
        axes[0].stairs(shape.series, times, fill=True, alpha=0.6)
        axes[0].axhline(shape.rate, color="black", linestyle="--", label="mean")
        axes[0].set(xlabel="time (min)", ylabel="arrivals (1/s)", ylim=(0, None))
        axes[0].legend(loc="lower right")
    for label, values in (("input", inputs), ("output", outputs)):
        axes[-1].ecdf(values, label=label)
    axes[-1].set(xlabel="length (tokens)", ylabel="share of requests not longer", xscale="log")
    axes[-1].grid(visible=True, alpha=0.3)
    axes[-1].legend()
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be written: {error.strerror}") from error
