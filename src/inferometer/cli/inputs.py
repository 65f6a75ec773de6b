"""What a scenario names, looked up: model, workload, supply, prices, evaluator."""

import datetime as dt
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from inferometer.account.api import ApiCost, api_cost
from inferometer.account.bill import Tariff
from inferometer.catalog import tables
from inferometer.catalog.efficiency import Efficiencies, efficiencies
from inferometer.catalog.huggingface import read_config
from inferometer.catalog.models import Model, model
from inferometer.catalog.prices import AcceleratorPrice, accelerator_price, accelerator_prices
from inferometer.catalog.source import Evidence
from inferometer.catalog.tokens import token_prices
from inferometer.cli.scenario import DeploymentSpec, PriceSpec, Scenario, SearchSpec
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.outcome import Counts, Energy, Latency, Outcome
from inferometer.perf.predict import predict
from inferometer.perf.prediction import Prediction
from inferometer.plan.option import Option
from inferometer.plan.precision import Weights, provided
from inferometer.plan.provenance import Fact, facts, parameter_facts
from inferometer.plan.replicas import Evaluate
from inferometer.plan.space import Choices, Supply
from inferometer.workload.formats.files import read
from inferometer.workload.shape import Shape, shape_of
from inferometer.workload.slo import Slo, parse_slo
from inferometer.workload.synthesis import synthesise


def model_of(scenario: Scenario) -> Model:
    """Return the model that a scenario names, by catalogue name or path.

    Raises:
        ScenarioError: none named.
        CatalogError: unknown, or a description that cannot be read.
    """
    if not scenario.model:
        raise ScenarioError("no model: give --model, a catalogue name or the path of a config.json")
    path = Path(scenario.model)
    return read_config(path) if path.exists() else model(scenario.model)


def shape_of_scenario(scenario: Scenario) -> Shape:
    """Return the shape of the trace or of the synthetic workload of a scenario.

    Raises:
        ScenarioError: none given.
        WorkloadError: it cannot be read or made.
    """
    if scenario.trace:
        return shape_of(read(Path(scenario.trace)).trace)
    if scenario.workload is not None:
        return shape_of(synthesise(scenario.workload, seed=scenario.seed))
    raise ScenarioError("no workload: give --trace FILE, --workload SPEC or a [workload] table")


def slo_of(scenario: Scenario) -> Slo:
    """Return the targets of a scenario.

    Raises:
        ScenarioError: one that cannot be read.
    """
    return parse_slo(scenario.slo, headroom=scenario.headroom)


def instant(prices: PriceSpec) -> dt.date:
    """Return the day asked about: the newest row of the catalogue, so that answers repeat.

    Raises:
        ScenarioError: not a date.
    """
    if not prices.at:
        return max(row.valid_from for row in accelerator_prices())
    try:
        return dt.date.fromisoformat(prices.at)
    except ValueError as error:
        raise ScenarioError(f"prices.at: {prices.at!r} is not a day such as 2026-11-01") from error


def price_of(key: str, prices: PriceSpec) -> AcceleratorPrice | None:
    """Return the price of one accelerator, None if unpriced.

    Raises:
        CatalogError: unknown commitment.
    """
    return accelerator_price(
        key,
        at=instant(prices),
        commitment=prices.commitment,
        provider=prices.provider,
        region=prices.region,
    )


def supplies_of(search: SearchSpec, prices: PriceSpec) -> tuple[Supply, ...]:
    """Return the accelerators on offer, those of the user only if some are stated.

    Raises:
        ScenarioError: a supply that cannot be read.
        CatalogError: an unknown accelerator.
    """
    counts = _stated(search.have)
    names = [*counts] or [tables.accelerator(name).key for name in search.gpus]
    every = [chip.key for chip in tables.accelerators().values() if chip.kind != "cpu"]
    return tuple(
        Supply(
            accelerator=tables.accelerator(key),
            node=tables.node(key),
            price=price_of(key, prices),
            available=counts.get(key, search.max_gpus),
        )
        for key in dict.fromkeys(names or every)
    )


def _stated(have: tuple[str, ...]) -> Mapping[str, int]:
    found = dict[str, int]()
    for text in have:
        name, _, count = text.partition("=")
        if not count.strip().isdecimal() or int(count) < 1:
            raise ScenarioError(f"have {text!r}: write it as h100-sxm=16, at least 1")
        found[tables.accelerator(name.strip()).key] = int(count)
    return found


def weights_of(model: Model, search: SearchSpec) -> tuple[Weights, ...]:
    """Return the precisions that the search may choose.

    Raises:
        CatalogError: a number format that is not known.
    """
    return provided(model, tables.formats(), kv=search.kv, requantise=search.allow_precision)


def choices_of(weights: tuple[Weights, ...], search: SearchSpec) -> Choices:
    """Return what the search may choose beside accelerators and layouts.

    Raises:
        ScenarioError: a limit below 1.
        CatalogError: an unknown engine.
    """
    limits = {
        name: getattr(search, name)
        for name in ("max_num_seqs", "max_batched_tokens")
        if getattr(search, name)
    }
    return Choices(
        engines=tuple(tables.engine(name) for name in search.engines),
        precisions=tuple(item.precision for item in weights),
        max_accelerators=search.max_gpus,
        **limits,
    )


