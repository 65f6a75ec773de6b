"""Retrieval-augmented generation: what passages add to prompts, and what finding them adds.

The prompt part is predictable: passages x tokens, linear in compute, cache and money. The retrieval
part moves in steps: whole machines, by the memory of the index and by the rate of queries.
"""

import math
from dataclasses import dataclass, replace

from inferometer.errors import ScenarioError
from inferometer.plan.whatif.case import Case, State, sized, state_of
from inferometer.units import (
    Bytes,
    Duration,
    Fraction,
    Grams,
    Joules,
    PerSecond,
    Seconds,
    Tokens,
    Usd,
    UsdPerSecond,
    Watts,
)
from inferometer.workload.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of retrieval on hardware of its own, bought in whole units.

    Attributes:
        name: E.g. "embed", "index", "rerank".
        rate: Calls per second that one unit serves.
        price: Price of one unit.
        latency: Time of one call, on the way of the request.
        calls: Calls per retrieval: 1, or the passages that a reranker looks at.
        memory: Memory of one unit that may hold the index; 0 for a stage that holds none.
        accelerators: Accelerators in one unit, for the ratio to those of the model.
        power: Mean draw of one unit at its plug; None leaves its energy out, which the answer says.
    """

    name: str
    rate: PerSecond
    price: UsdPerSecond
    latency: Seconds = 0.0
    calls: float = 1.0
    memory: Bytes = 0.0
    accelerators: Fraction = 0.0
    power: Watts | None = None

    def __post_init__(self) -> None:
        if self.power is not None and not 0 <= self.power < math.inf:
            raise ScenarioError(f"stage {self.name}: power is {self.power} W; at least 0 is wanted")
        if not (self.rate > 0 and self.price >= 0 and self.calls > 0 and self.latency >= 0):
            raise ScenarioError(f"stage {self.name}: rate and calls above 0, price at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """What is retrieved, and how.

    Attributes:
        passages: Passages put before each question.
        passage: Length of one.
        stages: Stages, in the order in which a request passes them.
        chunks: Passages in the store.
        chunk_bytes: Memory of one in the index, vector and graph.
        stride: Output tokens after which it is retrieved again; 0 for once per request.
    """

    passages: int
    passage: Tokens
    stages: tuple[Stage, ...]
    chunks: float = 0.0
    chunk_bytes: Bytes = 0.0
    stride: Tokens = 0.0

    def __post_init__(self) -> None:
        if self.passages < 1 or not self.passage > 0:
            raise ScenarioError(
                "retrieval: passages of at least 1 and a passage above 0 are wanted"
            )
        if min(self.chunks, self.chunk_bytes, self.stride) < 0:
            raise ScenarioError("retrieval: chunks, chunk_bytes and stride cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """One stage at the load.

    Attributes:
        name: The stage.
        units: Units at the busiest minute.
        because: What sets their number: "rate" or "memory".
        cost: Price of all units.
        per_request: The same per request.
        latency: Time that it adds to a request's first token.
        load: Calls of the busiest minute over what the units serve.
        energy: Energy at the plug per request; None where the stage states no power.
    """

    name: str
    units: int
    because: str
    cost: UsdPerSecond
    per_request: Usd
    latency: Duration
    load: Fraction
    energy: Joules | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RagCost:
    """The three-way split: no retrieval, prompts as long as with it, and with it.

    Attributes:
        without: The model on the questions alone.
        long: The model on questions with passages, retrieval itself left out.
        stages: The stages.
        per_request_without: Cost of a request without retrieval; None if unpriced.
        per_request_long: The same with prompts as long as with retrieval.
        per_request: The same with retrieval.
        added_latency: What the stages add to time to first token.
        accelerators: Accelerators of all stages and the model over those of the model.
        energy: Energy of an answer at the facility's meter, stages that state their power included.
        carbon: Emissions of that energy; None if the grid is unknown.
        unmetered: Stages that state no power: their energy is left out.
    """

    without: State
    long: State
    stages: tuple[StageCost, ...]
    per_request_without: Usd | None
    per_request_long: Usd | None
    per_request: Usd | None
    added_latency: Seconds
    accelerators: Fraction
    energy: Joules
    carbon: Grams | None
    unmetered: tuple[str, ...]


def rag_cost(case: Case, retrieval: Retrieval) -> RagCost:
    """Return what retrieval adds to `case`, whose workload are the questions alone.

    Raises:
        InfeasibleError: the model does not serve, with or without passages.
    """
    longer = replace(case, shape=with_passages(case.shape, retrieval))
    without, long = (state_of(one, (sized(one),)) for one in (case, longer))
    rate, stages = case.shape.rate, stages_at(retrieval, case.shape)
    added = sum(stage.cost for stage in stages) / rate
    alone, more = (None if s.cost is None else s.cost / rate for s in (without, long))
    others = sum(
        one.units * stage.accelerators for one, stage in zip(stages, retrieval.stages, strict=True)
    )
    energy = long.energy_per_request + case.site.pue * sum(one.energy or 0.0 for one in stages)
    return RagCost(
        without=without,
        long=long,
        stages=stages,
        per_request_without=alone,
        per_request_long=more,
        per_request=None if more is None else more + added,
        added_latency=sum(stage.latency for stage in retrieval.stages),  # before the first token
        accelerators=1 + others / long.accelerators,
        energy=energy,
        carbon=None if case.site.carbon is None else energy * case.site.carbon,
        unmetered=tuple(one.name for one in stages if one.energy is None),
    )


def stages_at(retrieval: Retrieval, shape: Shape) -> tuple[StageCost, ...]:
    """Return the stages in front of a model that serves `shape`."""
    again = math.ceil(shape.mean_output / retrieval.stride) if retrieval.stride else 1
    return tuple(
        stage_cost(stage, retrieval, shape.peak_rate * again, shape.rate, again)
        for stage in retrieval.stages
    )


def stage_cost(
    stage: Stage, retrieval: Retrieval, peak: PerSecond, rate: PerSecond, again: int
) -> StageCost:
    """Return a stage at `peak` retrievals per second in the busiest minute, in whole units.

    Args:
        stage: The stage.
        retrieval: What is retrieved.
        peak: Retrievals per second in the busiest minute.
        rate: Requests per second on average.
        again: Retrievals of one request.
    """
    by_rate = max(math.ceil(peak * stage.calls / stage.rate - 1e-9), 1)
    held = retrieval.chunks * retrieval.chunk_bytes
    by_memory = math.ceil(held / stage.memory - 1e-9) if stage.memory else 0
    units = max(by_rate, by_memory)
    return StageCost(
        name=stage.name,
        units=units,
        because="memory" if by_memory > by_rate else "rate",
        cost=units * stage.price,
        per_request=units * stage.price / rate,
        latency=stage.latency * again,
        load=peak * stage.calls / (stage.rate * units),
        energy=None if stage.power is None else units * stage.power / rate,
    )


def with_passages(shape: Shape, retrieval: Retrieval) -> Shape:
    """Return a workload of questions with the passages of `retrieval` in front of each."""
    tokens = retrieval.passages * retrieval.passage
    kept = shape.cached_fraction * shape.mean_input / (shape.mean_input + tokens)
    return replace(
        shape,
        inputs=shape.inputs + tokens,
        all_inputs=shape.all_inputs + tokens,
        input_quantiles=shape.input_quantiles + tokens,
        cached_fraction=kept,
    )
