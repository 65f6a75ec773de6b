"""Deployments on which the performance model is tested."""

from typing import NamedTuple

import numpy as np

from inferometer.candidates import Candidates, table
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.catalog.tables import accelerator, engine, node, number_format
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.perf.closed_loop import closed_loop
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.lanes import divide
from inferometer.perf.power import busy_draw
from inferometer.perf.roofline import Machine, compile_candidates


def deployment(  # noqa: PLR0913 - the settings that tests vary
    name: str = "llama-3.1-8b", chip: str = "h100-sxm", *, tensor: int = 1, data: int = 1,
    pipeline: int = 1, expert: bool = False, weights: str = "bf16", sequences: int = 256,
    served: str = "vllm", replicas: int = 1,
) -> Deployment:  # fmt: skip
    formats = number_format(weights)
    runs = engine(served)
    return Deployment(
        model=model(name),
        accelerator=accelerator(chip),
        node=node(chip),
        parallelism=Parallelism(tensor=tensor, data=data, pipeline=pipeline, expert=expert),
        precision=Precision(linear=formats, experts=formats, kv=number_format("bf16")),
        settings=EngineSettings(
            engine=runs,
            max_num_seqs=sequences,
            max_batched_tokens=runs.max_batched_tokens,
            memory_fraction=runs.memory_fraction,
            prefix_caching=False,
        ),
        replicas=replicas,
    )


def machine(*deployments: Deployment) -> Machine:
    return compile_candidates(columns(*deployments), efficiencies())


def columns(*deployments: Deployment) -> Candidates:
    return table(deployments or (deployment(),))


class Served(NamedTuple):
    joules_per_token: float
    watts: float
    itl: float
    rate: float


def serve(one: Deployment, sequences: float, inputs: float, outputs: float) -> Served:
    """Return a closed loop of `sequences` clients, as ML.ENERGY runs it."""
    built = machine(one)
    asked = fixed_lengths(np.array([inputs]), np.array([outputs]), built.shard.reaches)
    lanes = divide(built, asked)
    clients = np.array([sequences]) / lanes.count
    loop = closed_loop(clients, np.minimum(clients, lanes.memory_limit), built, asked)
    watts = float((busy_draw(loop.state, 1.0, built).total * one.accelerators)[0])
    rate = float((loop.rate * lanes.count * outputs)[0])
    return Served(watts / rate, watts, float(loop.state.plain.total[0]), rate)
