"""The table of modelled work of a deployment, from `perf`: made once at start or reload."""

import numpy as np
from numpy.typing import NDArray

from inferometer.candidates import one
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.meter.work import Window, Work
from inferometer.perf.memory import memory, sequence_bytes
from inferometer.perf.roofline import Batch, Machine, compile_candidates, step_time

SPAN = 1024.0
"""Tokens over which slopes are taken: attention is linear in what is visible, so any will do."""
LONG = 8192.0
"""Context at which the cache's size is counted in tokens; windows make it depend on it a little."""


def work_table(deployment: Deployment, efficiencies: Efficiencies) -> Work:
    """Return what tokens take of one replica of a deployment.

    Data-parallel ranks work side by side, so one rank's time is a part of the replica's.

    Raises:
        ScenarioError: the model leaves no room for a cache.
    """
    machine = compile_candidates(one(deployment), efficiencies)
    ranks = deployment.parallelism.data
    reaches = np.asarray(machine.shard.reaches, dtype=np.float64).reshape(-1)
    nothing, chunk = np.zeros_like(reaches), float(deployment.settings.max_batched_tokens)
    alone = _seconds(machine, 0.0, nothing, chunk, nothing)
    single = _seconds(machine, 1.0, nothing, 0.0, nothing)
    windows: list[Window] = []
    for place, reach in enumerate(reaches):
        seen = nothing.copy()
        seen[place] = min(SPAN, reach)
        pair = (_seconds(machine, 0.0, nothing, chunk, seen) - alone) / chunk / seen[place]
        read = (_seconds(machine, 1.0, seen, 0.0, nothing) - single) / seen[place]
        windows.append(Window(float(min(reach, 2.0**53)), pair / ranks, read / ranks))
    steps = [(n, _seconds(machine, n / ranks, nothing, 0.0, nothing)) for n in _batches(deployment)]
    return Work(
        prefill_token=alone / chunk / ranks,
        windows=tuple(windows),
        decode_step=tuple(steps),
        kv_tokens=_kv_tokens(machine, deployment),
    )


def _seconds(
    machine: Machine,
    sequences: float,
    context: NDArray[np.float64],
    prefill: float,
    prefill_context: NDArray[np.float64],
) -> float:
    step = step_time(
        Batch(
            sequences=np.array([sequences]),
            context=context[:, None],
            prefill=np.array([prefill]),
            prefill_context=prefill_context[:, None],
        ),
        machine,
    )
    return float(step.total[0])


def _batches(deployment: Deployment) -> list[int]:
    """Return batches from 1 to the engine's limit, doubling."""
    most = deployment.settings.max_num_seqs * deployment.parallelism.data
    return [*(2**power for power in range((most - 1).bit_length())), most]


def _kv_tokens(machine: Machine, deployment: Deployment) -> int:
    room = memory(machine.candidates, machine.shard).kv
    reaches = np.asarray(machine.shard.reaches, dtype=np.float64).reshape(-1, 1)
    held = sequence_bytes(machine.candidates, machine.shard, np.minimum(LONG, reaches))
    if not room[0] > 0:
        raise ScenarioError(f"{deployment}: the weights leave no room for a KV cache")
    return max(1, int(room[0] * LONG / float(held.reshape(-1)[0])) * deployment.parallelism.data)
