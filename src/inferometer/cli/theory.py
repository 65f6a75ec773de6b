"""`inferometer theory`: frontier, exponents, and comparison with reference rows."""

import csv
import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App, Parameter

from inferometer.cli.options import Format
from inferometer.errors import ScenarioError

if TYPE_CHECKING:
    from inferometer.perf.theory.exponents import Sweep
    from inferometer.perf.theory.search import Points
    from inferometer.perf.theory.speculation import Speculation
    from inferometer.perf.theory.step import Question

TOLERANCE = 1e-6
"""Largest relative error of a reference row; source: the check's definition."""

app = App(name="theory", help="The closed scaling model of Erdil (arXiv 2506.04645).")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `theory frontier`.

    Attributes:
        ctx: Tokens already in context.
        alpha: The preferred point has the largest speed^alpha / price (paper 3, notebook 4).
        arith_cap: Share of the peak FLOP/s that is reached (paper 0.70).
        mem_cap: Share of the peak HBM bandwidth that is reached (paper 0.75).
        demand: Most tokens per second of one instance.
        draft: Draft model for speculative decoding.
        acceptance: Chance that a drafted token is accepted.
        rule: What a speculative round yields: the notebook's form or Eq. 46 of the paper.
        experts_apart: Expert parallelism (a sketch of section 3.5 of the paper).
    """

    ctx: float = 0.0
    alpha: float = 3.0
    arith_cap: float = 1.0
    mem_cap: float = 1.0
    demand: float = math.inf
    draft: str | None = None
    acceptance: float = 0.8
    rule: Literal["notebook", "paper"] = "notebook"
    experts_apart: bool = False

    def __post_init__(self) -> None:
        for name in ("ctx", "alpha"):
            _within(name, getattr(self, name), low=0, high=math.inf)
        for name in ("arith_cap", "mem_cap"):
            _within(name, getattr(self, name), low=1e-6, high=1)
        _within("acceptance", self.acceptance, low=0, high=1 - 1e-9)
        if not self.demand > 0:
            raise ScenarioError(f"--demand {self.demand:g}: must be above 0")


@app.default
def summary(*, format: Format = "table") -> None:  # noqa: A002  the option's name
    """Show the frontier of llama3-70b on H100, and where the paper's exponents hold."""
    if format == "json":
        front, best, question = _searched("llama3-70b", "H100", Options())
        rows = [_exponent_row(sweep) for sweep in _sweeps()]
        _print_json({"frontier": _frontier_json(front, best, question), "exponents": rows})
        return
    frontier("llama3-70b", "H100")
    print()
    exponents()


@app.command
def frontier(
    model: str,
    gpu: str,
    *,
    options: Options | None = None,
    format: Format = "table",  # noqa: A002
    plot: Path | None = None,
) -> None:
    """Show price against speed of the best instances, and the preferred one.

    Args:
        model: Key of the model, e.g. llama3-70b, llama3-70b-w8, llama3-8b-mqa.
        gpu: Key of the accelerator, e.g. H100.
        options: Setting.
        format: Table or JSON.
        plot: Also draw it to this PNG or SVG file.
    """
    options = options or Options()
    front, best, question = _searched(model, gpu, options)
    title = f"{question.model.key} on {question.chip.key}, {options.ctx:g} tokens of context"
    if format == "json":
        _print_json(_frontier_json(front, best, question))
    else:
        _print_frontier(front, best, question, title, options.alpha)
    if plot is not None:
        from inferometer.report.theory_charts import draw_frontier

        draw_frontier(front, best, title, plot)


@app.command
def exponents(*, format: Format = "table", plot: Path | None = None) -> None:  # noqa: A002
    """Show how least latency scales with size, bandwidth and latency, and what the paper says.

    Args:
        format: Table or JSON.
        plot: Also draw it to this PNG or SVG file.
    """
    sweeps = _sweeps()
    rows = [_exponent_row(sweep) for sweep in sweeps]
    if format == "json":
        _print_json({"exponents": rows})
    else:
        print("Least decode latency on H100, 16-bit, batch 1, as a power of what is swept")
        _print_table(rows)
        print(_verdict(sweeps))
    if plot is not None:
        from inferometer.report.theory_charts import draw_exponents

        sizes = [s for s in sweeps if s.subject == "llama3-70b, layers ~ size^0.25"]
        widths = [s for s in sweeps if s.name == "HBM bandwidth" and s.subject == "llama3-70b"]
        panels = {"parameters": sizes, "HBM bandwidth (B/s)": widths}
        draw_exponents(panels, plot)


@app.command
def check(file: Path, *, format: Format = "table") -> int:  # noqa: A002
    """Compute every row of a reference file again and compare; exit code 1 beyond 1e-6.

    Args:
        file: CSV with the columns of the reference rows.
        format: Table or JSON.
    """
    from inferometer.perf.theory.reference import COLUMNS, compare

    found = compare(_read_rows(file, COLUMNS))
    worst = max(found, key=lambda row: row.error)
    kinds = sorted({row.kind for row in found})
    by_kind = {kind: max(row.error for row in found if row.kind == kind) for kind in kinds}
    wrong = [dataclasses.asdict(row) for row in found if row.reason]
    result = {
        "rows": len(found),
        "worst_relative_error": worst.error,
        "worst_row": dataclasses.asdict(worst),
        "by_kind": by_kind,
        "wrong_rows": wrong,
    }
    if format == "json":
        _print_json(result)
    else:
        _print_table([{"kind": k, "worst relative error": f"{e:.2e}"} for k, e in by_kind.items()])
        print(f"{len(found)} rows, worst relative error {worst.error:.2e} in row {worst.row_id}")
        for row in wrong[:20]:
            print(f"row {row['row_id']}: {row['reason']}")
    if wrong:
        first = f"the first is row {wrong[0]['row_id']}: {wrong[0]['reason']}"
        sys.stderr.write(f"error: {len(wrong)} of {len(found)} rows are wrong; {first}\n")
    return int(worst.error > TOLERANCE)


