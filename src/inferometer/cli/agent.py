"""`inferometer agent`: what a successful task costs, by effort and by whose tokens."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inferometer.account.agent import Agent, Rates, TaskCost, task_cost
from inferometer.account.footprint import UnitFootprint
from inferometer.catalog.schema import build
from inferometer.catalog.tokens import token_prices
from inferometer.cli.options import Format, Question, scenario_of
from inferometer.cli.prices import instant
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.scenario import PriceSpec
from inferometer.cli.unit_tables import unit_document, unit_row
from inferometer.errors import CatalogError, ScenarioError
from inferometer.toml_file import read_toml
from inferometer.workload.effort import Effort

MILLION = 1e6
OTHER_TIERS = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """A question about agents.

    Attributes:
        models: Models whose API prices are compared, by catalogue name or provider's id.
        agent: The task.
        effort: Levels of reasoning effort by name; none is one level, as stated.
        own: Prices on own hardware, as `plan` and `explain` give them.
        at: Day of the prices, as 2026-11-01; "" for the newest row of the catalogue.
    """

    models: tuple[str, ...] = ()
    agent: Agent
    effort: Mapping[str, Effort] = field(default_factory=dict)
    own: Rates | None = None
    at: str = ""


def agent(
    file: Path,
    /,
    *,
    budget: float | None = None,
    on: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Say what a successful task of an agent costs: p50, p95, p99, budget, cache, effort.

    Args:
        file: TOML file with an [agent] table; see examples/coding_agent.toml.
        budget: Most that one task may cost, USD.
        on: Scenario with the deployment that serves the calls, as often as its requests come: the
            energy and emissions of a task are worked out there.
        format: A table for people, or JSON.
    """
    spec = read_agent(file)
    if budget is not None:
        spec = replace(spec, agent=replace(spec.agent, budget=budget))
    found = [
        {"price": price, "effort": level, "cost": task_cost(task, rates)}
        for price, rates in _rates(spec)
        for level, task in _levels(spec)
    ]
    if not found:
        raise ScenarioError(f"{file}: nothing is priced: name models, or give [own] prices")
    drawn, notes = _drawn(spec, on)
    if format == "json":
        energy = {name: unit_document(unit) for name, unit in drawn.items()}
        show_json({"tasks": found, "energy": energy, "notes": notes, "agent": spec.agent})
    else:
        _show(spec, found)
        show_rows("Energy and emissions on own hardware", [
            unit_row(name, unit) for name, unit in drawn.items()
        ])  # fmt: skip
        show_rows("Notes", [{"": note} for note in notes])


def _drawn(spec: AgentSpec, on: Path | None) -> tuple[Mapping[str, UnitFootprint], tuple[str, ...]]:
    """Return what a task of each level takes on the deployment of a scenario, and notes."""
    from inferometer.cli.task_energy import agent_energy

    units, notes = dict[str, UnitFootprint](), list[str]()
    if on is None:
        return units, ()
    scenario = scenario_of(on, Question())
    for level, task in _levels(spec):
        found = agent_energy(scenario, task)
        notes += [
            f"{level}: {note}" for note in (str(found.measured.option.deployment), *found.notes)
        ]
        for name in ("task", "successful task"):
            units[f"{level}: {name}"] = found.units[name]
    return units, tuple(notes)


def read_agent(file: Path) -> AgentSpec:
    """Return the question about agents of a TOML file.

    Raises:
        ScenarioError: unreadable, not TOML, an unknown key, a wrong type or value.
    """
    try:
        return build(AgentSpec, read_toml(file, ScenarioError), str(file))
    except CatalogError as error:
        raise ScenarioError(str(error)) from error


def _rates(spec: AgentSpec) -> Iterator[tuple[str, Rates]]:
    """Yield whose tokens they are and what they cost: the standard tier of every provider."""
    day = instant(PriceSpec(at=spec.at))
    if spec.own is not None:
        yield "own hardware", spec.own
    for name in spec.models:
        rows = [row for row in token_prices(name, at=day) if row.tier == OTHER_TIERS]
        if not rows:
            raise ScenarioError(f"models: no API price of {name!r} at {day}")
        for row in rows:
            cached = row.input if row.cached is None else row.cached
            rates = Rates(input=row.input, cached=cached, output=row.output, longer=row.longer)
            yield f"{row.model} at {row.provider}", rates


def _levels(spec: AgentSpec) -> Iterator[tuple[str, Agent]]:
    task = spec.agent
    for name, level in (spec.effort or {"as stated": Effort()}).items():
        yield (
            name,
            replace(
                task,
                output=task.output * level.output,
                growth=task.growth + task.output * (level.output - 1),
                calls_p50=level.calls_of(task.calls_p50),
                calls_p99=level.calls_of(task.calls_p99),
                success=level.success or task.success,
            ),
        )


def _show(spec: AgentSpec, found: list[dict[str, Any]]) -> None:
    ordered = sorted(found, key=lambda item: item["cost"].per_success)
    capped = "" if spec.agent.budget is None else f", at most {spec.agent.budget:g} USD each"
    show_rows(f"Cost of a successful task{capped}, the cheapest first",
              [_row(item) for item in ordered[:16]])  # fmt: skip
    if len(ordered) > 16:
        show_rows("Left out", [{"": f"{len(ordered) - 16} dearer ones: see --format json"}])


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    cost: TaskCost = item["cost"]
    whole = cost.tokens.fresh + cost.tokens.cached + cost.tokens.output
    return {
        "tokens of": item["price"],
        "effort": item["effort"],
        "$/success": cost.per_success,
        "no cache": cost.without_reuse,
        "p50 $": cost.p50,
        "p95 $": cost.p95,
        "p99 $": cost.p99,
        "stopped": cost.stopped,
        "succeed": cost.success,
        "calls": cost.calls,
        "tokens": whole,
        "cached": cost.tokens.cached / whole,
        "$/Mtok": cost.mean / whole * MILLION,
    }
