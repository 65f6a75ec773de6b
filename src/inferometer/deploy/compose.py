"""Docker Compose for one host: the replicas that it holds, and a Prometheus that watches them."""

from typing import Any

from inferometer.deploy.container import CACHE, FOLDER, drain, environment, image, vendor
from inferometer.deploy.engines.launch import Launch
from inferometer.deploy.engines.registry import launch_of
from inferometer.deploy.prometheus import prometheus
from inferometer.deploy.rollout import Rollout
from inferometer.deploy.yaml_text import dump
from inferometer.errors import ScenarioError

PROMETHEUS = "prom/prometheus:v3.5.0"
"""Long-term release of 2025."""


def replicas_per_host(rollout: Rollout) -> int:
    """Return how many replicas one host runs, at most the planned number.

    Raises:
        ScenarioError: one replica spans several hosts.
    """
    if rollout.nodes > 1:
        raise ScenarioError(
            f"Docker Compose runs on one host, and a replica of {rollout.deployment.parallelism} "
            f"spans {rollout.nodes}: deploy --kind kubernetes"
        )
    host = rollout.deployment.node.accelerators
    return min(host // rollout.deployment.parallelism.accelerators, rollout.deployment.replicas)


def compose(rollout: Rollout) -> dict[str, str]:
    """Return compose.yaml and prometheus.yml, and the rules that Prometheus loads.

    Raises:
        ScenarioError: more than a host, no image known, or a device that is not known.
    """
    count, launch = replicas_per_host(rollout), launch_of(rollout, FOLDER)
    services = {f"engine-{rank}": _engine(rollout, launch, rank) for rank in range(count)}
    watcher: dict[str, Any] = {
        "image": PROMETHEUS,
        "volumes": [
            "./prometheus.yml:/etc/prometheus/prometheus.yml:ro",
            "../prometheus/rules.yaml:/etc/prometheus/rules.yaml:ro",
        ],
        "ports": ["127.0.0.1:9090:9090"],
        "restart": "unless-stopped",
    }
    document: dict[str, Any] = {
        "name": rollout.name,
        "services": {**services, "prometheus": watcher},
        "volumes": {"models": {}},
        "x-inferometer": {
            "replicas_on_this_host": count, "replicas_planned": rollout.deployment.replicas,
        },
    }  # fmt: skip
    if launch.config is not None:
        document["configs"] = {"engine": {"content": launch.config[1].replace("$", "$$")}}
    return {
        "compose/compose.yaml": dump(document),
        "compose/prometheus.yml": dump(_scraping(rollout, count)),
        **prometheus(rollout),
    }


def _engine(rollout: Rollout, launch: Launch, rank: int) -> dict[str, Any]:
    port = rollout.runtime.port
    check = f"http://127.0.0.1:{port}{rollout.runtime.health}"
    probe = f"import urllib.request as r; r.urlopen('{check}', timeout=5)"
    python = ["CMD", "python3", "-c", probe]
    curl = ["CMD", "curl", "-fsS", check]
    service: dict[str, Any] = {
        "image": image(rollout),
        "entrypoint": [launch.program[0]],
        "command": [word.replace("$", "$$") for word in (*launch.program[1:], *launch.flags)],
        "environment": {**environment(rollout), "HF_TOKEN": "${HF_TOKEN:-}"},
        "ports": [f"127.0.0.1:{port + rank}:{port}"],
        "volumes": [f"models:{CACHE}"],
        "ipc": "host",  # ranks of one replica talk over shared memory
        "healthcheck": {
            "test": curl if rollout.runtime.key == "llama.cpp" else python,
            "interval": "15s",
            "timeout": "10s",
            "retries": 4,
            "start_period": f"{rollout.place.startup:.0f}s",
        },
        "stop_grace_period": f"{drain(rollout)}s",
        "restart": "unless-stopped",
    }
    _add_devices(service, rollout, rank)
    if launch.config is not None:
        service["configs"] = [{"source": "engine", "target": f"{FOLDER}{launch.config[0]}"}]
    return service


def _add_devices(service: dict[str, Any], rollout: Rollout, rank: int) -> None:
    """Give a service the accelerators of its replica; nothing on CPUs."""
    maker, each = vendor(rollout), rollout.accelerators_per_node
    if maker is None:
        return
    ids = [str(rank * each + place) for place in range(each)]
    if maker.driver:
        reservation = {"driver": maker.driver, "device_ids": ids, "capabilities": ["gpu"]}
        service["deploy"] = {"resources": {"reservations": {"devices": [reservation]}}}
        return
    service |= {"devices": list(maker.devices), "group_add": ["video"]}
    service["environment"]["HIP_VISIBLE_DEVICES"] = ",".join(ids)


def _scraping(rollout: Rollout, count: int) -> dict[str, Any]:
    targets = [f"engine-{rank}:{rollout.runtime.port}" for rank in range(count)]
    job = {
        "job_name": rollout.name,
        "metrics_path": rollout.runtime.metrics,
        "static_configs": [{"targets": targets}],
    }
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["/etc/prometheus/rules.yaml"],
        "scrape_configs": [job],
    }
