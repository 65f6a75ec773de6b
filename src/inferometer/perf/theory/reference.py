"""Comparison with reference rows: each row is computed again from its own inputs."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.errors import InferometerError, ScenarioError
from inferometer.perf.theory.architecture import architecture
from inferometer.perf.theory.chip import chip
from inferometer.perf.theory.collectives import Array
from inferometer.perf.theory.constraint import parse_constraint
from inferometer.perf.theory.search import BUILDABLE_BATCH, BUILDABLE_CHIPS, Points, evaluate
from inferometer.perf.theory.speculation import Latency, Speculation, latency_of
from inferometer.perf.theory.step import Question
from inferometer.perf.theory.toy import flat, toy

RESULTS = ("latency_s", "tok_s_user", "tok_s_gpu", "usd_per_mtok", "mfu")
COLUMNS = (
    *("row_id", "kind", "model", "gpu", "arith_cap", "mem_cap", "func", "ctx_tokens", "seq_len"),
    *("n_gpu", "batch", "alpha", "gamma_max", "draft", "constraint", "feasible", *RESULTS),
)
KINDS = ("point", "spec", "int_opt", "frontier")
WRONG = 1e9
"""Error of a row that differs in kind, not in degree; source: the check's definition."""

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How one row compares.

    Attributes:
        row_id: Its number in the file.
        kind: Its kind.
        error: Largest relative error of its results.
        column: The column with that error.
        reason: Why the row counts as wrong, or "".
    """

    row_id: str
    kind: str
    error: float
    column: str = ""
    reason: str = ""


def compare(rows: Sequence[Row]) -> list[Comparison]:
    """Return one comparison per row, in the order of the rows; an error is never NaN."""
    found: dict[int, Comparison] = {}
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        groups[_setting(row)].append(position)
    for positions in groups.values():
        group = [rows[position] for position in positions]
        found.update(zip(positions, _compare_group(group), strict=True))
    return [found[position] for position in range(len(rows))]


def _setting(row: Row) -> tuple[str, ...]:
    names = ("kind", "model", "gpu", "arith_cap", "mem_cap", "func", "ctx_tokens", "seq_len")
    return tuple(row[name] for name in (*names, "alpha", "gamma_max", "draft"))


def _compare_group(rows: Sequence[Row]) -> Iterable[Comparison]:
    try:
        if rows[0]["kind"] not in KINDS:
            raise ScenarioError(f"kind: {rows[0]['kind']!r} is not one of {', '.join(KINDS)}")
        question = question_of(rows[0])
        latency = _latency(question, rows[0])
    except InferometerError as error:
        return [_wrong(row, str(error)) for row in rows]
    best = evaluate(question, latency, *_buildable()) if rows[0]["kind"] == "int_opt" else None
    return [_compare_row(row, question, latency, best) for row in rows]


def _compare_row(
    row: Row, question: Question, latency: Latency, buildable: Points | None
) -> Comparison:
    try:
        chips, batch = _number(row, "n_gpu", least=1e-300), _number(row, "batch", least=1e-300)
        points = evaluate(question, latency, np.array([chips]), np.array([batch]))
        if row["feasible"] not in {"0", "1"}:
            raise ScenarioError(f"feasible: {row['feasible']!r} is neither 0 nor 1")
        if (row["feasible"] == "1") != bool(np.isfinite(points.latency[0])):
            return _wrong(row, f"feasible: {row['feasible']} in the file, the opposite here")
        if row["feasible"] == "0":
            return Comparison(row_id=row["row_id"], kind=row["kind"], error=0.0)
        if row["constraint"]:
            parse_constraint(row["constraint"])
        if buildable is not None:
            _same_optimum(row, buildable, points)
        errors = {name: _error(row, name, value) for name, value in _results(points).items()}
    except InferometerError as error:
        return _wrong(row, str(error))
    worst = max(errors, key=lambda name: errors[name])
    return Comparison(row_id=row["row_id"], kind=row["kind"], error=errors[worst], column=worst)


def _results(points: Points) -> dict[str, float]:
    seconds, chips, batch = points.latency[0], points.chips[0], points.batch[0]
    values = (seconds, 1 / seconds, batch / seconds / chips, 1e6 * points.price[0], points.mfu[0])
    return dict(zip(RESULTS, map(float, values), strict=True))


def _error(row: Row, name: str, ours: float) -> float:
    theirs = _number(row, name)
    error = abs(ours - theirs) / abs(theirs) if theirs else WRONG * bool(ours)
    return error if math.isfinite(error) else WRONG


def _same_optimum(row: Row, buildable: Points, listed: Points) -> None:
    """Refuse a listed optimum that our search beats, or that breaks its own constraint."""
    constraint = parse_constraint(row["constraint"])
    scores = constraint.score(buildable)
    best = int(np.argmax(scores))
    on_grid = (buildable.chips == listed.chips[0]) & (buildable.batch == listed.batch[0])
    # Equal scores are one optimum; a last-bit difference must not decide which point it is.
    if not (on_grid.any() and scores[on_grid][0] >= scores[best] - 1e-9):
        chips, batch = buildable.chips[best], buildable.batch[best]
        raise ScenarioError(f"n_gpu, batch: our search finds {chips:g}, {batch:g}")


def _buildable() -> tuple[Array, Array]:
    chips = np.asarray(np.repeat(BUILDABLE_CHIPS, BUILDABLE_BATCH.size), np.float64)
    batch = np.asarray(np.tile(BUILDABLE_BATCH, BUILDABLE_CHIPS.size), np.float64)
    return chips, batch


def question_of(row: Row) -> Question:
    """Return model, chip, caps, context and tokens per pass of a row.

    Raises:
        InferometerError: a cell is not what its column wants.
    """
    accelerator = dataclasses.replace(
        chip(row["gpu"]),
        arithmetic_cap=_number(row, "arith_cap", least=1e-9),
        memory_cap=_number(row, "mem_cap", least=1e-9),
    )
    tokens = _number(row, "seq_len", least=1e-9) if row["seq_len"] else 1.0
    if not row["seq_len"] and row["func"] != "final+spec":
        raise ScenarioError("seq_len: empty; only speculative rows may leave it out")
    context = _number(row, "ctx_tokens")
    question = Question(
        model=architecture(row["model"]), chip=accelerator, context=context, tokens=tokens
    )
    accelerator.peak(question.model.weight_bytes)
    return question


def _latency(question: Question, row: Row) -> Latency:
    if row["func"] == "final+spec":
        speculation = Speculation(
            draft=architecture(row["draft"]),
            acceptance=_acceptance(row),
            longest=int(_number(row, "gamma_max", least=1)),
        )
        return latency_of(question, speculation)
    functions: dict[str, Latency] = {
        "final": latency_of(question),
        "toy_sec2.2": lambda chips, batch: toy(question, chips, batch),
        "paper_2d_tp": lambda chips, batch: flat(question, chips, batch),
    }
    if row["func"] not in functions:
        known = ", ".join([*functions, "final+spec"])
        raise ScenarioError(f"func: {row['func']!r} is not one of {known}")
    return functions[row["func"]]


def _acceptance(row: Row) -> float:
    value = _number(row, "alpha")
    if value >= 1:
        raise ScenarioError(f"alpha: {value:g} is not below 1")
    return value


def _number(row: Row, name: str, least: float = 0.0) -> float:
    try:
        value = float(row[name])
    except ValueError:
        raise ScenarioError(f"{name}: {row[name]!r} is not a number") from None
    if not (math.isfinite(value) and value >= least):
        raise ScenarioError(f"{name}: {row[name]!r} is not a finite number of at least {least:g}")
    return value


def _wrong(row: Row, reason: str) -> Comparison:
    return Comparison(row_id=row["row_id"], kind=row["kind"], error=WRONG, reason=reason)
