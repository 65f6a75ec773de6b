"""`inferometer plan`: the cheapest deployment that serves a workload within its SLO, and why."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from inferometer.account.api import ApiCost
from inferometer.candidates import one
from inferometer.catalog.models import Model
from inferometer.cli import inputs
from inferometer.cli.options import Format, Many, Question, scenario_of
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.scenario import Scenario, overlaid, read_deployment
from inferometer.plan.break_even import PAY_FOR_IDLE, SCALE_DOWN, BreakEven, break_even
from inferometer.plan.comparison import Comparison, compare
from inferometer.plan.infeasible import NoPlanError
from inferometer.plan.option import Option, stated
from inferometer.plan.precision import Weights
from inferometer.plan.search import Plan, search
from inferometer.plan.sensitivity import Case, Swing, tornado
from inferometer.plan.space import build

HOUR, DAY = 3600, 86400
MILLION = 1e6


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What the search may choose.

    Attributes:
        gpu: Accelerator to consider; repeat for more, all without it.
        have: Supply such as h100-sxm=16; repeat for more.
        max_gpus: Most accelerators of one deployment.
        engine: Serving engine; repeat for more.
        allow_precision: Format that weights may be converted to, with loss; repeat for more.
    """

    gpu: Annotated[tuple[str, ...], Many] = ()
    have: Annotated[tuple[str, ...], Many] = ()
    max_gpus: int | None = None
    engine: Annotated[tuple[str, ...], Many] = ()
    allow_precision: Annotated[tuple[str, ...], Many] = ()


