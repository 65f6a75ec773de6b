"""The page of an optimised engine: before and after, one HTML file that needs nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from inferometer.report.charts import INK, MUTED, SERIES, canvas, svg
from inferometer.report.page import PAGES, save_page
from inferometer.report.table import Table, table

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopAnswer:
    """What a walk over settings found, ready to be shown.

    Attributes:
        headline: What was saved.
        notes: Sentences below it.
        settings: One row per candidate.
        runs: One row per measured run.
        errors: How far forecasts were off.
        assumptions: What the figures rest on.
        command: Command that repeats it.
    """

    headline: str
    notes: tuple[str, ...]
    settings: Rows
    runs: Rows
    errors: Rows
    assumptions: tuple[str, ...]
    command: str


def write(answer: LoopAnswer, path: Path) -> None:
    """Write the page.

    Raises:
        ScenarioError: the ending of a chart, or the file cannot be written.
    """
    save_page(render(answer), path)


def render(answer: LoopAnswer) -> str:
    """Return the page."""
    return PAGES.get_template("loop.html.j2").render(
        answer=answer,
        settings=rows_table("Settings, predicted and measured", answer.settings),
        runs=rows_table("Every measured run beside its forecast", answer.runs),
        errors=rows_table("Error of the forecasts made before measuring", answer.errors),
        price=svg(price_figure(answer.settings), "price"),
        quality=svg(quality_figure(answer.settings), "quality"),
    )


def rows_table(caption: str, rows: Rows) -> Table:
    """Return rows as a table of a page."""
    if not rows:
        return table(caption, (), ())
    return table(caption, [*rows[0]], [[_cell(value) for value in row.values()] for row in rows])


def _cell(value: Any) -> str:
    if value is None:
        return "not known"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def price_figure(rows: Rows) -> Figure:
    """Draw the price of a token of every setting that was predicted, and what was measured."""
    shown = [row for row in rows if row["predicted $/Mtok"] or row["measured $/Mtok"]]
    figure, axes = canvas(height=1.6 + 0.42 * len(shown))
    for place, row in enumerate(shown):
        if row["predicted $/Mtok"]:
            axes.plot(row["predicted $/Mtok"], place, "D", color=SERIES[1], markersize=7,
                      markerfacecolor="none", label=None if place else "predicted")  # fmt: skip
        if row["measured $/Mtok"]:
            mean = row["measured $/Mtok"]
            ends = [[mean - row["95 % low"]], [row["95 % high"] - mean]]
            axes.errorbar(mean, place, xerr=ends, fmt="o", color=SERIES[0], capsize=4,
                          label=None if place else "measured, 95 % interval")  # fmt: skip
    axes.set_yticks(range(len(shown)), [str(row["setting"]) for row in shown])
    axes.invert_yaxis()
    axes.set(xlabel="USD per million tokens, prompt and output", xlim=(0, None))
    figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=INK, fontsize=9)
    return figure


def quality_figure(rows: Rows) -> Figure:
    """Draw price against quality: what pays is low, what keeps quality is left."""
    figure, axes = canvas(height=4.0)
    names = dict[str, str]()
    for row in rows:
        cost = row["measured $/Mtok"] or row["predicted $/Mtok"]
        if row["perplexity x reference"] is None or cost is None:
            continue
        weights = str(row["setting"]).split(",", maxsplit=1)[0]
        colour = names.setdefault(weights, SERIES[len(names) % len(SERIES)])
        filled = row["measured $/Mtok"] is not None
        axes.plot(row["perplexity x reference"], cost, "o", color=colour, markersize=8,
                  markerfacecolor=colour if filled else "none")  # fmt: skip
    for place, (name, colour) in enumerate(names.items()):
        axes.text(0.99, 0.97 - 0.07 * place, name, color=colour, transform=axes.transAxes,
                  ha="right", va="top", fontsize=10)  # fmt: skip
    axes.axvline(1.0, color=MUTED, linewidth=1, linestyle="--")
    axes.set(xlabel="perplexity over the reference's (listed probabilities)", ylim=(0, None),
             ylabel="USD per million tokens")  # fmt: skip
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, 0.95), max(right, 1.1))
    axes.set_title("filled: measured; empty: predicted", loc="left", color=INK, fontsize=10)
    return figure
