"""`inferometer fleet`: the cheapest mix of accelerators for a load that changes over time."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from inferometer.candidates import Ints
from inferometer.catalog.clock_law import clock_laws
from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.fleet_tables import fleet_answer, show_fleet, show_replay
from inferometer.cli.options import Format, Many, Question, scenario_of
from inferometer.cli.plan import Supply, with_supply
from inferometer.cli.result import show_json
from inferometer.cli.scenario import FleetSpec, Scenario, overlaid
from inferometer.errors import ScenarioError
from inferometer.perf.clocks import LOWEST, at_clock
from inferometer.perf.predict import predict
from inferometer.plan.fleet.classes import RequestClass, classes_of, classify, load_of
from inferometer.plan.fleet.plan import FleetPlan, plan_fleet
from inferometer.plan.fleet.pool import Load, Market
from inferometer.plan.fleet.profile import Offer, Terms, offers
from inferometer.plan.fleet.replay import busiest, replay
from inferometer.plan.replicas import Evaluate, check_context
from inferometer.plan.space import Space, build
from inferometer.units import Unit, parse
from inferometer.workload.shape import shape_of
from inferometer.workload.slo import parse_slo
from inferometer.workload.trace import Trace

KILOGRAM = 1e3
"""Grams."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """How the fleet is planned; see [fleet] of a scenario.

    Attributes:
        slot: Time for which a fleet stays as it is, such as "1 h".
        prompt_classes: Classes by prompt length, of each tenant.
        start: Time from renting a replica to its first request, such as "5 min".
        min_on: Least time that a started replica is kept.
        spot_share: Largest share of the requests of a class on spot replicas.
        sizes: Layouts kept per accelerator.
        clock: Core clock over the highest that replicas may run at; repeat for more.
        electricity: Price of energy where rent does not hold it, such as "0.12 USD/kWh".
        carbon_price: Price of emissions, USD per kg of CO2e.
        gap: Relative distance to the bound at which the search stops.
        confirm: Slots to play request by request, the busiest first; 0 for none.
    """

    slot: str = ""
    prompt_classes: int | None = None
    start: str = ""
    min_on: str = ""
    spot_share: float | None = None
    sizes: int | None = None
    clock: Annotated[tuple[float, ...], Many] = ()
    electricity: str = ""
    carbon_price: float | None = None
    gap: float | None = None
    confirm: int = 0


def fleet(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    supply: Supply | None = None,
    options: FleetOptions | None = None,
    plot: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Name the cheapest mix of accelerators for a load that changes, slot by slot.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        supply: What may be chosen.
        options: How the fleet is planned.
        plot: PNG or SVG file to draw the fleet over time to.
        format: A table for people, or JSON.
    """
    scenario = with_supply(scenario_of(file, question or Question()), supply or Supply())
    given = options or FleetOptions()
    spec = _spec(scenario.fleet, given)
    scenario = replace(scenario, fleet=spec)
    trace = inputs.trace_of_scenario(scenario)
    kind, classes, load = _asked(scenario, trace)
    found = _offers(scenario, classes, load)
    if not found:
        raise ScenarioError("nothing on offer serves any request within the SLO: see `plan`")
    answer = plan_fleet(
        [offer.pool for offer in found], load, _market(scenario, load), gap=spec.gap
    )
    if plot is not None:
        _draw(answer, found, plot)
    played = None
    if given.confirm:
        known, slots = efficiencies(inputs.overlay_of(scenario)), busiest(load, given.confirm)
        played = replay(answer.best, found, load, classes, (trace, kind), slots, known)
    if format == "json":
        show_json(fleet_answer(answer, found) | {"replay": played, "scenario": scenario})
    else:
        show_fleet(answer, found)
        if played is not None:
            show_replay(played, load)


