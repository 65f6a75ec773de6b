"""What is rolled out: a deployment, where its weights are, the load it was planned for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from inferometer.deploy.runtime import Runtime, runtimes
from inferometer.deployment import Deployment, Precision
from inferometer.errors import ScenarioError
from inferometer.units import PerSecond, Seconds, UsdPerSecond
from inferometer.workload.slo import Slo

STEP = 1024
"""Tokens: a limit on the context is rounded up to a multiple, so that small changes of a trace
change no file."""

LONGEST_NAME = 40
"""Characters: what is derived from the name must stay within the 63 of a DNS label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a deployment was planned for.

    Attributes:
        peak_rate: Requests per second in the busiest minute.
        request_rate: Mean request rate.
        in_flight: Requests in one replica at the busiest minute: its share of the rate x the mean
            time of a request (Little's law).
        mean_input: Mean prompt, tokens.
        mean_output: Mean answer, tokens.
        longest: Prompt and answer of the longest request, tokens.
        slowest: 99th percentile of the time of a request.
    """

    peak_rate: PerSecond
    request_rate: PerSecond
    in_flight: float
    mean_input: float
    mean_output: float
    longest: float
    slowest: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the plan does not know about where it is to run; every default is an assumption.

    Attributes:
        name: Name of everything that is made; "" takes the model's.
        namespace: Kubernetes namespace.
        image: Container image; "" takes the engine's own.
        weights: Repository or path of the weights; "" takes the checkpoint that was planned with.
        least: Fewest replicas.
        most: Most replicas; 0 takes the planned number.
        startup: Time that a replica may take to load before it is started anew.
        prometheus: Address of Prometheus, for scaling.
        node_selector: Labels of the nodes that hold the accelerator.
    """

    name: str = ""
    namespace: str = "default"
    image: str = ""
    weights: str = ""
    least: int = 1
    most: int = 0
    startup: Seconds = 1800.0
    prometheus: str = "http://prometheus.monitoring.svc:9090"
    node_selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A deployment on its way out.

    Attributes:
        name: DNS label that names everything.
        deployment: The deployment.
        runtime: How its engine is run.
        weights: Repository or path of the weights.
        converted: Format that the engine converts the weights to as it loads them; "" for none.
        context: Longest request that is accepted, tokens.
        load: What it was planned for.
        slo: Targets.
        rent: Price of one accelerator; None if unpriced.
        place: Where it runs.
        most: Most replicas.
        origin: Name of the file that it comes from.
        digest: SHA-256 of that file.
    """

    name: str
    deployment: Deployment
    runtime: Runtime
    weights: str
    converted: str
    context: int
    load: Load
    slo: Slo
    rent: UsdPerSecond | None
    place: Place
    most: int
    origin: str
    digest: str

    @property
    def nodes(self) -> int:
        """Nodes that one replica spans."""
        return -(-self.deployment.parallelism.accelerators // self.deployment.node.accelerators)

    @property
    def accelerators_per_node(self) -> int:
        """Accelerators that one replica takes on each of its nodes."""
        return self.deployment.parallelism.accelerators // self.nodes

    @property
    def replicas(self) -> int:
        """Replicas to begin with: the planned number, within the limits."""
        return min(max(self.deployment.replicas, self.place.least), self.most)

    @property
    def served(self) -> str:
        """Name under which the model is asked for."""
        return self.deployment.model.key


def roll_out(
    deployment: Deployment,
    load: Load,
    slo: Slo,
    *,
    rent: float | None,
    place: Place,
    origin: str,
    digest: str,
) -> Rollout:
    """Return what is to be emitted for a deployment that was planned.

    Raises:
        ScenarioError: an engine that cannot be run from here, a layout that its nodes cannot hold,
            weights of which no checkpoint is known, replicas or a name out of range.
    """
    runtime = _runtime(deployment)
    weights, converted = _weights(deployment, place.weights)
    most = place.most or max(deployment.replicas, place.least)
    _check_layout(deployment)
    if not 1 <= place.least <= most:
        raise ScenarioError(
            f"replicas: {place.least} at least and {most} at most; 1 <= least <= most is wanted: "
            "an engine that has been scaled to zero reports nothing that could wake it"
        )
    context = min(-(-int(load.longest) // STEP) * STEP, deployment.model.max_context)
    rollout = Rollout(
        name=place.name or _label(deployment.model.key), deployment=deployment, runtime=runtime,
        weights=weights, converted=converted, context=context, load=load, slo=slo, rent=rent,
        place=place, most=most, origin=origin, digest=digest,
    )  # fmt: skip
    check_label("name", rollout.name, LONGEST_NAME)
    check_label("namespace", place.namespace, 63)
    return rollout


def check_label(what: str, text: str, longest: int) -> None:
    """Refuse a name that is no DNS label of at most `longest` characters.

    Raises:
        ScenarioError: it is not.
    """
    if len(text) > longest or not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", text):
        raise ScenarioError(
            f"{what} {text!r:.80}: a DNS label is wanted, such as llama-8b: lower-case letters, "
            f"digits and hyphens, a letter first, at most {longest} characters"
        )


def _label(key: str) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")
    return (label if label[:1].isalpha() else f"m-{label}")[:LONGEST_NAME].rstrip("-")


def _runtime(deployment: Deployment) -> Runtime:
    engine = deployment.settings.engine
    if engine.key in runtimes():
        return runtimes()[engine.key]
    known = ", ".join(runtimes())
    older = f", an older release of {engine.lineage}" if engine.lineage else ""
    raise ScenarioError(
        f"engine {engine.key}{older}: cannot be deployed from here; plan with one of {known}"
    )


def _weights(deployment: Deployment, stated: str) -> tuple[str, str]:
    """Return where the weights are, and the format that the engine converts them to, "" for none.

    Engines convert 16-bit weights to FP8 as they load them; every other format must be published
    or stated.
    """
    precision = deployment.precision
    if stated:
        return stated, ""
    checkpoints = deployment.model.checkpoints
    for checkpoint in checkpoints:
        formats = (checkpoint.linear, checkpoint.experts or checkpoint.linear)
        if formats == (precision.linear.key, precision.experts.key):
            return checkpoint.name, ""
    full = [c.name for c in checkpoints if c.linear == "bf16" and c.experts in {"", "bf16"}]
    if full and _everywhere(precision, "fp8") and deployment.settings.engine.key != "llama.cpp":
        return full[0], "fp8"
    raise ScenarioError(
        f"no published checkpoint of {deployment.model.key} is known in {precision.linear.key}/"
        f"{precision.experts.key}: name the repository or path that holds it with --weights-from"
    )


def _everywhere(precision: Precision, key: str) -> bool:
    return precision.linear.key == precision.experts.key == key


def _check_layout(deployment: Deployment) -> None:
    layout, node = deployment.parallelism, deployment.node
    if layout.accelerators > node.accelerators and layout.accelerators % node.accelerators:
        raise ScenarioError(
            f"{layout}: {layout.accelerators} accelerators do not fill whole nodes of "
            f"{node.accelerators} {node.accelerator}; take a multiple"
        )
