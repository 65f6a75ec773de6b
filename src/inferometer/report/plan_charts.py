"""Charts of a plan: its fronts, where its price comes from, and what would change it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inferometer.plan.pareto import front
from inferometer.report.charts import GRID, INK, MARKERS, MUTED, SERIES, canvas, plain_log
from inferometer.report.numerals import dollars

Floats = NDArray[np.float64]
LOUD = len(SERIES)
"""Groups with a colour of their own; the rest share a quiet one."""


class Spot(NamedTuple):
    """One deployment in a chart."""

    x: float
    y: float


Groups = Mapping[str, Sequence[Spot]]
"""Deployments by accelerator, the most interesting accelerator first."""


class Labels(NamedTuple):
    """What the two axes and the marked point say."""

    x: str
    y: str
    chosen: str


def fronts(groups: Groups, chosen: Spot, labels: Labels, *, high: bool) -> Figure:
    """Draw one curve per group, the front over all and the chosen deployment, on two log axes.

    Args:
        groups: Deployments by accelerator.
        chosen: The plan's own.
        labels: Texts.
        high: Whether a high y is good (throughput) or a low one (price); a high x always is.
    """
    figure, axes = canvas()
    _draw_best(axes, groups, high=high)
    for place, (name, spots) in enumerate(groups.items()):
        _draw_group(axes, name, spots, place)
    axes.margins(x=0.07, y=0.13)
    axes.set(xscale="log", yscale="log", xlabel=labels.x, ylabel=labels.y)
    plain_log(axes.xaxis)
    plain_log(axes.yaxis)
    axes.set_title(labels.chosen, loc="left", color=INK, fontsize=10.5, pad=10)
    figure.legend(*_legend(axes), loc="outside right upper", frameon=False, labelcolor=INK)
    figure.draw_without_rendering()  # settles the layout, on which the mark's place depends
    _mark(axes, chosen)
    return figure


def best_of(groups: Groups, *, high: bool) -> list[Spot]:
    """Return the spots that no other beats in both directions, by rising x."""
    spots = [spot for members in groups.values() for spot in members]
    sign = -1.0 if high else 1.0
    rows = front(np.array([(-spot.x, sign * spot.y) for spot in spots]))
    return sorted(spots[row] for row in rows)


def _draw_best(axes: Axes, groups: Groups, *, high: bool) -> None:
    best = best_of(groups, high=high)
    axes.plot(
        *zip(*best, strict=True), color=GRID, linewidth=9, solid_capstyle="round",
        solid_joinstyle="round", drawstyle="steps-pre", zorder=1.5, label="best over all",
    )  # fmt: skip


def _draw_group(axes: Axes, name: str, spots: Sequence[Spot], place: int) -> None:
    x, y = zip(*sorted(spots), strict=True)
    if place < LOUD:
        style = {"color": SERIES[place], "marker": MARKERS[place], "zorder": 3 + (LOUD - place) / 9}
        axes.plot(x, y, label=name, linewidth=1.4, markersize=5.5, **style)
        return
    label = "others" if place == LOUD else None
    axes.plot(x, y, ".-", label=label, color=MUTED, alpha=0.45, linewidth=0.8, zorder=2)


SIDES = {
    (0, 1): ("center", "bottom"), (0, -1): ("center", "top"),
    (-1, 0): ("right", "center"), (1, 0): ("left", "center"),
    (-1, 1): ("right", "bottom"), (-1, -1): ("right", "top"),
    (1, 1): ("left", "bottom"), (1, -1): ("left", "top"),
}  # fmt: skip
"""Where the word beside the ring may stand, and how it is then aligned."""


def _mark(axes: Axes, spot: Spot) -> None:
    """Ring the chosen deployment and say so beside it."""
    axes.scatter([spot.x], [spot.y], s=170, facecolors="none", edgecolors=INK, lw=1.8, zorder=6)
    side = _clearest_side(axes, spot)
    across, up = SIDES[side]
    axes.annotate(
        "the plan", spot, xytext=(11 * side[0], 11 * side[1]), textcoords="offset points",
        ha=across, va=up, color=INK, fontsize=10.5, fontweight="bold", zorder=7,
    )  # fmt: skip


def _clearest_side(axes: Axes, spot: Spot) -> tuple[int, int]:
    """Return the side of the ring on which a word is farthest from every curve."""
    curves = [axes.transData.transform(np.asarray(line.get_xydata())) for line in axes.get_lines()]
    dense = np.concatenate([_filled(curve) for curve in curves])
    centre = axes.transData.transform(spot)

    def clearance(side: tuple[int, int]) -> float:
        word = centre + np.array([48.0 * side[0], 23.0 * side[1]])  # pixels at 100 dpi
        apart = np.abs(dense - word) / (36.0, 12.0)  # half its width and height
        return float(apart.max(axis=1).min())

    return max(SIDES, key=clearance)


def _filled(curve: Floats) -> Floats:
    """Return points along a curve [point, xy], close enough to show where it passes."""
    places = np.linspace(0, len(curve) - 1, 20 * len(curve))
    known = np.arange(len(curve))
    return np.column_stack([np.interp(places, known, curve[:, axis]) for axis in (0, 1)])


def _legend(axes: Axes) -> tuple[list[Artist], list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    names = [str(label) for label in labels]
    return handles[1:] + handles[:1], names[1:] + names[:1]  # the front over all last


class Stage(NamedTuple):
    """One step of a waterfall: what it adds to the price, USD per million tokens."""

    name: str
    added: float
    price: float


def waterfall(stages: Sequence[Stage], reference: tuple[str, float] | None = None) -> Figure:
    """Draw what each stage adds, top to bottom, then the whole; `reference` is a line across."""
    figure, axes = canvas(height=0.62 * len(stages) + 1.9)
    rows = range(len(stages))
    colours = [SERIES[0], *[SERIES[1]] * (len(stages) - 1)]
    starts = [stage.price - stage.added for stage in stages]
    axes.barh(rows, [stage.added for stage in stages], left=starts, color=colours, height=0.62)
    axes.barh([len(stages)], [stages[-1].price], color=SERIES[2], height=0.62)
    for row, stage in enumerate(stages):
        plus = "+" if row and stage.added >= 0 else ""
        text = f"{plus}{dollars(stage.added)}"
        _beside(axes, max(stage.price, stage.price - stage.added), row, text)
        axes.plot([stage.price] * 2, [row, row + 1], color=MUTED, linewidth=0.8, zorder=1)
    _beside(axes, stages[-1].price, len(stages), dollars(stages[-1].price), bold=True)
    names = [_numbered(row, stage.name) for row, stage in enumerate(stages)]
    axes.set_yticks([*rows, len(stages)], labels=[*names, "= actual"])
    if reference is not None:
        _reference(axes, *reference)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel("USD per million tokens, input and output together")
    return figure


def _numbered(row: int, name: str) -> str:
    return name if row == 0 else f"+ {name}"


def _beside(axes: Axes, x: float, y: float, text: str, *, bold: bool = False) -> None:
    axes.annotate(
        text, (x, y), xytext=(6, 0), textcoords="offset points", va="center", color=INK,
        fontsize=10, fontweight="bold" if bold else "normal",
    )  # fmt: skip


def _reference(axes: Axes, name: str, price: float) -> None:
    axes.axvline(price, color=MUTED, linestyle="--", linewidth=1.2, zorder=0.5)
    axes.annotate(
        f"{name}: {dollars(price)}", (price, 1), xycoords=("data", "axes fraction"),
        xytext=(0, 4), textcoords="offset points", color=INK, fontsize=9.5, ha="center",
    )  # fmt: skip


class Bar(NamedTuple):
    """One assumption of a tornado: cost at both ends, USD/h; None where there is no plan."""

    name: str
    low_factor: float
    high_factor: float
    low: float | None
    high: float | None
    flips: bool


def tornado(bars: Sequence[Bar], base: float) -> Figure:
    """Draw the cost at both ends of every assumption's range about the plan's own cost."""
    figure, axes = canvas(height=0.6 * len(bars) + 1.6)
    for row, bar in enumerate(bars):
        _swing(axes, row, bar, base)
    axes.axvline(base, color=INK, linewidth=1.2)
    axes.set_yticks(range(len(bars)), labels=[bar.name for bar in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    known = [base, *(cost for bar in bars for cost in (bar.low, bar.high) if cost is not None)]
    room = 0.14 * ((max(known) - min(known)) or base)
    axes.set_xlim(min(known) - room, max(known) + room)
    axes.set_xlabel(f"USD per hour (line: the plan, {dollars(base)}); orange: the choice changes")
    return figure


def _swing(axes: Axes, row: int, bar: Bar, base: float) -> None:
    ends = ((bar.low_factor, bar.low), (bar.high_factor, bar.high))
    known = [(factor, cost) for factor, cost in ends if cost is not None]
    costs = [cost for _, cost in known] + [base]
    colour = SERIES[1] if bar.flips else SERIES[0]
    axes.barh([row], [max(costs) - min(costs)], left=min(costs), color=colour, height=0.55)
    if len({cost for _, cost in known}) == 1 and len(known) == 2:  # both ends on one side
        _end(axes, row, known[0][1], f"x {bar.low_factor:g} and x {bar.high_factor:g}", right=True)
        return
    middle = sum(cost for _, cost in known) / max(len(known), 1)
    for factor, cost in known:
        right = cost > base or (cost == base and cost >= middle)
        _end(axes, row, cost, f"x {factor:g}", right=right)
    for factor, cost in ends:
        if cost is None:
            _end(axes, row, max(costs), f"x {factor:g}: no plan", right=True)


def _end(axes: Axes, row: int, cost: float, text: str, *, right: bool) -> None:
    axes.annotate(
        text, (cost, row), xytext=(6 if right else -6, 0), textcoords="offset points",
        ha="left" if right else "right", va="center", color=INK, fontsize=9.5,
    )  # fmt: skip
