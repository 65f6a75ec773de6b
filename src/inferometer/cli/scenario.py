"""Scenario files: what is planned, for whom, from what; options lie on top of the file."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.catalog.schema import build
from inferometer.cli.economics import (
    ApiSpec,
    CloudSpec,
    DemandSpec,
    DoubtSpec,
    EnergySpec,
    OwnershipSpec,
)
from inferometer.cli.policy import PolicySpec
from inferometer.errors import CatalogError, ScenarioError, WorkloadError
from inferometer.toml_file import read_toml
from inferometer.units import Duration, Fraction, PerSecond, UsdPerJoule
from inferometer.workload.seed import checked
from inferometer.workload.spec import WorkloadSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """What the search may choose; empty takes everything that the catalogue has.

    Attributes:
        gpus: Accelerators to consider.
        have: Supply as "h100-sxm=16"; then nothing else is considered.
        max_gpus: Most accelerators of one deployment.
        engines: Serving engines.
        kv: Formats of the KV cache, beside the one that a checkpoint states.
        allow_precision: Formats that the weights may be converted to, with loss; "kv-fp8" allows a
            format of the KV cache.
        max_num_seqs: Limits on running sequences.
        max_batched_tokens: Step budgets.
    """

    gpus: tuple[str, ...] = ()
    have: tuple[str, ...] = ()
    max_gpus: int = 1024
    engines: tuple[str, ...] = ("vllm",)
    kv: tuple[str, ...] = ("bf16",)
    allow_precision: tuple[str, ...] = ()
    max_num_seqs: tuple[int, ...] = ()
    max_batched_tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSpec:
    """Which price rows count.

    Attributes:
        commitment: "on-demand", "spot", "reserved-1y", "reserved-3y" or "owned".
        provider: One provider; "" for the cheapest.
        region: One region; "" for all.
        at: Day, as 2026-11-01; "" for the newest row of the catalogue.
        facility: Kind of data centre, for its PUE.
        grid: Electricity grid, for its carbon; "" leaves emissions unknown.
        file: CSV file of own price rows, which take the place of the catalogue's for the
            accelerators and commitments that they name; "" for none.
    """

    commitment: str = "on-demand"
    provider: str = ""
    region: str = ""
    at: str = ""
    facility: str = "industry"
    grid: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSpec:
    """One stated deployment.

    Attributes:
        gpu: Accelerator.
        tensor: Tensor-parallel ranks.
        pipeline: Pipeline stages.
        data: Attention data-parallel ranks.
        expert: Whether experts are placed whole.
        replicas: Replicas.
        engine: Serving engine.
        weights: Format of the weights; "" takes the first published checkpoint's.
        kv: Format of the KV cache.
        max_num_seqs: Limit on running sequences; 0 takes the engine's default.
        max_batched_tokens: Step budget; 0 takes the engine's default.
        draft_tokens: Tokens proposed per step by speculative decoding; 0 for none.
        acceptance: Probability that a proposed token is accepted, given those before it; none where
            nothing is drafted or `acceptance_by_position` says it.
        draft_cost: Time to propose one over a decode step: 0 for n-gram look-up.
        acceptance_by_position: Share of drafts whose token at each position was accepted, in place
            of `acceptance`.
    """

    gpu: str
    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: bool = False
    replicas: int = 1
    engine: str = "vllm"
    weights: str = ""
    kv: str = "bf16"
    max_num_seqs: int = 0
    max_batched_tokens: int = 0
    draft_tokens: int = 0
    acceptance: Fraction | None = None
    draft_cost: Fraction = 0.0
    acceptance_by_position: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSpec:
    """How a fleet is planned.

    Attributes:
        slot: Time for which a fleet stays as it is.
        prompt_classes: Classes by prompt length, of each tenant.
        slo: Targets by tenant, in place of the scenario's.
        start: Time from renting a replica to its first request, paid.
        min_on: Least time that a started replica is kept.
        spot_share: Largest share of the requests of a class on spot replicas.
        interruptions: How often a spot replica is taken back.
        sizes: Layouts kept per accelerator.
        clocks: Core clocks over the highest that replicas may run at.
        electricity: Price of energy where the price of an accelerator does not hold it; 0 if it
            does.
        carbon_price: Price of emissions per kg of CO2e, USD, on the grid of `prices.grid`.
        gap: Relative distance to the bound at which the search stops.
    """

    slot: Duration = 3600.0
    prompt_classes: int = 3
    slo: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    start: Duration = 300.0
    min_on: Duration = 3600.0
    spot_share: Fraction = 0.0
    interruptions: PerSecond = 0.0
    sizes: int = 2
    clocks: tuple[float, ...] = (1.0,)
    electricity: UsdPerJoule = 0.0
    carbon_price: float = 0.0
    gap: Fraction = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A question to the planner.

    Attributes:
        model: Name of a model of the catalogue, or path of its config.json.
        trace: Trace file; or give `workload`.
        workload: Specification of a synthetic workload.
        slo: Targets such as "ttft p99 <= 2 s" or "goodput >= 0.99".
        headroom: Share of every limit, and of the capacity, to leave free.
        confidence: Probability with which the SLO must hold, given how far predictions were off;
            without it the SLO must hold as predicted.
        search: What may be chosen.
        prices: Which prices count.
        deployment: The deployment to predict or explain.
        fleet: How a fleet is planned.
        seed: Of the synthetic workload, and of draws.
        catalog: TOML file of own catalogue records, which lie on top of the shipped ones; "" for
            none.
        demand: Users, growth and how the fleet is run.
        ownership: What owning takes.
        cloud: How accelerators are rented, beside their prices.
        api: What the traffic would go to instead.
        energy: How energy becomes emissions.
        doubt: How much is not known.
        policy: How a simulated fleet is operated.
    """

    model: str = ""
    trace: str = ""
    workload: WorkloadSpec | None = None
    slo: tuple[str, ...] = ()
    headroom: Fraction = 0.0
    confidence: Fraction | None = None
    search: SearchSpec = dataclasses.field(default_factory=SearchSpec)
    prices: PriceSpec = dataclasses.field(default_factory=PriceSpec)
    deployment: DeploymentSpec | None = None
    fleet: FleetSpec = dataclasses.field(default_factory=FleetSpec)
    seed: int = 0
    catalog: str = ""
    demand: DemandSpec = dataclasses.field(default_factory=DemandSpec)
    ownership: OwnershipSpec = dataclasses.field(default_factory=OwnershipSpec)
    cloud: CloudSpec = dataclasses.field(default_factory=CloudSpec)
    api: ApiSpec = dataclasses.field(default_factory=ApiSpec)
    energy: EnergySpec = dataclasses.field(default_factory=EnergySpec)
    doubt: DoubtSpec = dataclasses.field(default_factory=DoubtSpec)
    policy: PolicySpec = dataclasses.field(default_factory=PolicySpec)

    def __post_init__(self) -> None:
        checked(self.seed)


