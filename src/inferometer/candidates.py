"""Many deployments of one model as numpy columns: what the search enumerates and `perf` evaluates.

`Candidates` is to `Deployment` what a table is to a row: records that repeat (accelerators,
precisions, engines) are held once, and each configuration points at them by index.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inferometer.catalog.engines import Engine
from inferometer.catalog.hardware import Accelerator, Node
from inferometer.catalog.models import Model
from inferometer.deployment import (
    Deployment,
    EngineSettings,
    Parallelism,
    Precision,
    Speculation,
)
from inferometer.errors import ScenarioError

T = TypeVar("T")
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Configurations of one model; every array has one element per configuration.

    Attributes:
        model: The model.
        accelerators: Accelerators that occur; `accelerator` points here.
        nodes: Node of each accelerator, same order.
        precisions: Precisions that occur; `precision` points here.
        engines: Engines that occur; `engine` points here.
        accelerator: Index into `accelerators` and `nodes`.
        precision: Index into `precisions`.
        engine: Index into `engines`.
        tensor: Tensor-parallel ranks.
        pipeline: Pipeline stages.
        data: Attention data-parallel ranks inside one replica.
        expert: Whether experts are placed whole.
        max_num_seqs: Limit on running sequences per data-parallel rank.
        max_batched_tokens: Token budget of one step.
        memory_fraction: Fraction in the engine's memory rule.
        replicas: Identical replicas.
        prefix_caching: Whether equal prefixes are computed once, for all configurations.
        speculation: Speculative decoding, for all configurations.
    """

    model: Model
    accelerators: tuple[Accelerator, ...]
    nodes: tuple[Node, ...]
    precisions: tuple[Precision, ...]
    engines: tuple[Engine, ...]
    accelerator: Ints  # [config]
    precision: Ints  # [config]
    engine: Ints  # [config]
    tensor: Ints  # [config]
    pipeline: Ints  # [config]
    data: Ints  # [config]
    expert: Flags  # [config]
    max_num_seqs: Ints  # [config]
    max_batched_tokens: Ints  # [config]
    memory_fraction: Floats  # [config]
    replicas: Ints  # [config]
    prefix_caching: bool = True
    speculation: Speculation | None = None

    def __len__(self) -> int:
        return len(self.accelerator)

    def column(self, name: str) -> Floats:
        """Return an integer column, such as "tensor", as floats [config]."""
        values: Ints = getattr(self, name)
        return values.astype(np.float64)

    @property
    def accelerators_per_replica(self) -> Ints:
        """Accelerators of one replica [config]."""
        return self.tensor * self.pipeline * self.data

    def take(self, rows: NDArray[np.int64] | Flags) -> "Candidates":
        """Return the configurations that `rows` (indices or a mask) selects."""
        return replace(
            self,
            accelerator=self.accelerator[rows],
            precision=self.precision[rows],
            engine=self.engine[rows],
            tensor=self.tensor[rows],
            pipeline=self.pipeline[rows],
            data=self.data[rows],
            expert=self.expert[rows],
            max_num_seqs=self.max_num_seqs[rows],
            max_batched_tokens=self.max_batched_tokens[rows],
            memory_fraction=self.memory_fraction[rows],
            replicas=self.replicas[rows],
        )

    def deployment(self, row: int) -> Deployment:
        """Return configuration `row` as a `Deployment`."""
        return Deployment(
            model=self.model,
            accelerator=self.accelerators[self.accelerator[row]],
            node=self.nodes[self.accelerator[row]],
            parallelism=Parallelism(
                tensor=int(self.tensor[row]),
                pipeline=int(self.pipeline[row]),
                data=int(self.data[row]),
                expert=bool(self.expert[row]),
            ),
            precision=self.precisions[self.precision[row]],
            settings=EngineSettings(
                engine=self.engines[self.engine[row]],
                max_num_seqs=int(self.max_num_seqs[row]),
                max_batched_tokens=int(self.max_batched_tokens[row]),
                memory_fraction=float(self.memory_fraction[row]),
                prefix_caching=self.prefix_caching,
            ),
            replicas=int(self.replicas[row]),
            speculation=self.speculation,
        )


def one(deployment: Deployment) -> Candidates:
    """Return `deployment` as a table of one row."""
    return table((deployment,))


def table(deployments: Sequence[Deployment]) -> Candidates:
    """Return deployments of one model as columns, in their order.

    Raises:
        ScenarioError: none given, or they differ in model, prefix caching or speculation.
    """
    shared = {(d.model.key, d.settings.prefix_caching, d.speculation) for d in deployments}
    if len(shared) != 1:
        raise ScenarioError(
            f"{len(deployments)} deployments share no model, prefix caching and speculation: "
            f"{sorted(str(item) for item in shared)}; make one table for each"
        )
    if any(d.power_cap is not None for d in deployments):
        raise ScenarioError("power_cap is not evaluated in tables; see perf.clocks for caps")
    first = deployments[0]
    nodes = {d.accelerator.key: d.node for d in deployments}
    chips, chip = _distinct([d.accelerator for d in deployments], lambda item: item.key)
    precisions, precision = _distinct([d.precision for d in deployments], str)
    engines, engine = _distinct([d.settings.engine for d in deployments], lambda item: item.key)
    return Candidates(
        model=first.model,
        accelerators=chips,
        nodes=tuple(nodes[chip.key] for chip in chips),
        precisions=precisions,
        engines=engines,
        accelerator=chip,
        precision=precision,
        engine=engine,
        tensor=np.array([d.parallelism.tensor for d in deployments]),
        pipeline=np.array([d.parallelism.pipeline for d in deployments]),
        data=np.array([d.parallelism.data for d in deployments]),
        expert=np.array([d.parallelism.expert for d in deployments]),
        max_num_seqs=np.array([d.settings.max_num_seqs for d in deployments]),
        max_batched_tokens=np.array([d.settings.max_batched_tokens for d in deployments]),
        memory_fraction=np.array([d.settings.memory_fraction for d in deployments]),
        replicas=np.array([d.replicas for d in deployments]),
        prefix_caching=first.settings.prefix_caching,
        speculation=first.speculation,
    )


def _distinct(items: Sequence[T], key: Callable[[T], str]) -> tuple[tuple[T, ...], Ints]:
    order = {key(item): item for item in items}
    places = {name: place for place, name in enumerate(order)}
    return tuple(order.values()), np.array([places[key(item)] for item in items])
