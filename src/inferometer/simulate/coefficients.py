"""The step time of one deployment as a handful of numbers, for loops that ask for it often."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inferometer.perf.roofline import SHARPNESS, Batch, Machine, StepTime, step_time

Floats = NDArray[np.float64]


class StepCoefficients(NamedTuple):
    """`perf.roofline.step_time` of one lane, solved for counts of tokens and sequences.

    Every field is in seconds per what it names; `reach` runs over the model's attention windows.
    What depends on the tokens of a step alone is tabulated by their number.

    Attributes:
        linear_token: Arithmetic of dense projections per token.
        linear_sequence: Arithmetic of the output head per decoding sequence.
        linear_read: Reading dense weights and head, per step.
        state_sequence: Reading and writing recurrent state, per decoding sequence.
        engine: Scheduling, sampling and launches of a captured graph, per step.
        sequence: Engine, per decoding sequence.
        prefill: Engine, per prompt token.
        launch: Least time of accelerator work in a step with prompt tokens: the host launches it.
        kv_write: Writing KV cache, per token.
        draft: Decode steps' time that drafting takes in a step, as a multiple.
        fetch: Reading one KV page from the host's memory.
        handover: Sending the KV of a token to a decode lane.
        handover_fixed: Before the first byte of a prompt's KV is sent.
        sharpness: Exponent of the soft maximum of compute and memory time.
        reaches: Tokens that one token can see [reach].
        decode_flop: Arithmetic of attention per decoding token and visible token [reach].
        prefill_flop: The same per prompt token and visible token [reach].
        kv_read: Reading KV cache per visible token of a decoding sequence [reach].
        pages: KV pages per block of the layers of a window that keep no more than it reaches
            [reach].
        spread: Routed experts and collectives [tokens].
        spread_compute: Arithmetic of routed experts [tokens].
        spread_memory: Reading routed experts [tokens].
    """

    linear_token: float
    linear_sequence: float
    linear_read: float
    state_sequence: float
    engine: float
    sequence: float
    prefill: float
    launch: float
    kv_write: float
    draft: float
    fetch: float
    handover: float
    handover_fixed: float
    sharpness: float
    reaches: Floats
    decode_flop: Floats
    prefill_flop: Floats
    kv_read: Floats
    pages: Floats
    spread: Floats
    spread_compute: Floats
    spread_memory: Floats


def coefficients(machine: Machine, tokens: int) -> StepCoefficients:
    """Return the coefficients of a machine of one configuration.

    What goes beyond a step's time is 0: `paging.beyond` sets it.

    Args:
        machine: The configuration.
        tokens: Most tokens of one step.
    """
    work, rate = machine.shard, machine.rates
    turns = machine.candidates.pipeline
    host = rate.step_overhead * turns + rate.layer_overhead * work.layers
    host = host + rate.expert_overhead * work.moe_layers
    streams = rate.stream_overhead if machine.streaming else 0.0
    linear_token = work.linear_flop / rate.linear_compute
    linear_token = linear_token + work.state_flop / rate.attention_compute
    linear_read = (work.linear_bytes + work.head_bytes) / rate.weight_bandwidth
    write = work.kv_bytes.sum(axis=0) / rate.kv_bandwidth
    count, alone = np.arange(1.0, tokens + 1), _prompts_alone(machine, tokens)
    return StepCoefficients(
        linear_token=_only(linear_token),
        linear_sequence=_only(work.head_flop / rate.linear_compute),
        linear_read=_only(linear_read),
        state_sequence=_only(2 * work.state_bytes / rate.kv_bandwidth),
        engine=_only(host),
        sequence=_only(turns * (rate.sequence_overhead + streams)),
        prefill=_only(rate.prefill_overhead),
        launch=_only(rate.eager_overhead * work.layers),
        kv_write=_only(write),
        draft=_drafting(machine),
        fetch=0.0,
        handover=0.0,
        handover_fixed=0.0,
        sharpness=SHARPNESS,
        reaches=np.array(work.reaches, dtype=np.float64).reshape(-1),
        decode_flop=(work.context_flop / rate.attention_compute).reshape(-1),
        prefill_flop=(work.prefill_context_flop / rate.attention_compute).reshape(-1),
        kv_read=(work.read_bytes / rate.kv_bandwidth).reshape(-1),
        pages=np.zeros(len(work.reaches)),
        spread=_from_one(alone.experts + alone.network),
        spread_compute=_from_one(alone.compute - count * linear_token),
        spread_memory=_from_one(alone.memory - linear_read - count * write),
    )


def _drafting(machine: Machine) -> float:
    speculation = machine.candidates.speculation
    return 0.0 if speculation is None else speculation.draft_tokens * speculation.draft_cost


def _prompts_alone(machine: Machine, tokens: int) -> StepTime:
    """Return steps of 1, 2, ... prompt tokens that see nothing, so that attention reads nothing."""
    blind = np.zeros((len(machine.shard.reaches), tokens))
    return step_time(
        Batch(
            sequences=np.zeros(tokens),
            context=blind,
            prefill=np.arange(1.0, tokens + 1),
            prefill_context=blind,
        ),
        machine,
    )


def _only(values: Floats) -> float:
    return float(np.asarray(values).reshape(-1)[0])


def _from_one(values: Floats) -> Floats:
    """Return `values` with a place for 0 tokens before them, which no step has."""
    return np.concatenate([[0.0], values])
