"""Answers for the report's tests: real model, accelerators and prices, real closed form."""

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.api_offers import api_of
from inferometer.cli.prices import instant
from inferometer.cli.scenario import DeploymentSpec, PriceSpec, Scenario, SearchSpec
from inferometer.plan.comparison import compare
from inferometer.plan.option import stated
from inferometer.plan.search import search
from inferometer.plan.sensitivity import Case, tornado
from inferometer.plan.space import build
from inferometer.plan.waterfall import waterfall
from inferometer.report.answer import Answer
from inferometer.workload.shape import Shape

SCENARIO = Scenario(
    model="llama-3.1-8b",
    slo=("ttft p99 <= 2 s", "tpot p99 <= 60 ms"),
    search=SearchSpec(
        gpus=("h100-sxm", "a100-sxm-80gb", "l40s"),
        max_gpus=32,
        max_num_seqs=(64, 256),
        max_batched_tokens=(512, 8192),
    ),
    prices=PriceSpec(at="2026-10-01", grid="us"),
)
SHAPE = Shape(
    name="an hour of chat",
    requests=36000.0,
    span=3600.0,
    rate=10.0,
    peak_rate=14.0,
    series=10 + 4 * np.sin(np.arange(60) / 60 * np.pi),
    bin_width=60.0,
    burstiness=1.2,
    inputs=np.array([200.0, 800.0, 1500.0, 4000.0]),
    outputs=np.array([50.0, 150.0, 300.0, 500.0]),
)


@functools.cache
def full_answer() -> Answer:
    """Return an answer with every part that a report can show."""
    model, slo = inputs.model_of(SCENARIO), inputs.slo_of(SCENARIO)
    weights = inputs.weights_of(model, SCENARIO.search)
    supplies = inputs.supplies_of(SCENARIO.search, SCENARIO.prices)
    space = build(model, supplies, inputs.choices_of(weights, SCENARIO.search))
    evaluate, site = inputs.evaluator(slo), inputs.site_of(SCENARIO)
    plan = search(space, SHAPE, slo, evaluate, site)
    today = inputs.deployment_of(model, DeploymentSpec(gpu="h100-sxm", tensor=2, replicas=3))
    price = inputs.price_of("h100-sxm", SCENARIO.prices)
    before = stated(today, price, evaluate(one(today), SHAPE), slo, site)
    return Answer(
        plan=plan,
        shape=SHAPE,
        prices_at=instant(SCENARIO.prices),
        waterfall=waterfall(
            plan.best,
            SHAPE,
            slo,
            evaluate=evaluate,
            ideal=inputs.ideal(slo),
        ),
        api=api_of(SCENARIO, model, SHAPE),
        swings=tornado(plan, Case(space=space, shape=SHAPE, evaluate=evaluate), slo),
        comparison=compare(before, plan.best),
        weights=("meta-llama/Llama-3.1-8B; quality: the reference",),
        facts=inputs.sources_of(plan.best),
        efficiencies=efficiencies(),
        assumptions=("requests spread evenly over replicas",),
        scenario='model = "llama-3.1-8b"\n',
        command=("inferometer", "plan", "scenario.toml"),
        version="0.1.0",
    )


def answer_with(**changes: Any) -> Answer:
    """Return the full answer with other parts."""
    return replace(full_answer(), **changes)