def _spec(base: FleetSpec, given: FleetOptions) -> FleetSpec:
    times = {
        name: parse(getattr(given, name), Unit("s")) if getattr(given, name) else None
        for name in ("slot", "start", "min_on")
    }
    joule = parse(given.electricity, Unit("USD/J")) if given.electricity else None
    rest: dict[str, Any] = {
        name: getattr(given, name)
        for name in ("prompt_classes", "spot_share", "sizes", "carbon_price", "gap")
    }
    spec: FleetSpec = overlaid(base, **times, electricity=joule, clocks=given.clock, **rest)
    faults = [
        ("gap", spec.gap, 0 < spec.gap < 1, "above 0 and below 1"),
        ("spot_share", spec.spot_share, 0 <= spec.spot_share <= 1, "0 to 1"),
        ("sizes", spec.sizes, spec.sizes >= 1, "at least 1"),
        ("start", spec.start, spec.start >= 0, "at least 0 s"),
        ("carbon_price", spec.carbon_price, spec.carbon_price >= 0, "at least 0 USD/kg"),
    ]
    wrong = [f"fleet.{name} is {value}; {want}" for name, value, good, want in faults if not good]
    if wrong:
        raise ScenarioError("\n".join(wrong))
    return spec


def _asked(scenario: Scenario, trace: Trace) -> tuple[Ints, tuple[RequestClass, ...], Load]:
    spec = scenario.fleet
    check_context(inputs.model_of(scenario), shape_of(trace))
    tenants = {
        name: parse_slo(targets, headroom=scenario.headroom) for name, targets in spec.slo.items()
    }
    kind, names = classify(trace, spec.prompt_classes)
    classes = classes_of(trace, kind, names, inputs.slo_of(scenario), tenants)
    return kind, classes, load_of(trace, kind, classes, spec.slot, spec.spot_share)


def _offers(scenario: Scenario, classes: tuple[RequestClass, ...], load: Load) -> tuple[Offer, ...]:
    spec, catalog = scenario.fleet, inputs.overlay_of(scenario)
    terms = Terms(start=spec.start, interruptions=spec.interruptions, sizes=spec.sizes)
    clocks = {clock: _at_clock(scenario, clock) for clock in spec.clocks}
    site = inputs.site_of(scenario)
    commitments = [scenario.prices.commitment, *(["spot"] if spec.spot_share > 0 else [])]
    found = list[Offer]()
    for commitment in dict.fromkeys(commitments):
        space = _space(scenario, commitment, catalog)
        if len(space.candidates):
            found += offers(space, classes, load.mean.mean(axis=1), clocks, site, terms)
    return tuple(found)


def _space(scenario: Scenario, commitment: str, catalog: Path | None) -> Space:
    model, prices = inputs.model_of(scenario), replace(scenario.prices, commitment=commitment)
    supplies = inputs.supplies_of(scenario.search, prices, catalog)
    weights = inputs.weights_of(model, scenario.search, catalog)
    search = scenario.search
    search = replace(
        search,
        max_num_seqs=search.max_num_seqs or (64, 256, 1024),
        max_batched_tokens=search.max_batched_tokens or (2048, 8192),
    )
    return build(model, supplies, inputs.choices_of(weights, search, catalog))


def _at_clock(scenario: Scenario, clock: float) -> Evaluate:
    if not LOWEST <= clock <= 1:
        raise ScenarioError(f"clock is {clock:g} of the highest; {LOWEST:g} to 1 is wanted")
    catalog = inputs.overlay_of(scenario)
    tuned = None if clock == 1 else partial(at_clock, clock=clock, laws=clock_laws(catalog))
    return partial(predict, efficiencies=efficiencies(catalog), tuned=tuned)


def _market(scenario: Scenario, load: Load) -> Market:
    spec, carbon = scenario.fleet, inputs.site_of(scenario).carbon
    if spec.carbon_price and carbon is None:
        raise ScenarioError("fleet.carbon_price: emissions need a grid: give --grid")
    joule = spec.electricity + spec.carbon_price / KILOGRAM * (carbon or 0.0)
    kept = max(1, round(spec.min_on / load.slot))
    return Market(energy=np.full(load.slots, joule) if joule else None, min_on=kept)


def _draw(answer: FleetPlan, found: tuple[Offer, ...], path: Path) -> None:
    from inferometer.report.charts import save
    from inferometer.report.fleet_chart import fleet_chart

    each = {offer.pool.name: offer.deployment.accelerators for offer in found}
    save(fleet_chart(answer, [each[pool.name] for pool in answer.best.pools]), path)
