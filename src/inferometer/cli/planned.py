"""What `deploy` reads: a plan's JSON, or a scenario that is predicted or planned on the spot."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from inferometer.catalog import tables
from inferometer.cli import inputs
from inferometer.cli.options import Question, Stated, scenario_of
from inferometer.cli.scenario import DeploymentSpec, Scenario
from inferometer.cli.service import deployment_or_best, option_of, shape_of_demand
from inferometer.deploy.rollout import Load
from inferometer.deployment import Deployment, Precision
from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.plan.option import Option
from inferometer.workload.slo import Slo, parse_slo

T = TypeVar("T")
HOUR = 3600.0
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A deployment with what it was planned for.

    Attributes:
        deployment: The deployment.
        load: The load.
        slo: Targets.
        rent: Price of one accelerator, USD/s; None if unpriced.
        missed: The target that it is predicted to miss, "" if it keeps all.
    """

    deployment: Deployment
    load: Load
    slo: Slo
    rent: float | None
    missed: str


@dataclass
class _Built:
    """The deployment in a plan's JSON."""

    model: str
    accelerator: str
    replicas: int
    tensor: int
    pipeline: int
    data: int
    expert: bool
    precision: str
    engine: str
    max_num_seqs: int
    max_batched_tokens: int
    memory_fraction: float
    prefix_caching: bool


@dataclass
class _Time:
    """A latency in a plan's JSON."""

    mean_ms: float
    p99_ms: float


@dataclass
class _Outcome:
    """The outcome in a plan's JSON, as far as it is read."""

    e2e: _Time
    request_rate_per_s: float
    input_rate_tok_per_s: float
    output_rate_tok_per_s: float
    capacity_per_s: float
    utilisation: float


@dataclass
class _Price:
    """The price of one accelerator in a plan's JSON."""

    price_usd_per_h: float


@dataclass
class _Option:
    """One option of a plan's JSON."""

    deployment: _Built
    outcome: _Outcome
    price: _Price | None = None


@dataclass
class _Plan:
    """The answer of a search in its JSON."""

    best: _Option
    alternatives: list[_Option]


@dataclass
class _Workload:
    """The workload of a plan's JSON."""

    longest_tokens: float


@dataclass
class _Asked:
    """The scenario in a plan's JSON, as far as it is read."""

    model: str
    slo: list[str]
    headroom: float
    catalog: str


@dataclass
class _Answer:
    """A plan's JSON."""

    plan: _Plan
    workload: _Workload
    scenario: _Asked


@dataclass
class _Head:
    """What tells whether a JSON file is a plan's."""

    feasible: bool


def read_plan(content: bytes, where: str, gpu: str = "") -> Planned:
    """Return the best option of a plan's JSON, or the one on the accelerator `gpu`.

    Raises:
        ScenarioError: not JSON, or not that of `inferometer plan`.
        InfeasibleError: the plan found nothing.
    """
    if not _decoded(content, _Head, where).feasible:
        raise InfeasibleError(
            f"{where}: nothing in that plan serves its workload within its SLO, so there is "
            "nothing to deploy; its 'relax' says what would have to give"
        )
    answer = _decoded(content, _Answer, where)
    asked, chosen = answer.scenario, _chosen(answer, gpu, where)
    outcome, built = chosen.outcome, _deployment(chosen.deployment, asked)
    peak = outcome.utilisation * outcome.capacity_per_s
    load = Load(
        peak_rate=peak,
        request_rate=outcome.request_rate_per_s,
        in_flight=peak * outcome.e2e.mean_ms / 1e3 / built.replicas,
        mean_input=outcome.input_rate_tok_per_s / outcome.request_rate_per_s,
        mean_output=outcome.output_rate_tok_per_s / outcome.request_rate_per_s,
        longest=answer.workload.longest_tokens,
        slowest=outcome.e2e.p99_ms / 1e3,
    )
    rent = None if chosen.price is None else chosen.price.price_usd_per_h / HOUR
    slo = parse_slo(asked.slo, headroom=asked.headroom)
    return Planned(deployment=built, load=load, slo=slo, rent=rent, missed="")


def _decoded(content: bytes, record: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(content, type=record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(
            f"{where}: {error}; the output of `inferometer plan --format json` of this release is "
            "wanted"
        ) from error


def _chosen(answer: _Answer, gpu: str, where: str) -> _Option:
    plan, own = answer.plan, answer.scenario.catalog
    if not gpu:
        return plan.best
    wanted = tables.accelerator(gpu, Path(own) if own else None).key
    found = {option.deployment.accelerator: option for option in plan.alternatives}
    if wanted not in found:
        raise ScenarioError(f"{where}: no option on {wanted}; it has {', '.join(found)}")
    return found[wanted]


def _deployment(built: _Built, asked: _Asked) -> Deployment:
    scenario = Scenario(model=asked.model, catalog=asked.catalog)
    model, catalog = inputs.model_of(scenario), inputs.overlay_of(scenario)
    spec = DeploymentSpec(
        gpu=built.accelerator, tensor=built.tensor, pipeline=built.pipeline, data=built.data,
        expert=built.expert, replicas=built.replicas, engine=built.engine,
        max_num_seqs=built.max_num_seqs, max_batched_tokens=built.max_batched_tokens,
    )  # fmt: skip
    found = inputs.deployment_of(model, spec, catalog)
    weights, _, kv = built.precision.partition("+kv-")
    linear, _, experts = weights.partition("/")
    formats = {"linear": linear, "experts": experts or linear, "kv": kv or "bf16"}
    precision = {part: tables.number_format(key, catalog) for part, key in formats.items()}
    settings = replace(
        found.settings,
        memory_fraction=built.memory_fraction,
        prefix_caching=built.prefix_caching,
    )
    return replace(found, precision=Precision(**precision), settings=settings)


def predicted(file: Path, asked: Question, chosen: Stated) -> Planned:
    """Return the deployment of a scenario, stated or else the cheapest, with its prediction.

    Raises:
        ScenarioError: a scenario or a layout at fault.
        InfeasibleError: it does not fit, is overloaded, or nothing serves the workload.
    """
    scenario = scenario_of(file, asked, chosen)
    slo, catalog = inputs.slo_of(scenario), inputs.overlay_of(scenario)
    shape, _ = shape_of_demand(scenario, catalog)
    built = deployment_or_best(scenario, slo, shape)
    option = option_of(scenario, built, shape)
    rent = None if option.price is None else option.price.price
    missed = option.tightest if option.headroom < slo.headroom else ""
    load = _load(option, shape.longest)
    return Planned(deployment=built, load=load, slo=slo, rent=rent, missed=missed)


def _load(option: Option, longest: float) -> Load:
    outcome = option.outcome
    peak = outcome.utilisation * outcome.capacity
    return Load(
        peak_rate=peak,
        request_rate=outcome.request_rate,
        in_flight=peak * outcome.e2e.mean / option.deployment.replicas,
        mean_input=outcome.input_rate / outcome.request_rate,
        mean_output=outcome.output_rate / outcome.request_rate,
        longest=longest,
        slowest=outcome.e2e.p99,
    )
