"""`inferometer predict`: what one stated deployment does under a workload, and what it costs."""

from pathlib import Path
from typing import Any

from inferometer.candidates import one
from inferometer.cli import inputs
from inferometer.cli.options import Format, Question, Stated, deployment_spec, scenario_of
from inferometer.cli.result import show_json, show_rows
from inferometer.outcome import Latency
from inferometer.plan.option import Option, stated


def predict(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Predict latency, throughput, energy and cost of one deployment under a workload.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        deployment: The deployment.
        format: A table for people, or JSON.
    """
    scenario = scenario_of(file, question or Question())
    spec = deployment_spec(scenario, deployment or Stated())
    built = inputs.deployment_of(inputs.model_of(scenario), spec)
    slo, shape = inputs.slo_of(scenario), inputs.shape_of_scenario(scenario)
    prediction = inputs.evaluator(slo)(one(built), shape)
    inputs.require_fit(built, prediction)
    price = inputs.price_of(built.accelerator.key, scenario.prices)
    option = stated(built, price, prediction, slo, inputs.site_of(scenario))
    if format == "json":
        show_json({"option": option, "sources": inputs.sources_of(option), "scenario": scenario})
    else:
        _tables(option)


def _tables(option: Option) -> None:
    outcome, priced = option.outcome, option.by_allocation
    show_rows(str(option.deployment), [
        _latency(name, getattr(outcome, name)) for name in ("ttft", "tpot", "itl", "e2e")
    ])  # fmt: skip
    rows: dict[str, Any] = {
        "load at the busiest minute": outcome.utilisation,
        "capacity, requests/s": outcome.capacity,
        "running sequences": outcome.batch,
        "KV cache in use": outcome.kv_fraction,
        "power, W": outcome.power,
        "$/h": "unpriced" if option.cost is None else option.cost * 3600,
        "$/Mtok, whole rent": "unpriced" if priced is None else priced * 1e6,
        "limited by": outcome.binding,
        "tightest target": option.tightest or "none",
    }
    show_rows("Outcome", [{"quantity": name, "value": value} for name, value in rows.items()])


def _latency(name: str, latency: Latency) -> dict[str, Any]:
    columns = ("mean", "p50", "p90", "p99")
    return {"metric": name} | {f"{c} ms": getattr(latency, c) * 1e3 for c in columns}
