"""The chart of a fleet: accelerators on over time by pool, and what a fixed fleet would hold."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from inferometer.plan.fleet.plan import FleetPlan
from inferometer.report.charts import INK, MUTED, SERIES, canvas
from inferometer.units import Fraction

HOURS = (1, 2.4, 3, 6, 10)
"""Steps of ticks, times powers of ten, that divide a day or a week of days."""


def fleet_chart(plan: FleetPlan, accelerators: Sequence[int]) -> Figure:
    """Draw the accelerators on in every slot, stacked by pool.

    Args:
        plan: The plan.
        accelerators: Accelerators of one replica of each pool of the best fleet.
    """
    figure, axes = canvas(height=4.4)
    best, slot = plan.best, plan.load.slot / 3600
    edges = np.arange(plan.load.slots + 1) * slot
    base = np.zeros(plan.load.slots)
    used = [place for place in range(len(best.pools)) if best.replicas[place].any()]
    for colour, place in enumerate(used):
        top = base + best.replicas[place] * accelerators[place]
        axes.stairs(
            top, edges, baseline=base, fill=True, color=SERIES[colour % len(SERIES)], alpha=0.75,
            linewidth=0, label=best.pools[place].name,
        )  # fmt: skip
        base = top
    axes.set(xlim=(0, edges[-1]), ylim=(0, 1.15 * max(float(base.max()), 1.0)))
    axes.set(xlabel="time (h)", ylabel="accelerators on")
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=HOURS))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    hourly = best.cost / (plan.load.slots * slot)
    title = f"{hourly:,.2f} USD/h on average{_saved(plan.saving)}"
    axes.set_title(title, loc="left", color=INK, fontsize=10.5)
    ticks = axes.twinx()
    ticks.plot(
        (edges[:-1] + edges[1:]) / 2, plan.load.peak.sum(axis=0), color=MUTED, linewidth=1.4,
        linestyle="--", label="requests/s in the busiest minute",
    )  # fmt: skip
    ticks.set(ylim=(0, None), ylabel="requests per second")
    ticks.tick_params(labelcolor=MUTED)
    ticks.spines[["top", "left"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=INK, fontsize=9)
    return figure


def _saved(saving: Fraction | None) -> str:
    if saving is None:
        return ""
    shown = f"{saving:.0%}"
    return ", as the best single type" if shown == "0%" else f", {shown} below the best single type"
