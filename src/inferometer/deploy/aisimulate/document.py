"""A rollout as AISimulate's `predict` reads it."""

from typing import Any

from inferometer.deploy.aisimulate.names import BACKENDS, systems
from inferometer.deploy.rollout import Rollout
from inferometer.deploy.yaml_text import dump
from inferometer.errors import ScenarioError
from inferometer.workload.slo import Slo

SEED = 42
"""AISimulate's default."""

REQUESTS = 1000
"""Enough for a p99 of ten requests."""


def aisimulate(rollout: Rollout) -> dict[str, str]:
    """Return prediction.yaml: mean lengths at the busiest minute's rate.

    Raises:
        ScenarioError: an accelerator or an engine that AISimulate has no data of.
    """
    chip, engine = rollout.deployment.accelerator.key, rollout.runtime.key
    if chip not in systems():
        raise ScenarioError(f"aisimulate: no data of {chip}; it has {', '.join(systems())}")
    if engine not in BACKENDS:
        raise ScenarioError(f"aisimulate: no data of {engine}; it has {', '.join(BACKENDS)}")
    load = rollout.load
    source = {
        "type": "synthetic",
        "input_tokens": max(1, round(load.mean_input)),
        "output_tokens": max(1, round(load.mean_output)),
    }
    rate = {"type": "poisson", "requests_per_second": float(f"{load.peak_rate:.6g}"), "seed": SEED}
    document: dict[str, Any] = {
        "traffic": {"source": source, "load": rate, "stop": {"requests": REQUESTS}},
        "engine": {
            "mode": "aggregated",
            "model": rollout.weights,
            "hardware": systems()[chip],
            "backend": engine,
            "context_length": rollout.context,
            "workers": {"aggregated": _workers(rollout)},
        },
        "router": {"policy": "round_robin"},
    }
    sla = _sla(rollout.slo)
    return {
        "aisimulate/prediction.yaml": dump(document | ({"evaluation": {"sla": sla}} if sla else {}))
    }


def _workers(rollout: Rollout) -> dict[str, Any]:
    layout, settings = rollout.deployment.parallelism, rollout.deployment.settings
    ranks = layout.tensor * layout.data
    fraction = {"type": "default", "memory_fraction": settings.memory_fraction}
    return {
        "parallelism": {
            "replicas": rollout.deployment.replicas,
            "tensor": layout.tensor,
            "pipeline": layout.pipeline,
            "context": 1,
            "attention_data": layout.data,
            "moe_tensor": 1 if layout.expert else ranks,
            "moe_expert": ranks if layout.expert else 1,
        },
        "scheduler": {
            "max_batched_tokens": settings.max_batched_tokens,
            "max_sequences": settings.max_num_seqs,
        },
        "kv_cache": {
            "block_size": settings.engine.block_size,
            "prefix_caching": settings.prefix_caching,
            "capacity": fraction,
        },
    }


def _sla(slo: Slo) -> dict[str, float]:
    """Return the tightest limits under AISimulate's names: TTFT and ITL, or else the whole."""
    limits: dict[str, list[float]] = {}
    for target in slo.targets:
        name = "itl" if target.metric == "tpot" else target.metric
        limits.setdefault(name, []).append(target.limit)
    tight = {f"{name}_ms": float(f"{min(found) * 1e3:.6g}") for name, found in limits.items()}
    both = {name: tight[name] for name in ("ttft_ms", "itl_ms") if name in tight}
    return both or tight
