"""Where the time of a step and the memory of an accelerator go, at the operating point."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Floats, one
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.perf.demand import demand
from inferometer.perf.lanes import divide
from inferometer.perf.memory import Memory, memory
from inferometer.perf.roofline import StepTime, compile_candidates
from inferometer.perf.steady import busy_batch, running_sequences, steady
from inferometer.units import Bytes, Fraction, Seconds, Tokens
from inferometer.workload.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class StepParts:
    """One engine step of one lane; the first five parts add up to `total`.

    Attributes:
        linear: Projections, dense blocks and head.
        experts: Routed experts.
        attention: Scores, sums and KV cache.
        network: Collectives between ranks.
        overhead: Engine and launches.
        total: The whole step.
        compute: What its arithmetic alone would take at attainable rates.
        memory: What its memory traffic alone would take.
    """

    linear: Seconds
    experts: Seconds
    attention: Seconds
    network: Seconds
    overhead: Seconds
    total: Seconds
    compute: Seconds
    memory: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryParts:
    """Memory of one accelerator.

    Attributes:
        capacity: What it has.
        weights: Weights of its rank.
        kv: KV cache that the engine sets aside.
        activations: Working space of the largest step.
        reserve: Runtime context, graphs, communication buffers.
        unused: What the engine's memory rule leaves alone.
    """

    capacity: Bytes
    weights: Bytes
    kv: Bytes
    activations: Bytes
    reserve: Bytes
    unused: Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """One deployment taken apart, at the rate of the busiest minute.

    Attributes:
        decode: A step of output tokens alone.
        mixed: A step that also carries a chunk of a prompt.
        share_mixed: Share of steps that do.
        chunk: Prompt tokens of such a step.
        sequences: Running sequences of one lane while it works.
        memory: Memory of one accelerator by use.
    """

    decode: StepParts
    mixed: StepParts
    share_mixed: Fraction
    chunk: Tokens
    sequences: float
    memory: MemoryParts


def anatomy(deployment: Deployment, shape: Shape, efficiencies: Efficiencies) -> Anatomy:
    """Return the parts of step time and memory of `deployment` under `shape`.

    The operating point is that of `perf.predict`: the batch that the busiest minute leads to, at
    most the limit of a lane.

    Raises:
        WorkloadError: the workload has no input or no output tokens.
        CatalogError: an efficiency parameter is missing.
    """
    candidates = one(deployment)
    machine = compile_candidates(candidates, efficiencies)
    asked = demand(shape, tuple(machine.shard.reaches), prefix_caching=candidates.prefix_caching)
    lanes = divide(machine, asked)
    running = running_sequences(shape.peak_rate / lanes.count, lanes.limit, machine, asked)
    sequences = np.minimum(busy_batch(running), lanes.limit)
    state = steady(sequences, machine, asked)
    return Anatomy(
        decode=_parts(state.plain),
        mixed=_parts(state.mixed),
        share_mixed=float(state.share[0]),
        chunk=float(state.chunk[0]),
        sequences=float(sequences[0]),
        memory=_memory(deployment, memory(candidates, machine.shard)),
    )


def _parts(step: StepTime) -> StepParts:
    names = ("linear", "experts", "attention", "network", "overhead", "total", "compute", "memory")
    return StepParts(**{name: _only(getattr(step, name)) for name in names})


def _memory(deployment: Deployment, uses: Memory) -> MemoryParts:
    capacity = deployment.accelerator.memory
    used = {name: _only(getattr(uses, name)) for name in ("weights", "kv", "activations")}
    used["reserve"] = _only(uses.reserve)
    return MemoryParts(capacity=capacity, unused=capacity - sum(used.values()), **used)


def _only(values: Floats) -> float:
    return float(np.broadcast_to(values, 1)[0])
