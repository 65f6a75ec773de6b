"""The page of a plan: one HTML file that needs nothing else, the same bytes for the same answer."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from inferometer.catalog.source import Evidence
from inferometer.errors import ScenarioError
from inferometer.report import rivals, sections
from inferometer.report.answer import Answer
from inferometer.report.charts import ENDINGS
from inferometer.report.exhibits import exhibits
from inferometer.report.sources import sources

PAGES = Environment(
    loader=PackageLoader("inferometer.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write(answer: Answer, path: Path) -> None:
    """Write the report of a plan as an HTML file.

    Raises:
        ScenarioError: as `save_page`.
    """
    save_page(render(answer), path)


def save_page(page: str, path: Path) -> None:
    """Write a page where `--report` says.

    Raises:
        ScenarioError: the ending of a chart, or the file cannot be written.
    """
    check_page(path)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"--report {path}: cannot be written: {error.strerror}") from error


def check_page(path: Path | None) -> None:
    """Refuse the ending of a chart, if a page is asked for: before work that would be lost.

    Raises:
        ScenarioError: the ending of a chart.
    """
    if path is not None and path.suffix.lower() in ENDINGS:
        raise ScenarioError(f"--report {path}: a page is written, no chart; end it with .html")


def render(answer: Answer) -> str:
    """Return the report of a plan as one HTML document."""
    return PAGES.get_template("plan.html.j2").render(_content(answer))


def _content(answer: Answer) -> Mapping[str, Any]:
    best = answer.plan.best
    return {
        "answer": answer,
        "best": best,
        "headline": sections.headline(answer),
        "keys": sections.keys(answer),
        "against_api": rivals.against_api(answer),
        "saving": sections.saving(answer),
        "comparison": sections.comparison(answer),
        "targets": sections.targets(answer),
        "money": sections.money(answer),
        "latencies": sections.latencies(answer),
        "operation": sections.operation(answer),
        "alternatives": sections.alternatives(answer),
        "offers": rivals.offers(answer),
        "break_evens": rivals.break_evens(answer),
        "formulas": rivals.FORMULAS,
        "excluded": sections.excluded(answer),
        "workload": sections.workload(answer),
        "sources": sources(answer),
        "charts": {exhibit.key: exhibit for exhibit in exhibits(answer)},
        "badges": tuple(str(kind) for kind in Evidence),
        "command": shlex.join(answer.command),
    }
