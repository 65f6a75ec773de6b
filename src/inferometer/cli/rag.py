"""`inferometer rag`: what retrieval adds, the predictable part and the part that moves in steps."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inferometer.catalog.schema import build
from inferometer.cli import inputs
from inferometer.cli.options import Format, Question, Stated, scenario_of
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.service import deployment_or_best, shape_of_demand
from inferometer.errors import CatalogError, ScenarioError
from inferometer.plan.retrieval import RagCost, Retrieval, rag_cost
from inferometer.plan.whatif.case import Case, State
from inferometer.toml_file import read_toml

HOUR, THOUSAND, WATT_HOUR = 3600, 1e3, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RagFile:
    """The `[retrieval]` table of a file.

    Attributes:
        retrieval: What is retrieved, and how.
    """

    retrieval: Retrieval = field()


def rag(
    file: Path | None = None,
    /,
    *,
    retrieval: Path,
    question: Question | None = None,
    deployment: Stated | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Say what retrieval adds to each request: longer prompts, and stages of their own.

    Args:
        file: Scenario of the questions alone, a TOML file; options lie on top of it.
        retrieval: TOML file with a [retrieval] table; see examples/rag_stages.toml.
        question: What is asked.
        deployment: The model's deployment; without one, the plan's for the questions alone.
        format: A table for people, or JSON.
    """
    stages = read_retrieval(retrieval)
    scenario = scenario_of(file, question or Question(), deployment)
    slo, catalog = inputs.slo_of(scenario), inputs.overlay_of(scenario)
    shape, _ = shape_of_demand(scenario, catalog)
    built = deployment_or_best(scenario, slo, shape)
    found = rag_cost(
        Case(
            deployment=built,
            shape=shape,
            slo=slo,
            evaluate=inputs.evaluator(slo, catalog),
            price=inputs.price_of(built.accelerator.key, scenario.prices, catalog),
            site=inputs.site_of(scenario),
        ),
        stages,
    )
    if format == "json":
        show_json({"deployment": built, "rag": found, "retrieval": stages, "scenario": scenario})
    else:
        _show(str(built), found, inputs.site_of(scenario).carbon)


def read_retrieval(file: Path) -> Retrieval:
    """Return the [retrieval] table of a TOML file.

    Raises:
        ScenarioError: unreadable, not TOML, an unknown key, a wrong type or value.
    """
    try:
        return build(RagFile, read_toml(file, ScenarioError), str(file)).retrieval
    except CatalogError as error:
        raise ScenarioError(str(error)) from error


def _show(name: str, found: RagCost, carbon: float | None) -> None:
    show_rows(f"Model: {name}", [
        _row("questions alone", found.without, found.per_request_without, 0.0),
        _row("prompts as long as with passages", found.long, found.per_request_long, 0.0),
        _row("with retrieval", found.long, found.per_request, found.added_latency),
    ])  # fmt: skip
    show_rows("Stages of retrieval, in whole units", [
        {
            "stage": stage.name, "units": stage.units, "because of": stage.because,
            "load": stage.load, "$/h": stage.cost * HOUR,
            "$/1000 requests": stage.per_request * THOUSAND, "adds ms": stage.latency * THOUSAND,
        }
        for stage in found.stages
    ])  # fmt: skip
    show_rows("Accelerators", [{"of all stages over the model's own": found.accelerators}])
    drawn = {
        "questions alone": found.without.energy_per_request,
        "prompts as long as with passages": found.long.energy_per_request,
        "with retrieval": found.energy,
    }
    show_rows("Energy and emissions of an answer, at the facility's meter", [
        {"case": name, "J": joules, "Wh": joules / WATT_HOUR,
         "gCO2e": None if carbon is None else joules * carbon}
        for name, joules in drawn.items()
    ])  # fmt: skip
    if found.unmetered:
        left_out = f"no power is stated for {', '.join(found.unmetered)}: it is left out"
        show_rows("Notes", [{"": left_out}])


def _row(name: str, state: State, per_request: float | None, added: float) -> dict[str, Any]:
    return {
        "case": name,
        "$/1000 requests": None if per_request is None else per_request * THOUSAND,
        "replicas": state.replicas,
        "TTFT p50 ms": (state.ttft.p50 + added) * THOUSAND,
        "TTFT p99 ms": (state.ttft.p99 + added) * THOUSAND,
        "TPOT p99 ms": state.tpot.p99 * THOUSAND,
        "J/tok": state.energy,
        "limited by": state.binding,
    }
