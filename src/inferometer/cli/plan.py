"""`inferometer plan`: the cheapest deployment that serves a workload within its SLO, and why."""

import datetime as dt
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from inferometer.account.api import ApiCost
from inferometer.candidates import one
from inferometer.catalog.models import Model
from inferometer.cli import inputs
from inferometer.cli.api_offers import api_of
from inferometer.cli.confirm import confirmed
from inferometer.cli.options import Format, Many, Question, scenario_of
from inferometer.cli.output_folder import prepare, save
from inferometer.cli.plan_tables import show_infeasible, show_plan
from inferometer.cli.prices import instant
from inferometer.cli.result import show_json
from inferometer.cli.scenario import Scenario, overlaid, read_deployment
from inferometer.cli.service import shape_of_demand
from inferometer.plan.break_even import PAY_FOR_IDLE, SCALE_DOWN, break_even
from inferometer.plan.comparison import Comparison, compare
from inferometer.plan.infeasible import NoPlanError
from inferometer.plan.option import stated
from inferometer.plan.precision import Weights
from inferometer.plan.search import Plan, search
from inferometer.plan.sensitivity import Case, Swing, tornado
from inferometer.plan.space import build
from inferometer.workload.shape import Shape


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What the search may choose.

    Attributes:
        gpu: Accelerator to consider; repeat for more, all without it.
        have: Supply such as h100-sxm=16; repeat for more.
        max_gpus: Most accelerators of one deployment.
        engine: Serving engine; repeat for more.
        allow_precision: Format that weights may be converted to, with loss, or kv-fp8 for the KV
            cache; repeat for more.
    """

    gpu: Annotated[tuple[str, ...], Many] = ()
    have: Annotated[tuple[str, ...], Many] = ()
    max_gpus: int | None = None
    engine: Annotated[tuple[str, ...], Many] = ()
    allow_precision: Annotated[tuple[str, ...], Many] = ()


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the answer goes.

    Attributes:
        format: A table for people, or JSON.
        report: HTML file to write the answer to, with charts and sensitivity.
        output_dir: Folder to write plan.json, plan.txt and report.html to.
        overwrite: Whether files that are there may be replaced.
    """

    format: Format = "table"
    report: Path | None = None
    output_dir: Path | None = None
    overwrite: bool = False

    def folder(self) -> Path | None:
        """Return the folder, ready to be written to; None if none is wanted."""
        return self.output_dir and prepare(self.output_dir, overwrite=self.overwrite)

    def page(self) -> Path | None:
        """Return the file of the report; None if none is wanted."""
        return self.report or (self.output_dir and self.output_dir / "report.html")


def plan(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    supply: Supply | None = None,
    confidence: float | None = None,
    current: Path | None = None,
    sensitivity: bool = False,
    confirm: Literal["", "simulate"] = "",
    confirm_top: int = 3,
    output: Output | None = None,
) -> None:
    """Name the cheapest deployment that serves a workload within its SLO, and say why.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        supply: What may be chosen.
        confidence: Probability with which the SLO must hold, such as 0.9, given how far predictions
            of held-out measurements were off; without it, it must hold as predicted.
        current: TOML file whose [deployment] table is what runs today.
        sensitivity: Also search again with each assumption moved within its range.
        confirm: "simulate" plays the first options on the workload's requests, finds the replicas
            that they need there, and ranks them anew.
        confirm_top: Options that are played: the best of so many accelerators.
        output: Where the answer goes.
    """
    output = output or Output()
    scenario = with_supply(scenario_of(file, question or Question()), supply or Supply())
    scenario = overlaid(scenario, confidence=confidence)
    catalog, folder = inputs.overlay_of(scenario), output.folder()
    model, (shape, _) = inputs.model_of(scenario), shape_of_demand(scenario, catalog)
    slo, weights = inputs.slo_of(scenario), inputs.weights_of(model, scenario.search, catalog)
    evaluate, site = inputs.evaluator(slo, catalog), inputs.site_of(scenario)
    api, risk = api_of(scenario, model, shape), inputs.risk_of(scenario, model)
    supplies = inputs.supplies_of(scenario.search, scenario.prices, catalog)
    with _working("enumerating"):
        space = build(model, supplies, inputs.choices_of(weights, scenario.search, catalog))
    try:
        with _working(f"searching {len(space.candidates):,} configurations"):
            found = search(space, shape, slo, evaluate, site, risk)
    except NoPlanError as error:
        lacking = _infeasible(error, scenario, api)
        _deliver(lacking, partial(show_infeasible, error, api, scenario.confidence), output, folder)
        raise
    found = _dated(found, instant(scenario.prices, catalog))
    swings = ()
    if sensitivity or output.page() is not None:
        with _working("moving assumptions"):
            case = Case(space=space, shape=shape, evaluate=risk.strict(evaluate))
            swings = tornado(found, case, slo)
    today = None if current is None else _against(current, model, shape, scenario, found)
    answer = _answer(found, scenario, weights, api, swings)
    answer |= {"comparison": today, "workload": _workload(shape)} | (
        _played(found, scenario, confirm_top) if confirm else {}
    )
    _draw(answer, shape, current, output)
    _deliver(answer, partial(show_plan, answer), output, folder)


