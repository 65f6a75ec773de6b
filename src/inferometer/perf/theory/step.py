"""Time of one decode step in parts: the notebook's full latency function."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from inferometer.perf.theory.architecture import Architecture
from inferometer.perf.theory.chip import Chip
from inferometer.perf.theory.collectives import (
    ALL_TO_ALL,
    POINT_TO_POINT,
    Array,
    collective,
)

STAGES = (1, 2, 4, 6)
"""Pipeline stages tried; source: section 3 of the Erdil notebook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is decoded on what.

    Attributes:
        model: Shape of the model.
        chip: Accelerator, with its caps.
        context: Tokens already in context, the same for all sequences.
        tokens: Tokens per sequence in one pass, 1 for plain decoding.
        experts_apart: Experts on ranks of their own (section 3.5 of the paper), not sliced.
        capacity: Whether weights and KV cache must fit.
    """

    model: Architecture
    chip: Chip
    context: float = 0.0
    tokens: float = 1.0
    experts_apart: bool = False
    capacity: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Parts of a decode step in seconds, arrays of one shape; infinite where it cannot run.

    Attributes:
        kernel: Launches.
        net_latency: Collectives, latency.
        net_bandwidth: Collectives, bytes moved.
        pipeline: Transfers between stages.
        memory: Reads and writes of HBM.
        arithmetic: FLOP; overlaps with memory.
        stages: Pipeline stages P.
        columns: Tensor dimensions: 2 for 2D, 1 for 1D.
    """

    kernel: Array
    net_latency: Array
    net_bandwidth: Array
    pipeline: Array
    memory: Array
    arithmetic: Array
    stages: Array
    columns: Array

    @property
    def network(self) -> Array:
        """Time on the network, none of it hidden."""
        return self.net_latency + self.net_bandwidth + self.pipeline

    @property
    def total(self) -> Array:
        """Seconds per step."""
        return self.kernel + self.network + np.maximum(self.memory, self.arithmetic)


def fits(question: Question, chips: Array, batch: Array) -> NDArray[np.bool_]:
    """Return where pooled HBM holds the weights and the KV cache of all sequences."""
    model = question.model
    cache = model.kv_bytes * question.context * batch
    held = cache + model.weight_bytes * model.parameters
    return (chips * question.chip.memory >= held) | (not question.capacity)


def arithmetic(question: Question, chips: Array, batch: Array) -> Array:
    """Return the seconds that the FLOP of one pass take at the capped rate."""
    model, chip = question.model, question.chip
    per_token = 2 * model.active_parameters + model.attention_flop * question.context
    rate = chip.peak(model.weight_bytes) * chip.arithmetic_cap
    return per_token * batch * question.tokens / (chips * rate)


def step(question: Question, chips: Array, batch: Array) -> StepTime:
    """Return the fastest layout's step: least over 2D and 1D slices and 1, 2, 4, 6 stages.

    Args:
        question: Model, chip, context and tokens per pass.
        chips: Accelerators N of one instance, real-valued.
        batch: Concurrent sequences B of the instance, real-valued; broadcast with `chips`.
    """
    chips, batch = np.broadcast_arrays(np.asarray(chips, float), np.asarray(batch, float))
    layouts = ((columns, stages) for columns in (2, 1) for stages in STAGES)
    best = None
    for columns, stages in layouts:
        if stages > 1 and not np.any(stages <= np.minimum(chips, batch)):
            continue
        found = sliced(question, chips, batch, columns, stages)
        best = found if best is None else _faster(best, found)
    if best is None:
        raise AssertionError("one stage is always tried")
    return best


def sliced(question: Question, chips: Array, batch: Array, columns: int, stages: int) -> StepTime:
    """Return the step of one layout; infinite where it does not fit or has too few sequences."""
    chips, batch = np.broadcast_arrays(np.asarray(chips, float), np.asarray(batch, float))
    possible = fits(question, chips, batch) & (stages <= np.minimum(chips, batch))
    ranks, tokens = chips / stages, batch / stages * question.tokens
    latency, transfer = _network(question, ranks, tokens, columns)
    kernel = 4 * question.model.layers * question.chip.kernel_latency
    parts = StepTime(
        kernel=np.where(possible, kernel, np.inf),
        net_latency=latency,
        net_bandwidth=transfer,
        pipeline=_pipeline(question, ranks, tokens, stages),
        memory=_memory(question, chips, batch, columns, stages),
        arithmetic=arithmetic(question, chips, batch),
        stages=np.full(chips.shape, float(stages)),
        columns=np.full(chips.shape, float(columns)),
    )
    return replace(parts, stages=np.where(possible, stages, np.nan))