def read_scenario(path: Path | None) -> Scenario:
    """Return the scenario of a TOML file, the empty one without a file.

    A YAML file is read as a configuration of AISimulate.

    Raises:
        ScenarioError: unreadable, not TOML, an unknown key (with the nearest), a wrong type.
    """
    if path is not None and path.suffix.lower() in {".yaml", ".yml"}:
        from inferometer.deploy.aisimulate.scenario import scenario_of

        return _built(Scenario, scenario_of(path), str(path))
    table: dict[str, Any] = {} if path is None else read_toml(path, ScenarioError)
    return _built(Scenario, table, str(path))


def read_deployment(path: Path) -> DeploymentSpec:
    """Return the `[deployment]` table of a TOML file.

    Raises:
        ScenarioError: as `read_scenario`, or no such table.
    """
    table = read_toml(path, ScenarioError)
    if "deployment" not in table:
        raise ScenarioError(f"{path}: no [deployment] table; it needs at least 'gpu'")
    return _built(DeploymentSpec, table["deployment"], f"{path}: deployment")


def overlaid(scenario: Any, **options: Any) -> Any:
    """Return a record with every option that was given (not None, not empty) in its place."""
    given = {name: value for name, value in options.items() if value not in (None, (), "")}
    return dataclasses.replace(scenario, **given)


def _built(record: Any, table: Any, where: str) -> Any:
    try:
        return build(record, table, where)
    except CatalogError as error:
        raise ScenarioError(str(error)) from error
    except WorkloadError as error:
        raise ScenarioError(f"{where}: {error}") from error
