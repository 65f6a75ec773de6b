"""`inferometer whatif`: what every optimisation does at this load, alone and together."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from inferometer.catalog import tables
from inferometer.catalog.clock_law import clock_laws
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.cli import inputs
from inferometer.cli.api_offers import api_of
from inferometer.cli.options import Format, Question, Stated, scenario_of
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.scenario import Scenario
from inferometer.cli.service import deployment_or_best, shape_of_demand
from inferometer.deployment import Deployment, Speculation
from inferometer.errors import ScenarioError
from inferometer.perf.clocks import at_clock
from inferometer.perf.predict import predict
from inferometer.plan.whatif.capped import capped
from inferometer.plan.whatif.case import Case, State
from inferometer.plan.whatif.effects import Effect, WhatIf, what_if
from inferometer.plan.whatif.levers import Toolbox
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

HOUR, MILLION = 3600, 1e6
CLOCKS = (0.9, 0.8, 0.7, 0.6)
CAPS = (0.8, 0.7, 0.6, 0.5)
NOTES = (
    "every row is evaluated at this load with the fewest replicas that serve, and never multiplied",
    "clocks, caps and idle power save energy, not money, where rent or provisioned kW are billed",
    "J changes are per own request; J/tok is per output token",
    "disaggregation holds TTFT and TPOT targets; of E2E targets nothing is said",
    "spot leaves interruptions out; shaping leaves out the delay of what is deferred",
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What some levers rest on.

    Attributes:
        together: Lever to put together with others; repeat. Without: all that save alone.
        smaller: Smaller model to try.
        draft: Tokens proposed per step by speculative decoding.
        accepted: Probability that a proposed token is accepted.
        draft_time: Time to propose one over a decode step.
        deferrable: Share of requests that may wait.
        shorter: Output length over today's.
        start: Seconds in which a replica starts.
    """

    together: Annotated[tuple[str, ...], Parameter(name="--with", consume_multiple=False)] = ()
    smaller: str = ""
    draft: int = 4
    accepted: float = 0.7
    draft_time: float = 0.05
    deferrable: float = 0.2
    shorter: float = 0.8
    start: float = 300.0

    def __post_init__(self) -> None:
        for name in ("deferrable", "shorter"):
            if not 0 < getattr(self, name) <= 1:
                raise ScenarioError(f"--{name} is {getattr(self, name)}; above 0 and up to 1")
        if not self.start >= 0:
            raise ScenarioError(f"--start is {self.start} s; it cannot be negative")


def whatif(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    assumed: Assumed | None = None,
    plot: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Say what every optimisation does at this load, alone and together.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        deployment: Today's deployment; without one, the plan's.
        assumed: What some levers rest on.
        plot: PNG or SVG file to draw the effects to.
        format: A table for people, or JSON.
    """
    scenario, rests = scenario_of(file, question or Question(), deployment), assumed or Assumed()
    slo, catalog = inputs.slo_of(scenario), inputs.overlay_of(scenario)
    shape, _ = shape_of_demand(scenario, catalog)
    built = deployment_or_best(scenario, slo, shape)
    case = Case(
        deployment=built,
        shape=shape,
        slo=slo,
        evaluate=inputs.evaluator(slo, catalog),
        price=inputs.price_of(built.accelerator.key, scenario.prices, catalog),
        site=inputs.site_of(scenario),
    )
    found = what_if(case, _box(scenario, rests, built, shape, slo), rests.together)
    if plot is not None:
        _draw(found, plot)
    if format == "json":
        answer = {"deployment": built, "what_if": found, "assumed": rests, "notes": NOTES}
        show_json(answer | {"scenario": scenario})
    else:
        _tables(built, found)


def _box(scenario: Scenario, rests: Assumed, built: Deployment, shape: Shape, slo: Slo) -> Toolbox:
    catalog = inputs.overlay_of(scenario)
    known, laws = efficiencies(catalog), clock_laws(catalog)
    evaluate = partial(predict, efficiencies=known, slo=slo)
    offers = [o for o in api_of(scenario, built.model, shape) if o.price.tier == "batch"]
    return Toolbox(
        formats=tables.formats(catalog),
        at_clock={
            c: partial(evaluate, tuned=partial(at_clock, clock=c, laws=laws)) for c in CLOCKS
        },
        under_cap={c: partial(evaluate, tuned=capped(shape, c, laws)) for c in CAPS},
        spot=inputs.price_of(
            built.accelerator.key, replace(scenario.prices, commitment="spot"), catalog
        ),
        batch_api=offers[0].blended if offers else None,
        smaller=model(rests.smaller) if rests.smaller else None,
        draft=Speculation(
            draft_tokens=rests.draft, acceptance=rests.accepted, draft_cost=rests.draft_time
        ),
        deferrable=rests.deferrable,
        shorter=rests.shorter,
        start=rests.start,
        handover=known["handover_latency"].value((f"engine:{built.settings.engine.key}",)),
    )


def _draw(found: WhatIf, path: Path) -> None:
    from inferometer.report.charts import save
    from inferometer.report.whatif_chart import effects_chart

    save(effects_chart(found), path)


def _tables(built: Deployment, found: WhatIf) -> None:
    show_rows(f"Today, right-sized: {built}", [_state("base", found.base)])
    rows = [
        _state(one.name, one.state) | _deltas(one) for one in found.alone if one.state is not None
    ]
    show_rows("Each alone", rows)
    if found.joint is not None:
        _joint(found, found.joint)
    show_rows("Does not apply, or does not serve", [
        {"lever": one.name, "why": one.why} for one in found.alone if one.state is None
    ])  # fmt: skip
    known = [
        one for one in (*found.alone, found.joint) if one is not None and one.state is not None
    ]
    show_rows("What it set, and quality", [
        {"lever": one.name, "set": one.chosen, "quality": one.quality} for one in known
    ])  # fmt: skip
    show_rows("Notes", [{"": text} for text in NOTES])


def _joint(found: WhatIf, joint: Effect) -> None:
    names = " + ".join(found.together)
    if joint.state is None:
        show_rows(f"Together: {names}", [{"": joint.why}])
        return
    claimed = {"multiplying would claim": _percent(found.multiplied)}
    show_rows(f"Together: {names}", [_state("together", joint.state) | _deltas(joint) | claimed])


def _state(name: str, state: State) -> dict[str, Any]:
    return {
        "lever": name,
        "$/h": None if state.cost is None else state.cost * HOUR,
        "$/Mtok": None if state.per_token is None else state.per_token * MILLION,
        "full load": None if state.at_capacity is None else state.at_capacity * MILLION,
        "J/tok": state.energy,
        "gCO2/Mtok": None if state.carbon is None else state.carbon * MILLION,
        "TTFT p50": state.ttft.p50 * 1e3,
        "p99 ms": state.ttft.p99 * 1e3,
        "TPOT p50": state.tpot.p50 * 1e3,
        "p99": state.tpot.p99 * 1e3,
        "GPUs": state.accelerators,
    }


def _deltas(one: Effect) -> dict[str, Any]:
    return {
        "$": _percent(one.cost),
        "J": _percent(one.energy),
        "TTFT": _percent(one.ttft),
        "TPOT": _percent(one.tpot),
    }


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:+.0%}"
