"""`inferometer explain`: from the ideal price of a token to the actual one, step by step."""

from pathlib import Path

from inferometer.catalog.tables import operations
from inferometer.cli import inputs
from inferometer.cli.actual import compare
from inferometer.cli.options import Format, Question, Stated, scenario_of
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.scenario import Scenario
from inferometer.cli.service import deployment_or_best, operating_of, option_of, shape_of_demand
from inferometer.plan.provenance import Fact, facts_of
from inferometer.plan.waterfall import Step, waterfall


def explain(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    actual: str = "",
    since: str = "",
    until: str = "",
    usd_per_hour: float | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Explain the price of a token: ideal, engine, SLO, peaks, idle, spares, cold starts, retries.

    With --actual: from the planned price to what a ledger says it was, one assumption put right at
    a time, and which one was off the most.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        deployment: The deployment; without one, the plan's.
        actual: Ledger of the traffic that was served, a SQLite file or a postgresql:// address.
        since: First day or instant (UTC) of it, as 2026-11-01 or 2026-11-01T06:00.
        until: End, exclusive.
        usd_per_hour: Rent that was really paid for the deployment; the plan's by default.
        format: A table for people, or JSON.
    """
    scenario = scenario_of(file, question or Question(), deployment)
    slo, catalog = inputs.slo_of(scenario), inputs.overlay_of(scenario)
    shape, _ = shape_of_demand(scenario, catalog)
    built = deployment_or_best(scenario, slo, shape)
    if actual:
        compare(scenario, built, shape, actual, (since, until), usd_per_hour, format)
        return
    evaluate, ideal = inputs.evaluator(slo, catalog), inputs.ideal(slo, catalog)
    option = option_of(scenario, built, shape)
    steps = waterfall(
        option, shape, slo, evaluate=evaluate, ideal=ideal,
        operating=operating_of(scenario.demand, catalog), starts_at=scenario.demand.starts_at,
    )  # fmt: skip
    sources = inputs.sources_of(option, catalog)
    sources += tuple(facts_of("operations typical", operations(catalog).sources))
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
    given.append(("demand", "the scenario: [demand], nothing where it is silent"))
    rows = [*dict.fromkeys((fact.record, fact.source) for fact in found), *given]
    resting: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        for record, source in rows:
            if record.startswith(step.rests_on):
                resting.setdefault((step.name, source), []).append(record)
    return [
        {"step": step, "records": _listed(records), "source": source}
        for (step, source), records in resting.items()
    ]


def _listed(records: list[str]) -> str:
    """Return records of one source with each kind named once: `efficiency a, b`."""
    kinds: dict[str, list[str]] = {}
    for record in records:
        kind, _, name = record.partition(" ")
        kinds.setdefault(kind, []).append(name)
    return "; ".join(f"{kind} {', '.join(names)}".strip() for kind, names in kinds.items())
