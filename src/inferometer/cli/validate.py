"""`inferometer validate`: predict measured rows, and say how far off the predictions are."""

import csv
import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.cli.options import Format
from inferometer.errors import ScenarioError

if TYPE_CHECKING:
    from inferometer.calibrate.measurement import Row
    from inferometer.calibrate.regret import Choice


def validate(
    data: Path,
    /,
    *,
    by: str = "",
    rows_out: Path | None = None,
    models: Path | None = None,
    overlay: Path | None = None,
    regret: bool = False,
    plot: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Predict every row of a file of measurements and report the errors.

    Args:
        data: File of measurements: our CSV layouts (plain or gzip), or the result of a load
            generator.
        by: Dimensions to group errors by, comma separated: source, family, gpu, engine, load.
        rows_out: CSV file to write one row per measured metric to.
        models: Folder of models that the catalogue lacks: one folder per model id ("/" written
            "--") with its config.json.
        overlay: TOML file of a calibration that lies on top of the shipped efficiencies.
        regret: Whether to report what choosing by prediction would have cost, inside one kind of
            accelerator and, at today's rents, among several.
        plot: PNG or SVG file to draw predictions against measurements to.
        format: A table for people, or JSON.
    """
    from inferometer.calibrate.files import read
    from inferometer.calibrate.finding import finder
    from inferometer.calibrate.score import scores
    from inferometer.calibrate.verdict import judge, novelty
    from inferometer.catalog.efficiency import efficiencies
    from inferometer.catalog.uncertainty import basis, own_basis, residuals

    rows = [_described(row, overlay) for row in read(data)]
    known = novelty(basis(overlay), own_basis(overlay))
    verdicts = judge(rows, finder(models), efficiencies(overlay), residuals(overlay), known)
    if rows_out is not None:
        _write(verdicts, rows_out)
    if plot is not None:
        from inferometer.report.validation_plot import draw

        draw(verdicts, plot)
    dimensions = _dimensions(by)
    tables = {"errors": [_score(score, ()) for score in scores(verdicts)]}
    if dimensions:
        tables["groups"] = [_score(score, dimensions) for score in scores(verdicts, dimensions)]
    if regret:
        from inferometer.calibrate.regret import choices, choices_in_dollars

        tables["regret"] = _regret(choices(verdicts))
        tables["regret in USD"] = _regret(choices_in_dollars(verdicts, _price))
    tables["refused"] = _refusals(verdicts)
    _show(data, tables, format)


def _described(row: "Row", overlay: Path | None) -> "Row":
    """Return the row with the overlay as its catalogue, unless it names one of its own."""
    if overlay is None or row.cells.get("catalog"):
        return row
    return dataclasses.replace(row, cells={**row.cells, "catalog": str(overlay)})


def _dimensions(by: str) -> tuple[str, ...]:
    from inferometer.calibrate.score import DIMENSIONS

    names = tuple(name.strip() for name in by.split(",") if name.strip())
    for name in names:
        if name not in DIMENSIONS:
            raise ScenarioError(f"--by {name}: not one of {', '.join(DIMENSIONS)}")
    return names


def _write(verdicts: Sequence[object], path: Path) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(ROW_COLUMNS)
            out.writerows(_row(verdict) for verdict in verdicts)
    except OSError as error:
        raise ScenarioError(f"--rows-out {path}: cannot be written: {error}") from error


ROW_COLUMNS = ("row_id", "metric", "predicted", "lower", "upper", "measured", "reason")
"""Columns of --rows-out."""


def _row(verdict: object) -> list[str]:
    from inferometer.calibrate.verdict import Verdict

    if not isinstance(verdict, Verdict):
        raise TypeError(verdict)
    numbers = [verdict.predicted, verdict.lower, verdict.upper, verdict.measured]
    texts = [f"{value:.6g}" if math.isfinite(value) else "" for value in numbers]
    return [verdict.row.key, verdict.metric, *texts, verdict.reason]


def _score(score: object, dimensions: tuple[str, ...]) -> dict[str, object]:
    from inferometer.calibrate.score import Score

    if not isinstance(score, Score):
        raise TypeError(score)
    return {
        "metric": score.metric,
        **dict(zip(dimensions, score.group, strict=True)),
        "rows": score.rows,
        "cells": score.cells,
        "coverage_fraction": score.coverage,
        "median_error": score.median,
        "p90_error": score.p90,
        "bias": score.bias,
        "inside_80_fraction": score.inside,
    }


def _regret(found: "Sequence[Choice]") -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {
            "model": choice.model, "isl": choice.inputs, "osl": choice.outputs,
            "ttft_limit_ms": choice.ttft_limit_ms, "tpot_limit_ms": choice.tpot_limit_ms,
            "options": choice.options, "accelerators": choice.accelerators,
            "regret_fraction": choice.regret, "strict_regret_fraction": choice.strict_regret,
        }
        for choice in found
    ]  # fmt: skip
    if not found:
        return rows
    whole: dict[str, object] = dict.fromkeys(rows[0]) | {"model": "mean", "options": len(found)}
    for name in ("regret_fraction", "strict_regret_fraction"):
        whole[name] = sum(getattr(c, name.removesuffix("_fraction")) for c in found) / len(found)
    return [*rows, whole]


def _price(key: str) -> float | None:
    """Return the newest rent of one accelerator on demand, USD/s; None if unpriced."""
    from inferometer.cli.prices import price_of
    from inferometer.cli.scenario import PriceSpec

    found = price_of(key, PriceSpec())
    return None if found is None else found.price


def _refusals(verdicts: Sequence[object]) -> list[dict[str, object]]:
    from collections import Counter

    from inferometer.calibrate.verdict import Verdict

    refused = [v for v in verdicts if isinstance(v, Verdict) and v.reason]
    reasons = Counter(_plain(v.reason, v.row.key) for v in refused)
    return [{"reason": reason, "values": count} for reason, count in reasons.most_common(50)]


def _plain(reason: str, key: str) -> str:
    """Return a reason without its row and the catalogue's list, so that equal ones are one."""
    return reason.removeprefix(f"{key}: ").partition("; known: ")[0]


def _show(data: Path, tables: dict[str, list[dict[str, object]]], format: Format) -> None:  # noqa: A002
    from inferometer.cli.result import show_json, show_rows

    if format == "json":
        show_json({"data": str(data), **tables})
        return
    sys.stdout.write(f"{data}: |ln(predicted / measured)|, inside cells first, then over cells\n\n")
    for title, rows in tables.items():
        show_rows(title, rows)
