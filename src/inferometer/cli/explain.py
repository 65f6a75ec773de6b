"""`inferometer explain`: from the ideal price of a token to the actual one, step by step."""

from pathlib import Path

from inferometer.candidates import one
from inferometer.cli import inputs
from inferometer.cli.options import Format, Question, Stated, deployment_spec, scenario_of
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.scenario import Scenario
from inferometer.deployment import Deployment
from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.plan.cheapest import cheapest
from inferometer.plan.option import stated
from inferometer.plan.provenance import Fact
from inferometer.plan.space import build
from inferometer.plan.waterfall import Step, waterfall
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo


def explain(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Explain the price of a token: ideal, with the engine, within the SLO, at the peak, actual.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        deployment: The deployment; without one, the plan's.
        format: A table for people, or JSON.
    """
    scenario = scenario_of(file, question or Question())
    slo, shape = inputs.slo_of(scenario), inputs.shape_of_scenario(scenario)
    built = deployment_or_best(scenario, deployment or Stated(), slo, shape)
    catalog = inputs.overlay_of(scenario)
    evaluate, ideal = inputs.evaluator(slo, catalog), inputs.ideal(slo, catalog)
    prediction = evaluate(one(built), shape)
    inputs.require_fit(built, prediction)
    inputs.require_carried(built, prediction)
    price = inputs.price_of(built.accelerator.key, scenario.prices, catalog)
    option = stated(built, price, prediction, slo, inputs.site_of(scenario))
    if option.cost is None:
        raise ScenarioError(f"{built.accelerator.key} is unpriced; choose another --commitment")
    steps = waterfall(built, option.cost, shape, slo, evaluate=evaluate, ideal=ideal)
    sources = inputs.sources_of(option, catalog)
    if format == "json":
        answer = {"option": option, "waterfall": steps, "sources": sources}
        show_json(answer | {"scenario": scenario})
        return
    show_rows(str(built), [
        {"step": s.name, "adds $/Mtok": s.added * 1e6, "$/Mtok": s.price * 1e6, "how": s.formula}
        for s in steps
    ])  # fmt: skip
    show_rows("Sources of each step", _sources(steps, scenario, sources))


def _sources(
    steps: tuple[Step, ...], scenario: Scenario, found: tuple[Fact, ...]
) -> list[dict[str, str]]:
    asked = scenario.trace or (scenario.workload.name if scenario.workload else "")
    given = [("workload", f"the scenario: {asked}"), ("slo", "the scenario")]
    rows = [*dict.fromkeys((fact.record, fact.source) for fact in found), *given]
    return [
        {"step": step.name, "record": record, "source": source}
        for step in steps
        for record, source in rows
        if record.startswith(step.rests_on)
    ]


def deployment_or_best(
    scenario: Scenario, stated_one: Stated, slo: Slo, shape: Shape
) -> Deployment:
    """Return the deployment that is stated, or the cheapest that serves.

    Raises:
        InfeasibleError: none is stated, and none serves.
    """
    model, catalog = inputs.model_of(scenario), inputs.overlay_of(scenario)
    if stated_one.gpu or scenario.deployment is not None:
        return inputs.deployment_of(model, deployment_spec(scenario, stated_one), catalog)
    weights = inputs.weights_of(model, scenario.search, catalog)
    supplies = inputs.supplies_of(scenario.search, scenario.prices, catalog)
    space = build(model, supplies, inputs.choices_of(weights, scenario.search, catalog))
    found = cheapest(space, shape, slo, inputs.evaluator(slo, catalog))
    if found is None:
        raise InfeasibleError(f"no deployment meets {slo}: `inferometer plan` says what would")
    return found.deployment