def _faster(first: StepTime, second: StepTime) -> StepTime:
    later = second.total < first.total  # ties: the first found wins
    names = [part.name for part in fields(StepTime)]
    return StepTime(**{n: np.where(later, getattr(second, n), getattr(first, n)) for n in names})


def _memory(question: Question, chips: Array, batch: Array, columns: int, stages: int) -> Array:
    model, chip = question.model, question.chip
    ranks, sequences = chips / stages, batch / stages
    tokens = sequences * question.tokens
    inputs = np.sqrt(ranks) if columns == 2 else ranks  # rows t1: outputs re-read
    outputs = np.sqrt(ranks) if columns == 2 else np.ones_like(ranks)  # t2: inputs re-read
    cache = model.kv_bytes * question.context * sequences
    head = model.weight_bytes * model.vocabulary * model.width
    moved = _feedforward(question, tokens, inputs, outputs)
    moved = moved + _attention(model, tokens, inputs, outputs)
    total = cache + model.layers * moved + head
    return stages * total / (chips * chip.memory_bandwidth * chip.memory_cap)


def _feedforward(question: Question, tokens: Array, rows: Array, columns: Array) -> Array:
    model, s = question.model, question.model.sparsity
    touched = 1 - (1 - 1 / s) ** tokens if s > 1 else 1.0
    if question.experts_apart:
        rows = columns = np.ones_like(rows)
    weights = model.weight_bytes * model.width * model.feedforward
    streams = columns * model.width + rows * model.feedforward
    activations = model.activation_bytes * (tokens / s) * streams
    return touched * model.experts * model.matrices * (weights + activations)


def _attention(model: Architecture, tokens: Array, rows: Array, columns: Array) -> Array:
    d, projected, heads = model.width, model.qkv_width, model.heads * model.head_size
    # NOTE: the notebook stores the projected values at one byte each; kept to match it.
    qkv = model.activation_bytes * columns * d * tokens + rows * projected * tokens
    out = model.activation_bytes * tokens * (columns * d + rows * heads)
    return model.weight_bytes * d * (projected + heads) + qkv + out


def _network(question: Question, ranks: Array, tokens: Array, columns: int) -> tuple[Array, Array]:
    chip, layers = question.chip, question.model.layers
    root = np.sqrt(ranks) if columns == 2 else np.ones_like(ranks)
    nodes = np.ceil(ranks / chip.node_size)
    across, spread = (root, np.sqrt(nodes)) if columns == 2 else (ranks, nodes)
    latency, transfer = np.zeros_like(ranks), np.zeros_like(ranks)
    for width in _reduced(question, columns):
        size = width * tokens * question.model.activation_bytes / root
        lat, bandwidth = collective(chip, across, spread, size)
        latency, transfer = latency + lat, transfer + bandwidth
    for size, peers in _exchanged(question, ranks, tokens):
        lat, bandwidth = collective(chip, peers, np.ceil(peers / chip.node_size), size, ALL_TO_ALL)
        latency, transfer = latency + lat, transfer + bandwidth
    return layers * latency, layers * transfer


def _reduced(question: Question, columns: int) -> list[float]:
    """Return the widths of the tensors that are all-reduced in each layer."""
    model = question.model
    attention = [model.qkv_width, model.width] if columns == 2 else [model.width]
    if question.experts_apart:
        return attention
    k, into = model.active_experts, model.matrices_in * model.feedforward
    out = k * model.matrices_out * model.width
    return [*attention, k * into, out] if columns == 2 else [*attention, out]


def _exchanged(question: Question, ranks: Array, tokens: Array) -> Iterator[tuple[Array, Array]]:
    """Yield bytes and ranks of the all-to-alls: dispatch to the experts, combine from them."""
    model = question.model
    if question.experts_apart:
        apart = np.minimum(ranks, model.experts)
        peers = np.minimum(apart, model.active_experts)
        for _ in ("dispatch", "combine"):
            yield model.width * tokens * model.activation_bytes, peers


def _pipeline(question: Question, ranks: Array, tokens: Array, stages: int) -> Array:
    two = np.full_like(ranks, 2.0)  # neighbours are always on different nodes
    size = question.model.width * tokens * question.model.activation_bytes / ranks
    latency, transfer = collective(question.chip, two, two, size, POINT_TO_POINT)
    return (stages - 1) * (latency + transfer)