def deployment_of(model: Model, spec: DeploymentSpec) -> Deployment:
    """Return the deployment that `spec` states.

    Raises:
        ScenarioError: a layout that cannot be built.
        CatalogError: an unknown accelerator, engine or format.
    """
    chip, engine = tables.accelerator(spec.gpu), tables.engine(spec.engine)
    return Deployment(
        model=model,
        accelerator=chip,
        node=tables.node(chip.key),
        parallelism=_layout(model, spec),
        precision=_precision(model, spec),
        settings=EngineSettings(
            engine=engine,
            max_num_seqs=_at_least_one(spec, "max_num_seqs") or engine.max_num_seqs,
            max_batched_tokens=_at_least_one(spec, "max_batched_tokens")
            or engine.max_batched_tokens,
            memory_fraction=engine.memory_fraction,
        ),
        replicas=_at_least_one(spec, "replicas", least=1),
    )


def _at_least_one(spec: DeploymentSpec, name: str, *, least: int = 0) -> int:
    value: int = getattr(spec, name)
    if value < least:
        raise ScenarioError(f"deployment.{name} is {value}; at least 1 is needed")
    return value


def _layout(model: Model, spec: DeploymentSpec) -> Parallelism:
    layout = Parallelism(
        tensor=spec.tensor, pipeline=spec.pipeline, data=spec.data, expert=spec.expert
    )
    heads = {layer.attention.query_heads for layer in model.layers} - {0}
    wrong = sorted(count for count in heads if count % layout.tensor)
    if wrong:
        raise ScenarioError(
            f"deployment.tensor is {layout.tensor}, which does not divide the {wrong[0]} query "
            f"heads of {model.key}; take a divisor"
        )
    return layout


def _precision(model: Model, spec: DeploymentSpec) -> Precision:
    first = model.checkpoints[0] if model.checkpoints else None
    linear = spec.weights or (first.linear if first else "bf16")
    experts = spec.weights or (first.experts if first else "") or linear
    return Precision(
        linear=tables.number_format(linear),
        experts=tables.number_format(experts),
        kv=tables.number_format(spec.kv),
    )


def evaluator(slo: Slo) -> Evaluate:
    """Return the closed form with the shipped efficiencies."""
    return partial(predict, efficiencies=efficiencies(), slo=slo)


def ideal(slo: Slo) -> Evaluate:
    """Return the closed form with every peak rate reached and no overhead."""
    return partial(predict, efficiencies=_ideal(), slo=slo)


def _ideal() -> Efficiencies:
    import dataclasses

    best = {}
    for key, parameter in efficiencies().items():
        overhead = "latency" in key or "overhead" in key
        base = 0.0 if overhead else parameter.base if key.startswith("power") else 1.0
        limits = {"low": min(base, parameter.low), "high": max(base, parameter.high)}
        best[key] = dataclasses.replace(parameter, base=base, factors={}, **limits)
    return best


def require_fit(deployment: Deployment, prediction: Prediction) -> None:
    """Refuse a stated deployment that cannot run.

    Raises:
        InfeasibleError: it does not fit in memory.
    """
    if not prediction.fits[0]:
        raise InfeasibleError(
            f"{deployment}: weights and the longest request do not fit in memory, or the layout "
            "cannot be built; take more ranks, a larger accelerator or a smaller format"
        )


def sources_of(option: Option) -> tuple[Fact, ...]:
    """Return the sources behind an option, the performance model's own parameters included."""
    return facts(option) + parameter_facts(efficiencies())


def site_of(scenario: Scenario) -> Tariff:
    """Return building and grid of a scenario.

    Raises:
        CatalogError: an unknown grid or facility.
    """
    prices = scenario.prices
    return Tariff(
        accelerator=None,
        pue=tables.facility(prices.facility).pue,
        carbon=tables.grid(prices.grid).carbon if prices.grid else None,
    )


def api_of(scenario: Scenario, model: Model, shape: Shape) -> tuple[ApiCost, ...]:
    """Return what every provider charges for the traffic of `shape`, the cheapest first."""
    rows = token_prices(model.key, at=instant(scenario.prices))
    costs = [api_cost(traffic(shape), row) for row in rows]
    return tuple(sorted(costs, key=lambda cost: (cost.rate, cost.price.provider)))


def traffic(shape: Shape) -> Outcome:
    """Return the outcome of an API that serves `shape` at once: its rates, nothing else."""
    none = Latency(mean=0.0, p50=0.0, p90=0.0, p99=0.0)
    return Outcome(
        evidence=Evidence.ASSUMED,
        span=shape.span,
        ttft=none,
        tpot=none,
        itl=none,
        e2e=none,
        request_rate=shape.rate,
        input_rate=shape.rate * shape.mean_input,
        cached_rate=shape.rate * shape.mean_input * shape.cached_fraction,
        output_rate=shape.rate * shape.mean_output,
        capacity=shape.peak_rate,
        utilisation=1.0,
        batch=0.0,
        kv_fraction=0.0,
        power=0.0,
        energy=Energy(prefill=0.0, decode=0.0, idle=0.0),
        counts=Counts(arrived=shape.requests, finished=shape.requests),
    )
