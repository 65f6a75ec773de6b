"""How charts are drawn and leave: one look, as a file or inside a page, the same bytes each time.

Inside a page the colours of text, grid and series become the page's own (CSS variables), so that a
chart follows its light and dark themes; in a file they stay what they are here.
"""

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator

from inferometer.errors import ScenarioError

INK, MUTED, GRID = "#1c2024", "#60666d", "#dfe2e6"
SERIES = (
    "#0b6bab", "#c84e00", "#0a8f68", "#a6457f", "#8f6a00", "#2f9bd6", "#6b4fb0", "#5f7d1e",
)  # fmt: skip
"""Told apart by people who see few colours too, beside the markers; the first are used first."""
MARKERS = "os^DvPX*"
THEME: Mapping[str, str] = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    **{colour: f"var(--series-{place})" for place, colour in enumerate(SERIES)},
}
"""Name in the page's style sheet of each colour above."""
ENDINGS = (".png", ".svg")
_PREFIXES = "kMGTPE"
_SAME_BYTES: dict[str, None] = {"Date": None, "Creator": None, "Format": None, "Type": None}


def canvas(width: float = 11.0, height: float = 5.2) -> tuple[Figure, Axes]:
    """Return an empty figure of `width` x `height` inches with one pair of quiet axes."""
    figure, (axes,) = panels(1, width, height)
    return figure, axes


def panels(rows: int, width: float = 11.0, height: float = 5.2) -> tuple[Figure, Sequence[Axes]]:
    """Return an empty figure with quiet axes above each other, which share what lies across."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    found: list[Axes] = [*figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]]
    for axes in found:
        quieten(axes)
    figure.patch.set_alpha(0)
    return figure, found


def quieten(axes: Axes) -> None:
    """Give axes the look of all charts: no box, muted ticks, a light grid behind the data."""
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(MUTED)
    axes.tick_params(which="both", color=MUTED, labelcolor=INK, labelsize=10)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, fontsize=10.5)
    axes.patch.set_alpha(0)


def plain_log(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, as many as its span has room for."""
    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 2.2 else (1, 3) if decades < 3.5 else (1,)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    if decades < 0.5:
        steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
    places = [step * 10.0**power for power in powers for step in steps]
    if sum(low <= place <= high for place in places) < 3:  # hardly a span: even steps do
        places = [float(place) for place in MaxNLocator(4).tick_values(low, high)]
    axis.set_major_locator(FixedLocator([place for place in places if low <= place <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: _short(value))
    axis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    """Return a number as a tick has room for it: `0.5`, `1,000`, `30k`, `1.5M`, `100G`."""
    if value < 1e-4:
        return np.format_float_positional(value, precision=12, trim="-")
    power = min(int(math.log10(value) // 3), len(_PREFIXES)) if value >= 1e4 else 0
    return f"{value / 1000**power:,.12g}{_PREFIXES[power - 1] if power else ''}"


def svg(figure: Figure, name: str) -> str:
    """Return the figure as an SVG element for a page, its ids starting with `name`.

    Text stays text and colours follow the page; nothing in it names an address. The element is
    hidden from screen readers: the page gives the words and the data beside it.
    """
    drawn = _drawn(figure, "svg", salt=name).decode()
    body = drawn[drawn.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' (xmlns(:\w+)?|width|height|version)="[^"]*"(?=[^<]*viewBox)', "", body)
    body = re.sub(r' xmlns(:\w+)?="[^"]*"', "", body).replace("xlink:href", "href")
    body = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font: ((?:[\w.]+ )*[\d.]+px) [^;\"]+", r"font: \1 var(--font)", body)
    for colour, variable in THEME.items():
        body = body.replace(colour, variable)
    return body.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1).strip()


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG or SVG, by the ending of `path`.

    Raises:
        ScenarioError: another ending, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ScenarioError(f"{path}: charts are written as {' or '.join(ENDINGS)}")
    figure.patch.set(alpha=1, color="white")
    try:
        path.write_bytes(_drawn(figure, ending[1:], salt=path.stem))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error.strerror}") from error


def _drawn(figure: Figure, kind: str, *, salt: str) -> bytes:
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name may hold dollar signs
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        figure.savefig(file, format=kind, dpi=150, metadata=_SAME_BYTES if kind == "svg" else None)
    return file.getvalue()
