"""Kinds of files, and all files of a rollout by path."""

from collections.abc import Callable, Mapping, Sequence

from inferometer.catalog.names import nearest
from inferometer.deploy.aisimulate import aisimulate
from inferometer.deploy.compose import compose
from inferometer.deploy.engines.launch import script
from inferometer.deploy.engines.registry import launch_of
from inferometer.deploy.grafana import grafana
from inferometer.deploy.header import commented
from inferometer.deploy.kubernetes.manifests import kubernetes
from inferometer.deploy.kubernetes.operators import dynamo, inference_pool, kserve
from inferometer.deploy.prometheus import prometheus
from inferometer.deploy.rollout import Rollout
from inferometer.deploy.yaml_text import dump
from inferometer.errors import ScenarioError

Emit = Callable[[Rollout], Mapping[str, str]]


def engine(rollout: Rollout) -> dict[str, str]:
    """Return the start script and, where the engine takes one, its YAML file.

    Raises:
        ScenarioError: settings that the engine cannot be started with.
    """
    launch = launch_of(rollout)
    files = {"engine/serve.sh": "#!/bin/sh\n" + script(launch)}
    if launch.settings is not None:
        files[f"engine/{rollout.runtime.key}.yaml"] = dump(dict(launch.settings))
    if launch.config is not None:
        files[f"engine/{launch.config[0]}"] = launch.config[1]
    return files


KINDS: Mapping[str, Emit] = {
    "engine": engine,
    "compose": compose,
    "kubernetes": kubernetes,
    "prometheus": prometheus,
    "grafana": grafana,
    "aisimulate": aisimulate,
    "kserve": kserve,
    "dynamo": dynamo,
    "inferencepool": inference_pool,
}

USUAL = ("engine", "compose", "kubernetes", "prometheus", "grafana")
"""What is emitted unless kinds are named: what needs no operator but KEDA."""


def emit(rollout: Rollout, kinds: Sequence[str] = ()) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return all files by path, and why a usual kind was left out.

    Args:
        rollout: What is rolled out.
        kinds: Kinds wanted; the usual ones without any. A kind that is named must be possible.

    Raises:
        ScenarioError: an unknown kind, or one that cannot be emitted.
    """
    files, without = dict[str, str](), list[str]()
    for name in kinds or USUAL:
        if name not in KINDS:
            near = ", ".join(nearest(name, KINDS) or KINDS)
            raise ScenarioError(f"--kind {name!r}: unknown; nearest: {near}")
        try:
            found = KINDS[name](rollout)
        except ScenarioError as error:
            if kinds or name == "engine":
                raise
            without.append(f"{name} is left out: {error}")
            continue
        for path, text in found.items():
            files[path] = text if path.endswith(".json") else commented(rollout, text)
    return dict(sorted(files.items())), tuple(without)
