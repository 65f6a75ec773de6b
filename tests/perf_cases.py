"""Deployments on which the performance model is tested."""

from inferometer.candidates import Candidates, table
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.catalog.tables import accelerator, engine, node, number_format
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.perf.roofline import Machine, compile_candidates


def deployment(
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