def _searched(model: str, gpu: str, options: Options) -> "tuple[Points, Points, Question]":
    from inferometer.perf.theory.architecture import architecture
    from inferometer.perf.theory.chip import chip
    from inferometer.perf.theory.search import frontier as search
    from inferometer.perf.theory.search import grid, preferred
    from inferometer.perf.theory.speculation import latency_of
    from inferometer.perf.theory.step import Question

    accelerator = dataclasses.replace(
        chip(gpu), arithmetic_cap=options.arith_cap, memory_cap=options.mem_cap
    )
    question = Question(
        model=architecture(model),
        chip=accelerator,
        context=options.ctx,
        experts_apart=options.experts_apart,
    )
    points = grid(question, latency_of(question, _speculation(options)))
    front = search(points, options.demand)
    return front, preferred(front, options.alpha), question


def _speculation(options: Options) -> "Speculation | None":
    from inferometer.perf.theory.architecture import architecture
    from inferometer.perf.theory.speculation import Rule, Speculation

    if options.draft is None:
        return None
    rule = Rule[options.rule.upper()]
    draft = architecture(options.draft)
    return Speculation(draft=draft, acceptance=options.acceptance, rule=rule)


def _sweeps() -> "list[Sweep]":
    from inferometer.perf.theory.architecture import architecture
    from inferometer.perf.theory.chip import chip
    from inferometer.perf.theory.exponents import (
        FUNCTIONS,
        bandwidth_sweep,
        latency_sweep,
        size_sweep,
    )

    h100 = chip("H100")
    models = [architecture(name) for name in ("llama3-8b", "llama3-70b", "llama3.1-405b")]
    depths = (1 / 4, 1 / 3, 0.0, 1.0)
    return [
        *(size_sweep(models[1], h100, depth, name) for depth in depths for name in FUNCTIONS),
        *(bandwidth_sweep(model, h100, name) for model in models for name in FUNCTIONS),
        *(latency_sweep(model, h100) for model in models),
    ]


def _exponent_row(sweep: "Sweep") -> dict[str, Any]:
    claim = None if sweep.claim is None else round(sweep.claim, 3)
    return {
        "sweep": sweep.name,
        "model": sweep.subject,
        "function": sweep.function,
        "exponent": round(sweep.slope, 3),
        "paper": claim,
    }


def _verdict(sweeps: "Sequence[Sweep]") -> str:
    full = [sweep for sweep in sweeps if sweep.function == "full"]
    quarter, third = (sweep.slope for sweep in full if sweep.name == "size" and _deepens(sweep))
    bandwidth = [-sweep.slope for sweep in full if sweep.name == "HBM bandwidth"]
    return (
        f"Square root of size: the full model gives {quarter:.2f} where layers grow as size^(1/4) "
        f"and {third:.2f} where they grow as size^(1/3); it holds between the two only.\n"
        f"Cube root of bandwidth: a ceiling; the full model gives {min(bandwidth):.2f} to "
        f"{max(bandwidth):.2f}, since base latencies and launches do not shrink with bandwidth."
    )


def _deepens(sweep: "Sweep") -> bool:
    return sweep.subject.endswith(("^0.25", "^0.333"))


def _point_row(points: "Points", index: int) -> dict[str, float]:
    one = points.at(index)
    return {
        "speed_tok_per_s": float(one.speed),
        "price_usd_per_mtok": 1e6 * float(one.price),
        "accelerators": float(one.chips),
        "batch": float(one.batch),
        "latency_ms": 1e3 * float(one.latency),
        "mfu": float(one.mfu),
    }


def _frontier_json(front: "Points", best: "Points", question: "Question") -> dict[str, Any]:
    at = int((front.latency == best.latency).argmax())
    return {
        "model": question.model.key,
        "gpu": question.chip.key,
        "note": question.model.note,
        "frontier": [_point_row(front, index) for index in range(front.latency.size)],
        "preferred": _point_row(front, at),
    }


def _print_frontier(
    front: "Points", best: "Points", question: "Question", title: str, alpha: float
) -> None:
    print(title)
    if question.model.note:
        print(f"note: {question.model.note}")
    at = int((front.latency == best.latency).argmax())
    step = max(1, front.latency.size // 16)
    shown = sorted({*range(0, front.latency.size, step), front.latency.size - 1, at})
    rows = [
        {
            "": "*" if index == at else "",
            **{n: f"{v:.4g}" for n, v in _point_row(front, index).items()},
        }
        for index in shown
    ]
    _print_table(rows)
    print(f"* preferred: largest speed^{alpha:g} / price; accelerators and batch are real-valued")


def _read_rows(file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: cannot be read: {error}") from error
    reader = csv.DictReader(text.splitlines(), restval=None)
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise ScenarioError(f"{file}: columns missing: {', '.join(missing)}")
    rows = list(reader)
    if not rows:
        raise ScenarioError(f"{file}: no rows below the header; nothing to check")
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ScenarioError(f"{file}: line {line}: the number of cells is not the header's")
    return rows


def _within(name: str, value: float, *, low: float, high: float) -> None:
    if not (low <= value <= high and math.isfinite(value)):
        option = name.replace("_", "-")
        raise ScenarioError(f"--{option} {value:g}: must lie between {low:g} and {high:g}")


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(rows[0])
    cells = [names, *[["" if row[n] is None else str(row[n]) for n in names] for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    for line in cells:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _print_json(result: object) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
