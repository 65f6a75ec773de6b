"""`inferometer energy`: joules, watt-hours and grams per token, request and task; clocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inferometer.account.ecologits import Answer, EcoLogits, Footprint, footprint
from inferometer.catalog import tables
from inferometer.catalog.clock_law import ClockLaw, clock_laws
from inferometer.catalog.efficiency import Efficiencies, efficiencies
from inferometer.cli import inputs
from inferometer.cli.agent import read_agent
from inferometer.cli.energy_prices import valued
from inferometer.cli.energy_tables import Elsewhere, EnergyAnswer, energy_answer, show_energy
from inferometer.cli.footprints import (
    Measured,
    carbon_facts,
    hours_of,
    use_of,
)
from inferometer.cli.options import Format, Many, Question, Stated, scenario_of
from inferometer.cli.rag import read_retrieval
from inferometer.cli.result import show_json
from inferometer.cli.scenario import Scenario, overlaid
from inferometer.cli.task_energy import TaskEnergy, agent_energy, answer_energy, request_energy
from inferometer.errors import ScenarioError
from inferometer.perf.clocks import at_clock
from inferometer.perf.counts import parameters
from inferometer.perf.predict import predict
from inferometer.plan.clock_choice import (
    ClockPoint,
    clock_points,
    highest_draw,
    least_energy,
    phase_clocks,
)
from inferometer.plan.replicas import Evaluate
from inferometer.plan.savings import Prices, Saving, savings
from inferometer.units import Fraction

BILLION = 1e9


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyOptions:
    """How energy becomes emissions, and what a task is; see [energy] of a scenario.

    Attributes:
        hours: CSV file of your grid (hour or datetime, g_per_kwh), or a shape of the catalogue.
        carbon_price: "epa-social-cost", "eu-ets", or a quantity such as "80 USD/t".
        agent: TOML file with an [agent] table: footprint of a task of that agent.
        retrieval: TOML file with a [retrieval] table: footprint of an answer.
        elsewhere: Grid to compare with; repeat for more.
    """

    hours: str = ""
    carbon_price: str = ""
    agent: Path | None = None
    retrieval: Path | None = None
    elsewhere: Annotated[tuple[str, ...], Many] = ()


def energy(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    options: EnergyOptions | None = None,
    plot: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Say what a token, a request and a task take: J, Wh, gCO2; which clocks save; whose money.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        deployment: The deployment; without one, the plan's.
        options: How energy becomes emissions, and what a task is.
        plot: PNG or SVG file to draw the day and the clocks to.
        format: A table for people, or JSON.
    """
    given = options or EnergyOptions()
    scenario = scenario_of(file, question or Question(), deployment)
    if given.agent and given.retrieval:
        raise ScenarioError("--agent and --retrieval: give one of them")
    spec = overlaid(scenario.energy, hours=given.hours, carbon_price=given.carbon_price)
    scenario = replace(scenario, energy=spec)
    answer = _answer(scenario, given)
    if plot is not None:
        _draw(answer, plot)
    if format == "json":
        show_json(energy_answer(answer) | {"scenario": scenario})
    else:
        show_energy(answer)


def _answer(scenario: Scenario, given: EnergyOptions) -> EnergyAnswer:
    catalog, slo = inputs.overlay_of(scenario), inputs.slo_of(scenario)
    tasks = _tasks(scenario, given)
    built = tasks.measured.option.deployment
    served, laws = tasks.measured.shape, clock_laws(catalog)
    known = efficiencies(catalog)
    phases = phase_clocks(built, served, known, laws)

    def at(clock: Fraction) -> Evaluate:
        tuned = None if clock == 1 else partial(at_clock, clock=clock, laws=laws)
        return partial(predict, efficiencies=known, slo=slo, tuned=tuned)

    worth = valued(scenario, built.accelerator.key)
    points = clock_points(built, served, slo, at, inputs.site_of(scenario))
    facts = inputs.sources_of(tasks.measured.option, catalog)
    facts += carbon_facts(scenario, tasks.measured) + worth.facts
    return EnergyAnswer(
        tasks=tasks,
        phases=phases,
        points=points,
        best=least_energy(points),
        savings=_savings(scenario, tasks.measured, points, known, laws, worth.prices),
        building=worth.building.name,
        elsewhere=_elsewhere(scenario, tasks.measured, given.elsewhere),
        carbon_price=worth.prices.carbon,
        independent=_independent(scenario, tasks.measured),
        sources=tuple(dict.fromkeys(facts)),
    )


def _tasks(scenario: Scenario, given: EnergyOptions) -> TaskEnergy:
    if given.agent is not None:
        return agent_energy(scenario, read_agent(given.agent).agent)
    if given.retrieval is not None:
        return answer_energy(scenario, read_retrieval(given.retrieval))
    return request_energy(scenario)


def _savings(
    scenario: Scenario,
    found: Measured,
    points: Sequence[ClockPoint],
    known: Efficiencies,
    laws: Mapping[str, ClockLaw],
    prices: Prices,
) -> tuple[Saving, ...]:
    """Return what the clock of least energy saves; nothing where no clock keeps the SLO."""
    best = least_energy(points)
    if best is None:
        return ()
    built = best.option.deployment
    now, slower = (
        highest_draw(built, found.shape, known, laws, clock)
        for clock in (points[0].clock, best.clock)
    )
    before, after = (
        use_of(point.option, found.shape, found.hours, scenario)[0] for point in (points[0], best)
    )
    saved = None if before is None or after is None else before.total - after.total
    return savings(points[0], best, now - slower, saved, prices)


def _elsewhere(scenario: Scenario, found: Measured, grids: Sequence[str]) -> tuple[Elsewhere, ...]:
    rows = []
    for name in grids:
        spec = replace(scenario.energy, hours="")
        moved = replace(scenario, prices=replace(scenario.prices, grid=name), energy=spec)
        use, _ = use_of(found.option, found.shape, hours_of(moved), moved)
        if use is not None:
            place = tables.grid(name, inputs.overlay_of(scenario))
            each = use.total / found.shape.requests
            rows.append(Elsewhere(grid=place.key, intensity=use.intensity, per_request=each))
    return tuple(rows)


def _independent(scenario: Scenario, found: Measured) -> tuple[Footprint, ...]:
    """Return EcoLogits' estimate of a request; none without a grid."""
    if found.use is None:
        return ()
    built, outcome = found.option.deployment, found.option.outcome
    counts = parameters(built.model)
    asked = Answer(
        parameters=counts.total / BILLION,
        active=counts.active / BILLION,
        bits=built.precision.linear.bytes_per_element * 8,
        output_tokens=found.shape.mean_output,
        batch=max(outcome.batch, 1.0),
    )
    method = tables.table(EcoLogits, "ecologits")["ecologits"]
    site = inputs.site_of(scenario)
    return (footprint(asked, method, pue=site.pue, carbon=found.use.intensity),)


def _draw(answer: EnergyAnswer, path: Path) -> None:
    from inferometer.report.charts import save
    from inferometer.report.energy_chart import energy_chart

    use = answer.tasks.measured.use
    save(energy_chart(() if use is None else use.hours, answer.points, answer.best), path)
