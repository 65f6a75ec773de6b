"""What is served: the workload of a scenario, its deployment, and the fleet over a week."""

from dataclasses import dataclass, replace
from pathlib import Path

from inferometer.candidates import one
from inferometer.catalog import tables
from inferometer.cli import inputs
from inferometer.cli.economics import DemandSpec
from inferometer.cli.scenario import Scenario
from inferometer.deployment import Deployment
from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.plan.cheapest import cheapest
from inferometer.plan.horizon import Horizon, Service
from inferometer.plan.option import Option, stated
from inferometer.plan.provision import (
    Operating,
    Provision,
    Week,
    provision,
    replicas_needed,
    week_at,
)
from inferometer.plan.space import build
from inferometer.plan.waterfall import rate_within
from inferometer.workload.population import peak_concurrency, rate_of
from inferometer.workload.shape import Shape, with_rate
from inferometer.workload.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """A scenario's service.

    Attributes:
        option: The deployment with its outcome and rent.
        shape: The workload, at the rate of its users where those are stated.
        service: Load and fleet over the horizon.
        provision: What becomes of the capacity over a week at the start.
        made_from: What the shape of the week was made from.
        concurrency: Users at once at the peak; None where no users are stated.
    """

    option: Option
    shape: Shape
    service: Service
    provision: Provision
    made_from: str
    concurrency: float | None


def served(scenario: Scenario, years: float) -> Served:
    """Return what a scenario serves, over a horizon of `years` where it states none.

    Raises:
        ScenarioError: nothing to serve, or figures out of range.
        InfeasibleError: no deployment serves it.
    """
    catalog, slo = inputs.overlay_of(scenario), inputs.slo_of(scenario)
    shape, concurrency = shape_of_demand(scenario, catalog)
    built = deployment_or_best(scenario, slo, shape)
    option = option_of(scenario, built, shape)
    week, made_from = _week(option, shape, slo, scenario)
    operating = _with_margin(operating_of(scenario.demand, catalog), week, built.replicas)
    horizon = Horizon(
        years=years if scenario.demand.years is None else scenario.demand.years,
        growth=scenario.demand.growth,
        discount_rate=scenario.ownership.discount_rate,
    )
    service = Service(
        week=week,
        operating=operating,
        per_replica=built.accelerators // built.replicas,
        horizon=horizon,
    )
    return Served(
        option=option, shape=shape, service=service, provision=provision(week, operating),
        made_from=made_from, concurrency=concurrency,
    )  # fmt: skip


def option_of(scenario: Scenario, built: Deployment, shape: Shape) -> Option:
    """Return what `built` does under `shape`, and its bill.

    Raises:
        InfeasibleError: it does not fit, or does not carry the load.
        ScenarioError: a price without any row.
    """
    catalog, slo = inputs.overlay_of(scenario), inputs.slo_of(scenario)
    prediction = inputs.evaluator(slo, catalog)(one(built), shape)
    inputs.require_fit(built, prediction)
    inputs.require_carried(built, prediction)
    price = inputs.price_of(built.accelerator.key, scenario.prices, catalog)
    return stated(built, price, prediction, slo, inputs.site_of(scenario))


def _week(option: Option, shape: Shape, slo: Slo, scenario: Scenario) -> tuple[Week, str]:
    """Return the load of a week and what one replica carries, and what the week was made from."""
    evaluate = inputs.evaluator(slo, inputs.overlay_of(scenario))
    capacity = option.outcome.capacity
    within = min(rate_within(option.deployment, shape, slo, evaluate, capacity), capacity)
    return week_at(
        shape, scenario.demand.starts_at, within=within, capacity=capacity,
        replicas=option.deployment.replicas,
    )  # fmt: skip


def _with_margin(operating: Operating, week: Week, replicas: int) -> Operating:
    """Return the operation with the deployment's replicas beyond the load's need kept as spares.

    They are there because the user states them, or because latencies grow faster than in
    proportion when the last replica goes.
    """
    beyond = max(replicas - int(replicas_needed(week).max()), 0)
    return replace(operating, spares=operating.spares + beyond)


def shape_of_demand(scenario: Scenario, catalog: Path | None) -> tuple[Shape, float | None]:
    """Return the workload, at its users' rate where those are stated, and users at the peak.

    The busiest minute gets the users' peak rate; the rest of the workload keeps its shape.

    Raises:
        ScenarioError: users without the time of an answer.
        WorkloadError: users, shares or times out of range.
    """
    shape, demand = inputs.shape_of_scenario(scenario), scenario.demand
    if demand.users is None:
        return shape, None
    if demand.response is None:
        raise ScenarioError("demand.users: give demand.response too, the time of one answer")
    active = tables.operations(catalog).active if demand.active is None else demand.active
    concurrency = peak_concurrency(demand.users, active)
    rate = rate_of(concurrency, demand.response, demand.think)
    return with_rate(shape, rate / shape.peak_rate), concurrency


def operating_of(demand: DemandSpec, catalog: Path | None) -> Operating:
    """Return how the fleet is run."""
    cold = tables.operations(catalog).cold_start if demand.cold_start is None else demand.cold_start
    return Operating(
        scaling=demand.scaling,
        spares=demand.spares,
        cold_start=cold,
        restarts=demand.restarts,
        wasted=demand.wasted,
    )


def deployment_or_best(scenario: Scenario, slo: Slo, shape: Shape) -> Deployment:
    """Return the deployment that is stated, or else the cheapest that serves the workload.

    Raises:
        ScenarioError: a stated layout that cannot be built.
        InfeasibleError: nothing serves the workload.
    """
    model, catalog = inputs.model_of(scenario), inputs.overlay_of(scenario)
    if scenario.deployment is not None:
        return inputs.deployment_of(model, scenario.deployment, catalog)
    weights = inputs.weights_of(model, scenario.search, catalog)
    supplies = inputs.supplies_of(scenario.search, scenario.prices, catalog)
    space = build(model, supplies, inputs.choices_of(weights, scenario.search, catalog))
    found = cheapest(space, shape, slo, inputs.evaluator(slo, catalog))
    if found is None:
        raise InfeasibleError(f"no deployment meets {slo}: `inferometer plan` says what would")
    return found.deployment
