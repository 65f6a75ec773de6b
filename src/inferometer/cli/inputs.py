"""What a scenario names, looked up: model, workload, supply, prices, evaluator."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from inferometer.account.bill import Tariff
from inferometer.catalog import tables
from inferometer.catalog.efficiency import Efficiencies, efficiencies
from inferometer.catalog.models import Model, model
from inferometer.catalog.uncertainty import basis, own_basis, residuals
from inferometer.cli.plausibility import doubts_of_prices, doubts_of_rows, doubts_of_targets, warn
from inferometer.cli.prices import own_prices, price_of
from inferometer.cli.scenario import DeploymentSpec, PriceSpec, Scenario, SearchSpec
from inferometer.cli.traffic import requests_of
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision, Speculation
from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.perf.predict import predict
from inferometer.perf.prediction import Prediction
from inferometer.plan.option import Option
from inferometer.plan.precision import Weights, provided
from inferometer.plan.provenance import Fact, facts, parameter_facts
from inferometer.plan.replicas import Evaluate, check_context
from inferometer.plan.risk import Risk, doubts_of
from inferometer.plan.space import Choices, Supply
from inferometer.workload.shape import Shape, shape_of
from inferometer.workload.slo import Slo, parse_slo
from inferometer.workload.synthesis import synthesise
from inferometer.workload.trace import Trace


def model_of(scenario: Scenario) -> Model:
    """Return the model that a scenario names, by catalogue name or path.

    Raises:
        ScenarioError: none named.
        CatalogError: unknown, or a description that cannot be read.
    """
    if not scenario.model:
        raise ScenarioError("no model: give --model, a name or a config.json or .gguf file")
    return _checkpoint_first(model(scenario.model), scenario.model)


def _checkpoint_first(found: Model, name: str) -> Model:
    """Return a model with the checkpoint that it was named by first: its formats are meant."""
    named = [one for one in found.checkpoints if one.name.lower() == name.lower()]
    others = [one for one in found.checkpoints if one not in named]
    return replace(found, checkpoints=(*named, *others)) if named else found


def shape_of_scenario(scenario: Scenario) -> Shape:
    """Return the shape of the trace or of the synthetic workload of a scenario, as it is stated.

    Its users are not counted here: `cli.service.shape_of_demand` does.

    Raises:
        ScenarioError: none given.
        WorkloadError: it cannot be read or made.
    """
    return shape_of(_requests(scenario))


def trace_of_scenario(scenario: Scenario) -> Trace:
    """Return the requests of a scenario to be played: those of its trace, or synthetic ones.

    Raises:
        ScenarioError: none given, or users whose rate no request could follow.
        WorkloadError: they cannot be read or made.
    """
    refuse_users(scenario)
    return _requests(scenario)


def refuse_users(scenario: Scenario) -> None:
    """Refuse users where requests are played: those arrive when the workload says.

    Raises:
        ScenarioError: users are stated.
    """
    if scenario.demand.users is not None:
        raise ScenarioError(
            "demand.users: not counted where requests are played; state the workload's rate"
        )


def _requests(scenario: Scenario) -> Trace:
    if scenario.trace:
        found = requests_of(scenario.trace)
        warn(doubts_of_rows(scenario.trace, found.counts))
        return found.trace
    if scenario.workload is not None:
        return synthesise(scenario.workload, seed=scenario.seed)
    raise ScenarioError("no workload: give --trace FILE, --workload SPEC or a [workload] table")


def slo_of(scenario: Scenario) -> Slo:
    """Return the targets of a scenario.

    Raises:
        ScenarioError: one that cannot be read.
    """
    slo = parse_slo(scenario.slo, headroom=scenario.headroom)
    warn(doubts_of_targets(slo))
    return slo


def risk_of(scenario: Scenario, model: Model) -> Risk:
    """Return how far predictions of `model` may be off, and the confidence that is asked for.

    Raises:
        ScenarioError: a confidence beyond what errors are known for.
        CatalogError: the overlay is at fault.
    """
    catalog = overlay_of(scenario)
    chips = tables.accelerators(catalog)
    own = own_basis(catalog)
    doubts = doubts_of(residuals(catalog), basis(catalog), model.family, chips, own)
    return Risk(doubts=doubts, confidence=scenario.confidence)


def overlay_of(scenario: Scenario) -> Path | None:
    """Return the file of own catalogue records of a scenario, if it names one."""
    return Path(scenario.catalog) if scenario.catalog else None


def supplies_of(
    search: SearchSpec, prices: PriceSpec, catalog: Path | None = None
) -> tuple[Supply, ...]:
    """Return the accelerators on offer, those of the user only if some are stated.

    Raises:
        ScenarioError: a supply that cannot be read.
        CatalogError: an unknown accelerator.
    """
    known = tables.accelerators(catalog)
    warn(doubts_of_prices(own_prices(prices, catalog)))
    counts = _stated(search.have, catalog)
    names = [*counts] or [tables.accelerator(name, catalog).key for name in search.gpus]
    every = [chip.key for chip in known.values() if chip.kind != "cpu"]
    return tuple(
        Supply(
            accelerator=known[key],
            node=tables.node(key, catalog),
            price=price_of(key, prices, catalog),
            available=counts.get(key, search.max_gpus),
        )
        for key in dict.fromkeys(names or every)
    )


def _stated(have: tuple[str, ...], catalog: Path | None) -> Mapping[str, int]:
    found = dict[str, int]()
    for text in have:
        name, _, count = text.partition("=")
        if not count.strip().isdecimal() or int(count) < 1:
            raise ScenarioError(f"have {text!r}: write it as h100-sxm=16, at least 1")
        found[tables.accelerator(name.strip(), catalog).key] = int(count)
    return found


def weights_of(
    model: Model, search: SearchSpec, catalog: Path | None = None
) -> tuple[Weights, ...]:
    """Return the precisions that the search may choose.

    Raises:
        CatalogError: a number format that is not known.
    """
    return provided(model, tables.formats(catalog), kv=search.kv, requantise=search.allow_precision)


def choices_of(
    weights: tuple[Weights, ...], search: SearchSpec, catalog: Path | None = None
) -> Choices:
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
        engines=tuple(tables.engine(name, catalog) for name in search.engines),
        precisions=tuple(item.precision for item in weights),
        max_accelerators=search.max_gpus,
        **limits,
    )


def deployment_of(model: Model, spec: DeploymentSpec, catalog: Path | None = None) -> Deployment:
    """Return the deployment that `spec` states.

    Raises:
        ScenarioError: a layout that cannot be built.
        CatalogError: an unknown accelerator, engine or format.
    """
    chip, engine = tables.accelerator(spec.gpu, catalog), tables.engine(spec.engine, catalog)
    return Deployment(
        model=model,
        accelerator=chip,
        node=tables.node(chip.key, catalog),
        parallelism=_layout(model, spec),
        precision=_precision(model, spec, catalog),
        settings=EngineSettings(
            engine=engine,
            max_num_seqs=_at_least_one(spec, "max_num_seqs") or engine.max_num_seqs,
            max_batched_tokens=_at_least_one(spec, "max_batched_tokens")
            or engine.max_batched_tokens,
            memory_fraction=engine.memory_fraction,
        ),
        replicas=_at_least_one(spec, "replicas", least=1),
        speculation=_speculation(spec),
    )


def _speculation(spec: DeploymentSpec) -> Speculation | None:
    known = (spec.draft_tokens, spec.acceptance, spec.draft_cost, spec.acceptance_by_position)
    if not any(known):
        return None
    return Speculation(
        draft_tokens=spec.draft_tokens,
        acceptance=spec.acceptance,
        draft_cost=spec.draft_cost,
        by_position=spec.acceptance_by_position,
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
    if layout.expert and not any(layer.feed_forward.experts for layer in model.layers):
        raise ScenarioError(
            f"deployment.expert places experts whole, but {model.key} is dense and has none; leave "
            "out --ep"
        )
    return layout


def _precision(model: Model, spec: DeploymentSpec, catalog: Path | None) -> Precision:
    first = model.checkpoints[0] if model.checkpoints else None
    linear = spec.weights or (first.linear if first else "bf16")
    experts = spec.weights or (first.experts if first else "") or linear
    return Precision(
        linear=tables.number_format(linear, catalog),
        experts=tables.number_format(experts, catalog),
        kv=tables.number_format(spec.kv, catalog),
    )


def evaluator(slo: Slo, catalog: Path | None = None) -> Evaluate:
    """Return the closed form with the shipped efficiencies, or those of an overlay."""
    return partial(predict, efficiencies=efficiencies(catalog), slo=slo)


def ideal(slo: Slo, catalog: Path | None = None) -> Evaluate:
    """Return the closed form with every peak rate reached and no overhead."""
    return partial(predict, efficiencies=_ideal(catalog), slo=slo)


def _ideal(catalog: Path | None) -> Efficiencies:
    best = {}
    for key, parameter in efficiencies(catalog).items():
        overhead = "latency" in key or "overhead" in key
        base = 0.0 if overhead else parameter.base if key.startswith("power") else 1.0
        limits = {"low": min(base, parameter.low), "high": max(base, parameter.high)}
        best[key] = replace(parameter, base=base, factors={}, **limits)
    return best


def require_fit(deployment: Deployment, prediction: Prediction) -> None:
    """Refuse a stated deployment that cannot run.

    Raises:
        InfeasibleError: a request is longer than the model's context, or it does not fit in memory.
    """
    check_context(deployment.model, prediction.shape)
    if not prediction.fits[0]:
        raise InfeasibleError(
            f"{deployment}: weights and the longest request do not fit in memory, or the layout "
            "cannot be built; take more ranks, a larger accelerator or a smaller format"
        )


def require_carried(deployment: Deployment, prediction: Prediction) -> None:
    """Refuse a stated deployment whose queue would grow without end.

    Raises:
        InfeasibleError: its load reaches its capacity.
    """
    load, capacity = float(prediction.utilisation[0]), float(prediction.capacity[0])
    if load >= 1:
        raise InfeasibleError(
            f"{deployment}: overloaded: load {load:.3g} at the busiest minute; capacity "
            f"{capacity:.4g} requests/s, asked for {prediction.shape.peak_rate:.4g}; take more "
            f"replicas ({int(deployment.replicas * load) + 1} or more)"
        )


def sources_of(option: Option, catalog: Path | None = None) -> tuple[Fact, ...]:
    """Return the sources behind an option, the performance model's own parameters included."""
    return facts(option) + parameter_facts(efficiencies(catalog))


def site_of(scenario: Scenario) -> Tariff:
    """Return building and grid of a scenario.

    Raises:
        CatalogError: an unknown grid or facility.
    """
    prices, catalog = scenario.prices, overlay_of(scenario)
    return Tariff(
        accelerator=None,
        pue=tables.facility(prices.facility, catalog).pue,
        carbon=tables.grid(prices.grid, catalog).carbon if prices.grid else None,
    )
