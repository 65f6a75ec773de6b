"""Resources of operators on top of Kubernetes: KServe, Dynamo, the inference extension's pool."""

from typing import Any

from inferometer.deploy.container import FOLDER, image
from inferometer.deploy.engines.launch import Launch
from inferometer.deploy.engines.registry import launch_of
from inferometer.deploy.kubernetes.metadata import metadata, selector
from inferometer.deploy.kubernetes.pod import template
from inferometer.deploy.kubernetes.scaling import triggers
from inferometer.deploy.rollout import Rollout
from inferometer.deploy.yaml_text import dump
from inferometer.errors import ScenarioError

PICKER_PORT = 9002
"""Port of the endpoint picker: the default of the inference extension's chart."""

WEIGHTS = {"vllm": "--model", "sglang": "", "trtllm": "--model-path"}
"""Engines that are backends of Dynamo, under its own names for them, each with the flag by which
its worker takes the weights; "" where the engine's own flags name them already."""


def kserve(rollout: Rollout) -> dict[str, str]:
    """Return an LLMInferenceService (v1alpha2).

    Raises:
        ScenarioError: another engine than vLLM, which its presets start; several nodes.
    """
    if rollout.runtime.key != "vllm":
        raise ScenarioError(f"kserve: its presets start vLLM, not {rollout.runtime.key}")
    _one_node(rollout, "kserve")
    layout, launch = rollout.deployment.parallelism, launch_of(rollout, FOLDER)
    steady = rollout.place.least == rollout.most
    scaling = {
        "minReplicas": max(rollout.place.least, 1),
        "maxReplicas": rollout.most,
        "keda": {"triggers": [] if steady else triggers(rollout)},
    }
    ranks = {"tensor": layout.tensor, "pipeline": layout.pipeline, "data": layout.data}
    parallelism: dict[str, Any] = {name: count for name, count in ranks.items() if count > 1}
    if layout.data > 1:
        parallelism["dataLocal"] = layout.data
    if layout.expert:
        parallelism["expert"] = True
    document = {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": metadata(rollout),
        "spec": {
            "model": {"uri": _uri(rollout.weights), "name": rollout.served},
            **({"replicas": rollout.most} if steady else {"scaling": scaling}),
            **({"parallelism": parallelism} if parallelism else {}),
            "router": {part: dict[str, Any]() for part in ("route", "gateway", "scheduler")},
            "template": _main(template(rollout, launch))["spec"],
        },
    }
    return {"kserve/llminferenceservice.yaml": dump(document)}


def _uri(weights: str) -> str:
    return f"pvc:/{weights}" if weights.startswith("/") else f"hf://{weights}"


def dynamo(rollout: Rollout) -> dict[str, str]:
    """Return a DynamoGraphDeployment (v1beta1): a front end and identical workers.

    Raises:
        ScenarioError: an engine that is no backend of Dynamo, or several nodes.
    """
    backend = rollout.runtime.key
    if backend not in WEIGHTS:
        raise ScenarioError(
            f"dynamo: {backend} is no backend of it; one of {', '.join(WEIGHTS)} is"
        )
    _one_node(rollout, "dynamo")
    if not rollout.place.image:
        raise ScenarioError(
            "dynamo: workers run in an image of Dynamo's own runtime, whose release must fit the "
            "operator's: name it with --image"
        )
    launch = _worker(rollout, backend)
    front = {"spec": {"containers": [{"name": "main", "image": image(rollout)}]}}
    document = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeployment",
        "metadata": metadata(rollout),
        "spec": {
            "backendFramework": backend,
            "components": [
                {"name": "frontend", "type": "frontend", "replicas": 1, "podTemplate": front},
                {
                    "name": "worker",
                    "type": "worker",
                    "replicas": rollout.replicas,
                    "podTemplate": _main(template(rollout, launch, worker=True)),
                },
            ],
        },
    }
    return {"dynamo/dynamographdeployment.yaml": dump(document)}


def _worker(rollout: Rollout, backend: str) -> Launch:
    """Return the launch of Dynamo's worker, which takes the engine's flags but no address."""
    own = launch_of(rollout, FOLDER)
    kept = tuple(f for f in own.flags if not f.startswith(("--host", "--port", "--enable-prompt")))
    named = (f"{WEIGHTS[backend]}={rollout.weights}",) if WEIGHTS[backend] else ()
    program = ("python3", "-m", f"dynamo.{backend}")
    return Launch(program=program, flags=(*named, *kept), config=own.config)


def _main(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the template with its container named as Dynamo expects it."""
    pod["spec"]["containers"][0]["name"] = "main"
    return pod


def inference_pool(rollout: Rollout) -> dict[str, str]:
    """Return an InferencePool (v1) over the pods of the Kubernetes manifests."""
    document = {
        "apiVersion": "inference.networking.k8s.io/v1",
        "kind": "InferencePool",
        "metadata": metadata(rollout),
        "spec": {
            "selector": {"matchLabels": selector(rollout)},
            "targetPorts": [{"number": rollout.runtime.port}],
            "endpointPickerRef": {
                "group": "",
                "kind": "Service",
                "name": f"{rollout.name}-epp",
                "port": {"number": PICKER_PORT},
                "failureMode": "FailOpen",
            },
        },
    }
    return {"inferencepool/inferencepool.yaml": dump(document)}


def _one_node(rollout: Rollout, what: str) -> None:
    if rollout.nodes > 1:
        raise ScenarioError(
            f"{what}: a replica of {rollout.deployment.parallelism} spans {rollout.nodes} nodes, "
            "which is emitted as a LeaderWorkerSet only: --kind kubernetes"
        )