def _dated(found: Plan, at: dt.date) -> Plan:
    """Return the plan with a sentence on the age of its price if that is old."""
    price = found.best.price
    if price is None or not price.doubt(at):
        return found
    return replace(found, why=(*found.why, f"{price.accelerator}: {price.doubt(at)}"))


def _draw(answer: Mapping[str, Any], shape: Shape, current: Path | None, output: Output) -> None:
    page = output.page()
    if page is None:
        return
    from inferometer.cli.plan_report import save_report

    with _working("drawing the report"):
        save_report(page, answer, shape, current)


def with_supply(scenario: Scenario, supply: Supply) -> Scenario:
    """Return the scenario with what `supply` says may be chosen on top."""
    chosen = overlaid(
        scenario.search,
        gpus=supply.gpu,
        have=supply.have,
        max_gpus=supply.max_gpus,
        engines=supply.engine,
        allow_precision=supply.allow_precision,
    )
    return replace(scenario, search=chosen)


def _against(file: Path, model: Model, shape: Shape, scenario: Scenario, found: Plan) -> Comparison:
    catalog = inputs.overlay_of(scenario)
    deployment = inputs.deployment_of(model, read_deployment(file), catalog)
    prediction = inputs.evaluator(found.slo, catalog)(one(deployment), shape)
    inputs.require_fit(deployment, prediction)
    price = inputs.price_of(deployment.accelerator.key, scenario.prices, catalog)
    today = stated(deployment, price, prediction, found.slo, inputs.site_of(scenario))
    return compare(today, found.best, found.slo.headroom)


def _answer(
    found: Plan,
    scenario: Scenario,
    weights: Sequence[Weights],
    api: Sequence[ApiCost],
    swings: Sequence[Swing],
) -> dict[str, Any]:
    chosen = str(found.best.deployment.precision)
    used = [item for item in weights if str(item.precision) == chosen]
    return {
        "feasible": True,
        "plan": found,
        "weights": [{"origin": item.origin, "quality": item.quality} for item in used],
        "api": api,
        "break_even": [break_even(found.best, offer) for offer in api],
        "break_even_formulas": (PAY_FOR_IDLE, SCALE_DOWN),
        "sensitivity": swings,
        "prices_at": instant(scenario.prices, inputs.overlay_of(scenario)),
        "sources": inputs.sources_of(found.best, inputs.overlay_of(scenario)),
        "assumptions": ASSUMPTIONS,
        "scenario": scenario,
    }


def _played(found: Plan, scenario: Scenario, top: int) -> dict[str, Any]:
    with _working("playing the first options"):
        return {"confirmed": confirmed(found, scenario, top)}


def _workload(shape: Shape) -> dict[str, Any]:
    """Return what `deploy` has to know of the workload beyond the outcome."""
    return {"name": shape.name, "requests": shape.requests, "longest_tokens": shape.longest}


ASSUMPTIONS = (
    "latencies hold at the busiest minute's rate, energy over the whole span",
    "requests spread evenly over replicas; no preemption; closed form, not a simulation",
    "errors of all latencies move together, as those of measurements that no fit had seen",
    "rent is paid for the whole span, and holds the power; energy is at the facility's meter",
)


def _infeasible(error: NoPlanError, scenario: Scenario, api: Sequence[ApiCost]) -> dict[str, Any]:
    return {
        "feasible": False,
        "nearest": error.nearest,
        "relax": error.relax,
        "excluded": error.counts,
        "api": api,
        "scenario": scenario,
    }


def _deliver(
    answer: Mapping[str, Any], tables: Callable[[], None], output: Output, folder: Path | None
) -> None:
    """Print the answer as asked, and write both forms to the folder if there is one."""

    def document() -> None:
        show_json(answer)

    if folder is not None:
        save(folder / "plan.json", document)
        save(folder / "plan.txt", tables)
    (document if output.format == "json" else tables)()


@contextmanager
def _working(what: str) -> Iterator[None]:
    """Show on a terminal's stderr that long work goes on."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
