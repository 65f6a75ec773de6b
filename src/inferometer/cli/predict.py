"""`inferometer predict`: what one stated deployment does under a workload, and what it costs."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.options import Format, Question, Stated, deployment_spec, scenario_of
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.service import shape_of_demand
from inferometer.outcome import Latency
from inferometer.plan.anatomy import Anatomy, StepParts, anatomy
from inferometer.plan.option import Option, stated
from inferometer.plan.risk import intervals, probabilities


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
    scenario = scenario_of(file, question or Question(), deployment)
    spec = deployment_spec(scenario)
    catalog = inputs.overlay_of(scenario)
    model = inputs.model_of(scenario)
    built = inputs.deployment_of(model, spec, catalog)
    slo, (shape, _) = inputs.slo_of(scenario), shape_of_demand(scenario, catalog)
    evaluate, doubts = inputs.evaluator(slo, catalog), inputs.risk_of(scenario, model).doubts
    prediction = evaluate(one(built), shape)
    inputs.require_fit(built, prediction)
    inputs.require_carried(built, prediction)
    price = inputs.price_of(built.accelerator.key, scenario.prices, catalog)
    option = stated(built, price, prediction, slo, inputs.site_of(scenario))
    sure = probabilities((built,), shape, slo, evaluate, doubts)
    option = replace(option, probability=float(sure[0]))
    around = intervals(option.outcome, doubts[built.accelerator.key])
    inside = anatomy(built, shape, efficiencies(catalog))
    if format == "json":
        answer = {
            "option": option,
            "intervals_80": [interval._asdict() for interval in around],
            "anatomy": inside,
            "sources": inputs.sources_of(option, catalog),
        }
        show_json(answer | {"scenario": scenario})
    else:
        _tables(option)
        show_rows("80 % of measurements lie within, as far as held-out ones tell", [
            interval._asdict() for interval in around
        ])  # fmt: skip
        _inside(inside)


def _inside(inside: Anatomy) -> None:
    """Print where the time of a step and the memory of an accelerator go."""
    kinds = {"decode alone": inside.decode, f"with {inside.chunk:.0f} prompt tokens": inside.mixed}
    shares = (1 - inside.share_mixed, inside.share_mixed)
    show_rows(f"Parts of a step with {inside.sequences:.3g} sequences, ms", [
        {"step": name, "share of steps": share} | _milliseconds(step)
        for (name, step), share in zip(kinds.items(), shares, strict=True)
    ])  # fmt: skip
    memory = {field.name: getattr(inside.memory, field.name) for field in fields(inside.memory)}
    show_rows("Memory of one accelerator", [
        {"use": name, "GB": size / 1e9, "share": size / inside.memory.capacity}
        for name, size in memory.items()
    ])  # fmt: skip


def _milliseconds(step: StepParts) -> dict[str, float]:
    named = {field.name: getattr(step, field.name) * 1e3 for field in fields(step)}
    sides = {"compute": "compute side", "memory": "memory side"}
    return {sides.get(name, name): value for name, value in named.items()}


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
        "probability that the SLO holds": option.probability,
    }
    show_rows("Outcome", [{"quantity": name, "value": value} for name, value in rows.items()])


def _latency(name: str, latency: Latency) -> dict[str, Any]:
    columns = ("mean", "p50", "p90", "p99")
    return {"metric": name} | {f"{c} ms": getattr(latency, c) * 1e3 for c in columns}
