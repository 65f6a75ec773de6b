"""Rollouts with stated loads, so that no refit of the predictions changes an emitted file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from inferometer.catalog import tables
from inferometer.catalog.models import model
from inferometer.deploy.emit import KINDS, emit
from inferometer.deploy.rollout import Load, Place, Rollout, roll_out
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision, Speculation
from inferometer.errors import ScenarioError
from inferometer.workload.slo import parse_slo

GOLDENS = Path(__file__).parent / "deploy" / "goldens"
LOAD = Load(
    peak_rate=8.0, request_rate=5.0, in_flight=20.0, mean_input=1200.0, mean_output=220.0,
    longest=7000.0, slowest=41.5,
)  # fmt: skip
SLO = parse_slo(["ttft p99 <= 2 s", "tpot p99 <= 50 ms", "goodput >= 0.99"])


def deployment(  # noqa: PLR0913 - what differs between cases
    name: str = "llama-3.1-70b",
    gpu: str = "h100-sxm",
    *,
    engine: str = "vllm",
    layout: Parallelism | None = None,
    replicas: int = 2,
    weights: str = "bf16",
    experts: str = "",
    kv: str = "bf16",
    speculation: Speculation | None = None,
) -> Deployment:
    """Return a deployment of a shipped model."""
    served, chip = tables.engine(engine), tables.accelerator(gpu)
    return Deployment(
        model=model(name),
        accelerator=chip,
        node=tables.node(chip.key),
        parallelism=layout or Parallelism(tensor=4),
        precision=Precision(
            linear=tables.number_format(weights),
            experts=tables.number_format(experts or weights),
            kv=tables.number_format(kv),
        ),
        settings=EngineSettings(
            engine=served,
            max_num_seqs=64,
            max_batched_tokens=2048,
            memory_fraction=served.memory_fraction,
        ),
        replicas=replicas,
        speculation=speculation,
    )


def rollout(built: Deployment | None = None, place: Place | None = None, **given: float) -> Rollout:
    """Return a rollout of `built`; `given` replaces fields of the load."""
    return roll_out(
        built or deployment(), replace(LOAD, **given), SLO, rent=3.0 / 3600,
        place=place or Place(), origin="plan.json", digest="0" * 64,
    )  # fmt: skip


def cases() -> Mapping[str, Rollout]:
    """Return one rollout for every way in which files differ."""
    nodes = Parallelism(tensor=8, pipeline=2)
    ranks = Parallelism(tensor=1, data=8, expert=True)
    labelled = Place(
        name="chat", namespace="serving", least=2, most=6, node_selector={"gpu": "h200"}
    )
    gguf = Place(weights="example/Llama-8B-GGUF:Q4_K_M", image="example/llama.cpp:server")
    return {
        "vllm": rollout(),
        "vllm-nodes": rollout(deployment("llama-3.1-405b", layout=nodes, replicas=2)),
        "sglang-experts": rollout(
            deployment("deepseek-v3", "h200-sxm", engine="sglang", layout=ranks, replicas=4,
                       weights="fp8", kv="fp8"), labelled,
        ),
        "sglang-nodes": rollout(
            deployment("llama-3.1-405b", engine="sglang", layout=nodes, replicas=2)
        ),
        "trtllm": rollout(
            deployment(engine="trtllm", weights="fp8", kv="fp8", layout=Parallelism(tensor=2)),
            Place(image="example/tensorrt-llm:1.0"),
        ),
        "llama.cpp": rollout(
            deployment("llama-3.1-8b", "l40s", engine="llama.cpp", weights="q4_k_m", replicas=1,
                       layout=Parallelism()), gguf,
        ),
        "rocm": rollout(
            deployment("llama-3.1-70b", "mi300x", layout=Parallelism(tensor=2), replicas=3)
        ),
    }  # fmt: skip


def kinds_of(which: Rollout) -> tuple[str, ...]:
    """Return the kinds that can be emitted for a rollout."""
    possible = []
    for kind, emitter in KINDS.items():
        try:
            emitter(which)
        except ScenarioError:
            continue
        possible.append(kind)
    return tuple(possible)


def files_of(name: str) -> dict[str, str]:
    """Return all files of a case."""
    which = cases()[name]
    return emit(which, kinds_of(which))[0]


DIFFERENT = (
    "engine/", "dynamo/", "compose/compose.yaml", "kubernetes/configmap.yaml",
    "kubernetes/deployment.yaml", "kubernetes/leaderworkerset.yaml", "kubernetes/scaledobject.yaml",
)  # fmt: skip
"""Files in which the cases differ in more than names; the rest has its golden in the first."""


def golden_files(name: str) -> dict[str, str]:
    """Return the files of a case that have a golden."""
    files = files_of(name)
    return {p: text for p, text in files.items() if name == "vllm" or p.startswith(DIFFERENT)}


def main() -> None:
    """Write the goldens again: `python tests/deploy_cases.py`, then read the diff."""
    for name in cases():
        for path, text in golden_files(name).items():
            target = GOLDENS / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
