"""Names and labels of every object."""

from typing import Any

from inferometer.deploy.rollout import Rollout

MANAGED = "app.kubernetes.io/managed-by"


def selector(rollout: Rollout) -> dict[str, str]:
    """Return the labels that select the pods that take requests."""
    return {"app.kubernetes.io/name": rollout.name, "app.kubernetes.io/component": "engine"}


def labels(rollout: Rollout) -> dict[str, str]:
    """Return the labels of everything."""
    return {**selector(rollout), MANAGED: "inferometer"}


def metadata(rollout: Rollout, suffix: str = "") -> dict[str, Any]:
    """Return the metadata of an object."""
    return {
        "name": rollout.name + suffix,
        "namespace": rollout.place.namespace,
        "labels": labels(rollout),
        "annotations": {"inferometer/input": f"sha256:{rollout.digest}"},
    }
