"""`inferometer trace`: describe, convert and synthesise request traces."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inferometer.workload.formats.columns import Lengths, Read
from inferometer.workload.formats.files import read, read_either, write
from inferometer.workload.shape import FEWEST_GAPS, Shape, shape_of
from inferometer.workload.spec import read_spec
from inferometer.workload.synthesis import synthesise
from inferometer.workload.trace import Ints, Trace

app = App(name="trace", help="Describe, convert and synthesise request traces.")
QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
Source = Annotated[str, Parameter(name="--from")]
Out = Annotated[Path, Parameter(name=["--out", "-o"])]


@app.command
def describe(
    file: Path,
    *,
    source: Source = "auto",
    format: Literal["table", "json"] = "table",  # noqa: A002
    plot: Path | None = None,
) -> None:
    """Print rows, span, rates, length quantiles, burstiness and prefix reuse of a trace.

    Args:
        file: The trace; plain or gzip.
        source: Format of the trace; told by its content if not given.
        format: How to print.
        plot: PNG or SVG file for arrival rate over time and length distributions.
    """
    found = read_either(file, source)
    shape = shape_of(found.trace) if isinstance(found, Read) and found.trace.span > 0 else None
    facts = _facts(file, found, shape)
    if plot is not None:
        from inferometer.cli.trace_plot import save_plot

        inputs, outputs = _pair(found)
        save_plot(plot, shape, inputs, outputs, file.name)
    print(json.dumps(facts, indent=2, allow_nan=False)) if format == "json" else _table(facts)


@app.command
def convert(file: Path, *, out: Out, source: Source = "auto", to: str = "auto") -> None:
    """Write a trace in another format.

    Args:
        file: The trace; plain or gzip.
        out: File to write: .jsonl or .parquet.
        source: Format of the trace; told by its content if not given.
        to: "inferometer", "parquet", "mooncake" or, for calls of agents, "agentic-mooncake"; told
            by the suffix and the requests if not given.
    """
    found = read(file, source)
    write(found.trace, out, to)
    counts = ", ".join(f"{key} {n}" for key, n in dataclasses.asdict(found.counts).items() if n)
    Console(stderr=True).print(escape(f"{out}: {len(found.trace)} requests ({counts})"))


@app.command
def synth(spec: Path, *, out: Out, seed: int = 0, to: str = "auto") -> None:
    """Synthesise a trace from the [workload] table of a TOML file.

    Args:
        spec: The TOML file.
        out: File to write: .jsonl or .parquet.
        seed: Same seed, same bytes.
        to: "inferometer", "parquet", "mooncake" or, for calls of agents, "agentic-mooncake"; told
            by the suffix and the requests if not given.
    """
    trace = synthesise(read_spec(spec), seed=seed)
    write(trace, out, to)
    Console(stderr=True).print(escape(f"{out}: {len(trace)} requests over {trace.span:.0f} s"))


def _pair(found: Read | Lengths) -> tuple[Ints, Ints]:
    if isinstance(found, Read):
        return found.trace.input_tokens, found.trace.output_tokens
    return found.inputs, found.outputs


def _facts(file: Path, found: Read | Lengths, shape: Shape | None) -> dict[str, object]:
    inputs, outputs = _pair(found)
    facts: dict[str, object] = {"file": str(file), "format": found.format}
    facts |= dataclasses.asdict(found.counts)
    if shape is not None:
        facts |= {
            "span_s": shape.span,
            "rate_per_s": shape.rate,
            "peak_minute_per_s": shape.peak_rate,
            "burstiness": shape.burstiness if len(inputs) > FEWEST_GAPS else None,
        }
    if isinstance(found, Read):
        facts |= _structure(found.trace, shape)
    return facts | {"input_tokens": _quantiles(inputs), "output_tokens": _quantiles(outputs)}


def _structure(trace: Trace, shape: Shape | None) -> dict[str, object]:
    facts: dict[str, object] = {}
    if trace.prefixes is not None and shape is not None:
        facts["prefix_reuse"] = shape.cached_fraction
    if trace.session is not None:
        facts["sessions"] = len(np.unique(trace.session))
    if trace.tenant is not None:
        names, counts = np.unique(trace.tenant, return_counts=True)
        facts["tenants"] = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return facts


def _quantiles(values: Ints) -> dict[str, float]:
    """Return mean and quantiles; tails only where the sample reaches that far."""
    levels = [q for q in QUANTILES if min(q, 1 - q) * len(values) >= 1]
    found = np.quantile(values, levels)
    named = {f"p{q * 100:.0f}": float(value) for q, value in zip(levels, found, strict=True)}
    return {"mean": float(values.mean()), **named, "max": float(values.max())}


def _table(facts: dict[str, object]) -> None:
    table = Table("fact", "value", box=None)
    for name, value in facts.items():
        if isinstance(value, dict):
            shown = "  ".join(f"{key} {number:,.0f}" for key, number in value.items())
        elif isinstance(value, float):
            shown = f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}"
        else:
            shown = "too few requests" if value is None else str(value)
        table.add_row(name, escape(shown.encode("unicode_escape").decode()))
    Console(soft_wrap=True).print(table)
