"""The report that `plan --report` writes: the answer's parts put together for the page."""

import dataclasses
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.prices import instant
from inferometer.cli.scenario import Scenario
from inferometer.cli.scenario_text import toml
from inferometer.cli.service import operating_of
from inferometer.errors import ScenarioError
from inferometer.plan.search import Plan
from inferometer.plan.waterfall import Step, waterfall
from inferometer.report.answer import Answer
from inferometer.report.page import write
from inferometer.workload.shape import Shape


def save_report(path: Path, parts: Mapping[str, Any], shape: Shape, current: Path | None) -> None:
    """Write the report of a plan.

    Args:
        path: HTML file.
        parts: The answer as `plan --format json` gives it.
        shape: The workload.
        current: File of today's deployment, if one was given.

    Raises:
        ScenarioError: the file cannot be written.
    """
    scenario: Scenario = parts["scenario"]
    catalog = inputs.overlay_of(scenario)
    answer = Answer(
        plan=parts["plan"],
        shape=shape,
        prices_at=parts["prices_at"],
        waterfall=_steps(parts["plan"], shape, scenario, catalog),
        api=tuple(parts["api"]),
        swings=tuple(parts["sensitivity"]),
        comparison=parts["comparison"],
        weights=tuple(f"{w['origin']}; quality: {w['quality']}" for w in parts["weights"]),
        facts=tuple(parts["sources"]),
        efficiencies=efficiencies(catalog),
        assumptions=tuple(parts["assumptions"]),
        scenario=toml(_dated(scenario)),
        command=_command(current),
        version=version("inferometer"),
    )
    write(answer, path)


def _steps(found: Plan, shape: Shape, scenario: Scenario, catalog: Path | None) -> tuple[Step, ...]:
    """Return the steps that add something; none if unpriced or within the SLO at no steady rate."""
    best, slo = found.best, found.slo
    evaluate, ideal = inputs.evaluator(slo, catalog), inputs.ideal(slo, catalog)
    operating = operating_of(scenario.demand, catalog)
    try:
        steps = waterfall(
            best, shape, slo, evaluate=evaluate, ideal=ideal, operating=operating,
            starts_at=scenario.demand.starts_at,
        )  # fmt: skip
    except ScenarioError:
        return ()
    return tuple(step for step in steps if step.added)


def _dated(scenario: Scenario) -> Scenario:
    """Return the scenario with the day of its prices, so that new rows change nothing."""
    day = instant(scenario.prices, inputs.overlay_of(scenario)).isoformat()
    return dataclasses.replace(scenario, prices=dataclasses.replace(scenario.prices, at=day))


def _command(current: Path | None) -> tuple[str, ...]:
    today = () if current is None else ("--current", str(current))
    return ("inferometer", "plan", "scenario.toml", *today, "--report", "report.html")