def plan(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    supply: Supply | None = None,
    current: Path | None = None,
    sensitivity: bool = False,
    report: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Name the cheapest deployment that serves a workload within its SLO, and say why.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        supply: What may be chosen.
        current: TOML file whose [deployment] table is what runs today.
        sensitivity: Also search again with each assumption moved within its range.
        report: HTML file to write the answer to, with charts and sensitivity.
        format: A table for people, or JSON.
    """
    scenario = _with_supply(scenario_of(file, question or Question()), supply or Supply())
    model, shape = inputs.model_of(scenario), inputs.shape_of_scenario(scenario)
    slo, evaluate = inputs.slo_of(scenario), inputs.evaluator(inputs.slo_of(scenario))
    weights = inputs.weights_of(model, scenario.search)
    api, site = inputs.api_of(scenario, model, shape), inputs.site_of(scenario)
    supplies = inputs.supplies_of(scenario.search, scenario.prices)
    with _working("enumerating"):
        space = build(model, supplies, inputs.choices_of(weights, scenario.search))
    try:
        with _working(f"searching {len(space.candidates):,} configurations"):
            found = search(space, shape, slo, evaluate, site)
    except NoPlanError as error:
        _show_infeasible(error, scenario, api, format)
        raise
    swings = ()
    if sensitivity or report is not None:
        with _working("moving assumptions"):
            swings = tornado(found, Case(space=space, shape=shape, evaluate=evaluate), slo)
    today = None if current is None else _against(current, model, scenario, found)
    answer = _answer(found, scenario, weights, api, swings) | {"comparison": today}
    if report is not None:
        from inferometer.cli.plan_report import save_report

        save_report(report, answer, shape, current)
    show_json(answer) if format == "json" else _tables(found, api, swings, today)


def _with_supply(scenario: Scenario, supply: Supply) -> Scenario:
    chosen = overlaid(
        scenario.search,
        gpus=supply.gpu,
        have=supply.have,
        max_gpus=supply.max_gpus,
        engines=supply.engine,
        allow_precision=supply.allow_precision,
    )
    return replace(scenario, search=chosen)


def _against(file: Path, model: Model, scenario: Scenario, found: Plan) -> Comparison:
    deployment = inputs.deployment_of(model, read_deployment(file))
    shape = inputs.shape_of_scenario(scenario)
    prediction = inputs.evaluator(found.slo)(one(deployment), shape)
    inputs.require_fit(deployment, prediction)
    price = inputs.price_of(deployment.accelerator.key, scenario.prices)
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
        "prices_at": inputs.instant(scenario.prices),
        "sources": inputs.sources_of(found.best),
        "assumptions": ASSUMPTIONS,
        "scenario": scenario,
    }


ASSUMPTIONS = (
    "latencies hold at the busiest minute's rate, energy over the whole span",
    "requests spread evenly over replicas; no preemption; closed form, not a simulation",
    "rent is paid for the whole span, and holds the power; energy is at the facility's meter",
)


def _show_infeasible(
    error: NoPlanError,
    scenario: Scenario,
    api: Sequence[ApiCost],
    format: Format,  # noqa: A002
) -> None:
    if format == "json":
        answer: Mapping[str, Any] = {
            "feasible": False,
            "nearest": error.nearest,
            "relax": error.relax,
            "excluded": error.counts,
            "api": api,
            "scenario": scenario,
        }
        show_json(answer)
        return
    if error.nearest is not None:
        show_rows("Infeasible. The nearest deployment:", [_row(error.nearest)])
    show_rows("What would have to give", [{"change": text} for text in error.relax])
    show_rows("Ruled out", [{"reason": k, "configurations": n} for k, n in error.counts.items()])


def _tables(
    found: Plan, api: Sequence[ApiCost], swings: Sequence[Swing], today: Comparison | None
) -> None:
    show_rows(f"Cheapest plan for {found.slo}", [_row(found.best)])
    show_rows("Why", [{"": text} for text in found.why])
    show_rows("Best of every accelerator", [_row(option) for option in found.alternatives])
    show_rows("Pareto front: cost, speed per user, energy", [_row(o) for o in found.front[:12]])
    show_rows("The same traffic from an API", [_api_row(offer) for offer in api[:5]])
    even = [_even_row(break_even(found.best, offer)) for offer in api]
    show_rows("Break-even of the plan against every API, at this mix of tokens", even)
    show_rows("Formulas", [{"": text} for text in (PAY_FOR_IDLE, SCALE_DOWN) if even])
    if today is not None:
        show_rows("Today", [_row(today.current) | {"meets SLO": str(today.meets_slo)}])
        saving = None if today.saving is None else today.saving * HOUR
        show_rows("Saving", [{"$/h": saving, "share": today.saving_fraction}])
        show_rows("Changes", [{"": text} for text in today.changes])
    show_rows("Sensitivity", [_swing_row(swing) for swing in swings])
    counts = found.excluded | {"feasible": found.feasible, "enumerated": found.enumerated}
    show_rows("Configurations", [{"reason": name, "count": n} for name, n in counts.items()])
    unpriced = ", ".join(found.unpriced)
    show_rows("Unpriced", [{"accelerators": unpriced}] if unpriced else [])


def _row(option: Option) -> dict[str, Any]:
    outcome, priced = option.outcome, option.by_allocation
    return {
        "deployment": str(option.deployment),
        "$/h": None if option.cost is None else option.cost * HOUR,
        "$/Mtok": None if priced is None else priced * MILLION,
        "at capacity": None if option.by_usage is None else option.by_usage * MILLION,
        "TTFT p99 ms": outcome.ttft.p99 * 1e3,
        "TPOT p99 ms": outcome.tpot.p99 * 1e3,
        "tok/s/user": option.speed,
        "load": outcome.utilisation,
        "J/tok out": option.energy_per_output,
        "limited by": outcome.binding,
    }


def _api_row(offer: ApiCost) -> dict[str, Any]:
    price = offer.price
    return {
        "provider": price.provider,
        "model": price.model,
        "tier": price.tier,
        "$/h": offer.rate * HOUR,
        "$/Mtok": offer.blended * MILLION,
    }


def _even_row(even: BreakEven) -> dict[str, Any]:
    volumes = (even.tokens, even.tokens_of_one_replica, even.requests)
    return {
        "API": f"{even.provider} {even.model} {even.tier}",
        "API $/Mtok": even.api * MILLION,
        "pays from load": "never" if even.utilisation is None else even.utilisation,
        "load now": even.now,
        **{name: _daily(v) for name, v in zip(DAILY, volumes, strict=True)},
        "scaled down": "pays" if even.pays_scaled_down else "never",
        "saves $/h": None if even.saving is None else even.saving * HOUR,
        "why never": even.never,
    }


DAILY = ("tok/day", "of one replica", "requests/day")


def _daily(rate: float | None) -> float | None:
    return None if rate is None else rate * DAY


def _swing_row(swing: Swing) -> dict[str, Any]:
    return {
        "assumption": swing.assumption,
        "range": f"x {swing.low_factor:g} .. {swing.high_factor:g}",
        "$/h low": None if swing.low_cost is None else swing.low_cost * HOUR,
        "$/h high": None if swing.high_cost is None else swing.high_cost * HOUR,
        "flips": "yes" if swing.flips else "no",
    }


@contextmanager
def _working(what: str) -> Iterator[None]:
    """Show on a terminal's stderr that long work goes on."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
