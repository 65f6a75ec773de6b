"""Options that the commands share; what is given lies on top of the scenario file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from inferometer.cli.scenario import (
    DeploymentSpec,
    PriceSpec,
    Scenario,
    overlaid,
    read_scenario,
)
from inferometer.errors import ScenarioError
from inferometer.workload.spec import read_spec

Format = Literal["table", "json"]
Many = Parameter(consume_multiple=False, negative=())
NO_DEPLOYMENT = "no deployment: give --gpu, or a [deployment] table"


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, whichever command answers.

    Attributes:
        model: Catalogue name, or path of a config.json.
        trace: Trace file, ledger of the meter, or a ledger's postgresql:// address.
        workload: TOML file with a [workload] table.
        slo: Target such as "ttft p99 <= 2s" or "goodput >= 0.99"; repeat for more.
        headroom: Share of every limit, and of the capacity, to leave free.
        commitment: "on-demand", "spot", "reserved-1y", "reserved-3y" or "owned".
        provider: Price of this provider instead of the cheapest one.
        region: Prices of this region only.
        at: Day of the prices; the newest of the catalogue without it.
        facility: Kind of data centre, for its PUE.
        grid: Electricity grid, for its carbon.
        prices: CSV file of own price rows, in place of the catalogue's where it has any.
        catalog: TOML file of own catalogue records, on top of the shipped ones.
        seed: Of a synthetic workload.
    """

    model: str = ""
    trace: str = ""
    workload: Path | None = None
    slo: Annotated[tuple[str, ...], Many] = ()
    headroom: float | None = None
    commitment: str = ""
    provider: str = ""
    region: str = ""
    at: str = ""
    facility: str = ""
    grid: str = ""
    prices: str = ""
    catalog: str = ""
    seed: int | None = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """One deployment, stated.

    Attributes:
        gpu: Accelerator.
        tp: Tensor-parallel ranks.
        pp: Pipeline stages.
        dp: Attention data-parallel ranks.
        ep: Whether experts are placed whole.
        replicas: Replicas.
        engine: Serving engine.
        weights: Format of the weights.
        kv: Format of the KV cache.
        max_num_seqs: Limit on running sequences.
        max_batched_tokens: Step budget.
        draft_tokens: Tokens proposed per step by speculative decoding.
        acceptance: Probability that a proposed token is accepted, 0 to 1.
        draft_cost: Time to propose one over a decode step, 0 to 1.
        accepted_at: Share of drafts whose token at a position was accepted, in place of acceptance;
            repeat for each position.
    """

    gpu: str = ""
    tp: int | None = None
    pp: int | None = None
    dp: int | None = None
    ep: bool | None = None
    replicas: int | None = None
    engine: str = ""
    weights: str = ""
    kv: str = ""
    max_num_seqs: int | None = None
    max_batched_tokens: int | None = None
    draft_tokens: int | None = None
    acceptance: float | None = None
    draft_cost: float | None = None
    accepted_at: Annotated[tuple[float, ...], Many] = ()


def scenario_of(file: Path | None, asked: Question, stated: Stated | None = None) -> Scenario:
    """Return the scenario of `file` with the options of `asked` and `stated` on top.

    Raises:
        ScenarioError: the file is at fault, both a trace and a workload are asked for, or a layout
            is stated without an accelerator.
        WorkloadError: the workload's file is at fault.
    """
    base = read_scenario(file)
    if asked.trace and asked.workload:
        raise ScenarioError("--trace and --workload: give one of them")
    prices: PriceSpec = overlaid(
        base.prices,
        commitment=asked.commitment,
        provider=asked.provider,
        region=asked.region,
        at=asked.at,
        facility=asked.facility,
        grid=asked.grid,
        file=asked.prices,
    )
    spec = None if asked.workload is None else read_spec(asked.workload)
    if spec is not None:
        base = overlaid(base, workload=spec)
        base = _without_trace(base)
    result: Scenario = overlaid(
        base,
        model=asked.model,
        trace=asked.trace,
        slo=asked.slo,
        headroom=asked.headroom,
        prices=prices,
        seed=asked.seed,
        catalog=asked.catalog,
        deployment=_deployment(base.deployment, stated or Stated()),
    )
    return result


def _without_trace(scenario: Scenario) -> Scenario:
    from dataclasses import replace

    return replace(scenario, trace="")


def deployment_spec(scenario: Scenario) -> DeploymentSpec:
    """Return the deployment that a scenario states.

    Raises:
        ScenarioError: it states none.
    """
    if scenario.deployment is None:
        raise ScenarioError(NO_DEPLOYMENT)
    return scenario.deployment


def _deployment(base: DeploymentSpec | None, stated: Stated) -> DeploymentSpec | None:
    """Return a deployment with the options of `stated` on top; None where neither says anything.

    Raises:
        ScenarioError: options, but no accelerator.
    """
    if stated == Stated():
        return base
    if base is None and not stated.gpu:
        raise ScenarioError(NO_DEPLOYMENT)
    result: DeploymentSpec = overlaid(
        base or DeploymentSpec(gpu=stated.gpu),
        gpu=stated.gpu,
        tensor=stated.tp,
        pipeline=stated.pp,
        data=stated.dp,
        expert=stated.ep,
        replicas=stated.replicas,
        engine=stated.engine,
        weights=stated.weights,
        kv=stated.kv,
        max_num_seqs=stated.max_num_seqs,
        max_batched_tokens=stated.max_batched_tokens,
        draft_tokens=stated.draft_tokens,
        acceptance=stated.acceptance,
        draft_cost=stated.draft_cost,
        acceptance_by_position=stated.accepted_at,
    )
    return result
