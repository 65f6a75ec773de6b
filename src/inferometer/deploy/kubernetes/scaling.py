"""KEDA: replicas after the requests in flight and the KV cache in use, within the plan's limits."""

from typing import Any

from inferometer.deploy.kubernetes.metadata import metadata
from inferometer.deploy.queries import REPLICA, in_flight, selected
from inferometer.deploy.rollout import Rollout
from inferometer.errors import ScenarioError

KV_SHARE = 0.8
"""Share of the KV cache in use per replica from which one more is started: the default of llm-d's
autoscaler (kvCacheThreshold, workload variant autoscaler documentation, 2026)."""

QUEUE = 5
"""Waiting requests per replica from which one more is started, where an engine does not count its
running ones: the default of the same autoscaler (queueLengthThreshold)."""

POLLING, COOLDOWN, SETTLE = 15, 300, 300
"""Seconds: between two queries (KEDA's default is 30), before scaling to zero (not used), and
of calm before scaling down (the defaults of KEDA and of the Kubernetes autoscaler)."""


def scaled_object(rollout: Rollout, target: dict[str, Any]) -> dict[str, Any]:
    """Return the ScaledObject of the workload `target`.

    The first trigger asks for (requests running and waiting) / (requests in flight per replica at
    the planned peak) replicas; the second holds the KV cache below its limit.

    Raises:
        ScenarioError: the engine has no metric to scale on.
    """
    down = {"type": "Pods", "value": 1, "periodSeconds": 60}
    up = {"type": "Percent", "value": 100, "periodSeconds": 60}
    behavior = {
        "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [up]},
        "scaleDown": {"stabilizationWindowSeconds": SETTLE, "policies": [down]},
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(rollout),
        "spec": {
            "scaleTargetRef": {**target, "name": rollout.name},
            "minReplicaCount": rollout.place.least,
            "maxReplicaCount": rollout.most,
            "pollingInterval": POLLING,
            "cooldownPeriod": COOLDOWN,
            "fallback": {"failureThreshold": 3, "replicas": rollout.replicas},
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior}},
            "triggers": triggers(rollout),
        },
    }


def triggers(rollout: Rollout) -> list[dict[str, Any]]:
    """Return what the number of replicas follows.

    Raises:
        ScenarioError: the engine has no metric to scale on.
    """
    runtime, found = rollout.runtime, list[dict[str, Any]]()
    chosen = selected(rollout)
    if runtime.running and runtime.waiting:
        threshold = f"{max(rollout.load.in_flight, 1.0):.4g}"
        found.append(_trigger(rollout, in_flight(rollout), threshold))
    elif runtime.waiting:
        found.append(_trigger(rollout, f"sum({runtime.waiting}{chosen})", str(QUEUE)))
    if runtime.kv_usage:
        query = f"sum(avg by ({REPLICA}) ({runtime.kv_usage}{chosen}))"
        found.append(_trigger(rollout, query, str(KV_SHARE)))
    if not found:
        raise ScenarioError(f"{runtime.key}: no metric is known to scale on; set least = most")
    return found


def _trigger(rollout: Rollout, query: str, threshold: str) -> dict[str, Any]:
    address = {"serverAddress": rollout.place.prometheus, "query": query, "threshold": threshold}
    return {"type": "prometheus", "metricType": "AverageValue", "metadata": address}
