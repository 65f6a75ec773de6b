"""Plain Kubernetes: workload, service, disruption budget, scaling, and a kustomization of them."""

from typing import Any

from inferometer.deploy.container import FOLDER
from inferometer.deploy.engines.launch import Launch
from inferometer.deploy.engines.registry import launch_of
from inferometer.deploy.kubernetes.metadata import metadata, selector
from inferometer.deploy.kubernetes.pod import template
from inferometer.deploy.kubernetes.scaling import scaled_object
from inferometer.deploy.rollout import Rollout
from inferometer.deploy.yaml_text import dump

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
LEADER_WORKER_SET = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}


def kubernetes(rollout: Rollout) -> dict[str, str]:
    """Return the manifests; a replica over several nodes becomes a LeaderWorkerSet.

    Raises:
        ScenarioError: no image, device or metric known.
    """
    launch = launch_of(rollout, FOLDER)
    kind = DEPLOYMENT if rollout.nodes == 1 else LEADER_WORKER_SET
    work = _deployment(rollout, launch) if rollout.nodes == 1 else _group(rollout, launch)
    documents = {kind["kind"].lower(): work, "service": _service(rollout)}
    if launch.config is not None:
        documents["configmap"] = _config(rollout, *launch.config)
    if rollout.nodes == 1:  # a LeaderWorkerSet restarts a group as a whole
        documents["poddisruptionbudget"] = _budget(rollout)
    if rollout.place.least < rollout.most:
        documents["scaledobject"] = scaled_object(rollout, kind)
    files = {f"{name}.yaml": dump(document) for name, document in sorted(documents.items())}
    listing = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(files),
    }
    return {
        f"kubernetes/{name}": text
        for name, text in {**files, "kustomization.yaml": dump(listing)}.items()
    }


def _deployment(rollout: Rollout, launch: Launch) -> dict[str, Any]:
    return {
        **DEPLOYMENT,
        "metadata": metadata(rollout),
        "spec": {
            "replicas": rollout.replicas,
            "progressDeadlineSeconds": int(rollout.place.startup) + 600,
            "selector": {"matchLabels": selector(rollout)},
            # a new pod finds no accelerator while the old ones hold them all
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
            },
            "template": template(rollout, launch),
        },
    }


def _group(rollout: Rollout, launch: Launch) -> dict[str, Any]:
    return {
        **LEADER_WORKER_SET,
        "metadata": metadata(rollout),
        "spec": {
            "replicas": rollout.replicas,
            "startupPolicy": "LeaderCreated",
            "leaderWorkerTemplate": {
                "size": rollout.nodes,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": template(rollout, launch),
                "workerTemplate": template(rollout, launch, worker=True),
            },
        },
    }


def _service(rollout: Rollout) -> dict[str, Any]:
    port = {"name": "http", "port": 80, "targetPort": "http"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(rollout),
        "spec": {"selector": selector(rollout), "ports": [port]},
    }


def _budget(rollout: Rollout) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(rollout),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(rollout)}},
    }


def _config(rollout: Rollout, name: str, text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(rollout, "-engine"),
        "data": {name: text},
    }
