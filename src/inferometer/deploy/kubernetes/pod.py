"""The pod of an engine: one container with its accelerators, probes and time to drain."""

from typing import Any

from inferometer.deploy.container import CACHE, FOLDER, drain, environment, image, vendor
from inferometer.deploy.engines.launch import Launch
from inferometer.deploy.kubernetes.metadata import labels
from inferometer.deploy.rollout import Rollout

PERIOD = 10
"""Seconds between two probes."""

MARGIN = 30
"""Seconds on top of the drain, for the engine itself to stop."""


def template(rollout: Rollout, launch: Launch, *, worker: bool = False) -> dict[str, Any]:
    """Return the pod template of the node that takes requests, or of a further one."""
    marks = labels(rollout)
    if worker:
        marks["app.kubernetes.io/component"] = "worker"
    scraped = {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": rollout.runtime.metrics,
        "prometheus.io/port": str(rollout.runtime.port),
    }
    return {
        "metadata": {"labels": marks, **({} if worker else {"annotations": scraped})},
        "spec": _spec(rollout, launch, worker=worker),
    }


def _spec(rollout: Rollout, launch: Launch, *, worker: bool) -> dict[str, Any]:
    maker = vendor(rollout)
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": drain(rollout) + MARGIN,
        "containers": [_container(rollout, launch, worker=worker)],
        "volumes": _volumes(rollout, launch),
    }
    if rollout.place.node_selector:
        spec["nodeSelector"] = dict(rollout.place.node_selector)
    if maker is not None:
        spec["tolerations"] = [
            {"key": maker.resource, "operator": "Exists", "effect": "NoSchedule"}
        ]
    return spec


def _container(rollout: Rollout, launch: Launch, *, worker: bool) -> dict[str, Any]:
    maker = vendor(rollout)
    found: dict[str, Any] = {
        "name": "engine",
        "image": image(rollout),
        "command": list(launch.program),
        "args": [*launch.flags, *(launch.worker if worker else ())],
        "env": _environment(rollout),
    }
    if maker is not None:
        found["resources"] = {"limits": {maker.resource: str(rollout.accelerators_per_node)}}
    if not worker:
        found |= _serving(rollout)
    mounts = [
        {"name": "models", "mountPath": CACHE},
        {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 - as NCCL wants it
    ]
    if launch.config is not None:
        mounts.append({"name": "config", "mountPath": FOLDER.rstrip("/")})
    found["volumeMounts"] = mounts
    found["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return found


def _environment(rollout: Rollout) -> list[dict[str, Any]]:
    token = {"name": "huggingface", "key": "token", "optional": True}
    return [
        *({"name": name, "value": value} for name, value in environment(rollout).items()),
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": token}},
    ]


def _serving(rollout: Rollout) -> dict[str, Any]:
    """Return port, probes and the pause before stopping of a container that takes requests."""
    check = {"httpGet": {"path": rollout.runtime.health, "port": "http"}, "periodSeconds": PERIOD}
    patience = max(1, -(-int(rollout.place.startup) // PERIOD))
    return {
        "ports": [{"name": "http", "containerPort": rollout.runtime.port}],
        "startupProbe": {**check, "failureThreshold": patience},
        "readinessProbe": {**check, "timeoutSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**check, "timeoutSeconds": 30, "failureThreshold": 6},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(drain(rollout))]}}},
    }


def _volumes(rollout: Rollout, launch: Launch) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "models", "emptyDir": {}},
        {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
    ]
    if launch.config is not None:
        volumes.append({"name": "config", "configMap": {"name": f"{rollout.name}-engine"}})
    return volumes
