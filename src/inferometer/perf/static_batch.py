"""A static batch: so many equal prompts prefilled together, then decoded together to the end."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Floats
from inferometer.perf.demand import Demand
from inferometer.perf.memory import ACTIVATION_VECTORS, memory, sequence_bytes
from inferometer.perf.roofline import Batch, Machine, StepTime, step_time
from inferometer.perf.steady import prefill_time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StaticBatch:
    """Times of one static batch per configuration.

    Attributes:
        prefill: All prompts, s.
        decode: Mean decode step.
        total: Prefill and all decode steps, s.
    """

    prefill: Floats
    decode: StepTime
    total: Floats


def static_batch(sequences: Floats, machine: Machine, demand: Demand) -> StaticBatch:
    """Return the times of `sequences` equal requests per lane that start and end together."""
    zero = np.zeros_like(sequences)
    decode = step_time(
        Batch(
            sequences=sequences,
            context=demand.context,
            prefill=zero,
            prefill_context=demand.prefill_context,
        ),
        machine,
    )
    prefill = prefill_time(sequences * demand.prompt[0], zero, machine, demand)
    total = prefill + np.maximum(demand.output[0] - 1, 0.0) * decode.total
    return StaticBatch(prefill=prefill, decode=decode, total=total)


LOGIT_BYTES = 12.0
"""Bytes per prompt token and vocabulary entry where prompts are not chunked: logits, probabilities
and log-probabilities in 32 bit, on every rank (counted, not measured)."""


def static_batch_bytes(sequences: Floats, machine: Machine, demand: Demand) -> Floats:
    """Return what a static batch needs on one accelerator, bytes [config].

    Weights, reserve, KV cache of all sequences at full length, and the working space of prefilling
    all prompts in one step, which is what makes such batches fail first.
    """
    candidates, work = machine.candidates, machine.shard
    fixed = memory(candidates, work)
    prompts = sequences * demand.prompt[0]
    logits = LOGIT_BYTES * candidates.model.vocab
    working = prompts * (work.activation_width * ACTIVATION_VECTORS + logits)
    cache = sequences * sequence_bytes(candidates, work, demand.longest)
    return fixed.weights + fixed.reserve + cache + working
