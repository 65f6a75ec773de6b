"""The chart of a what-if: change of cost, energy and tails by lever."""

import numpy as np
from matplotlib.figure import Figure

from inferometer.plan.whatif.effects import Effect, WhatIf
from inferometer.report.charts import INK, SERIES, canvas

SHOWN = (("cost", "cost"), ("energy", "energy per own request"), ("ttft", "TTFT p99"),
         ("tpot", "TPOT p99"))  # fmt: skip
WIDEST = 1.5
"""Changes beyond this are cut, with their figure beside the bar."""


def effects_chart(found: WhatIf) -> Figure:
    """Draw one row of bars per lever that serves, the joint one last."""
    rows = [one for one in found.alone if one.state is not None]
    rows += [found.joint] if found.joint is not None and found.joint.state is not None else []
    figure, axes = canvas(height=1.4 + 0.5 * len(rows))
    places = np.arange(len(rows))
    for colour, (name, label) in enumerate(SHOWN):
        values = np.array([_value(one, name) for one in rows])
        at = places + (colour - 1.5) * 0.2
        axes.barh(at, np.clip(values, -1, WIDEST), height=0.19, color=SERIES[colour], label=label)
        for place in np.flatnonzero(values > WIDEST):
            axes.annotate(f"{values[place]:+.0%}", (WIDEST, at[place]), va="center", fontsize=8)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set(yticks=places, yticklabels=[one.name for one in rows], xlim=(-1, WIDEST * 1.08))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}")
    axes.invert_yaxis()
    axes.set_xlabel("change over today's deployment at this load")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, labelcolor=INK)
    return figure


def _value(one: Effect, name: str) -> float:
    value: float | None = getattr(one, name)
    return np.nan if value is None else value
