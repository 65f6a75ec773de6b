"""Prometheus: recording rules of use, latency and cost, and alerts where the SLO is missed."""

from collections.abc import Iterator
from typing import Any

from inferometer.deploy.queries import IN_FLIGHT, measured, recorded, rules
from inferometer.deploy.rollout import Rollout
from inferometer.deploy.yaml_text import dump

PATIENCE = "10m"
"""Time that a target must be missed before an alert fires."""

FULL = 0.95
"""Share of the KV cache in use at which engines begin to preempt or to queue."""


def prometheus(rollout: Rollout) -> dict[str, str]:
    """Return the rules file."""
    label = {"model": rollout.served}
    series = [
        {"record": rule.name, "expr": rule.expression, "labels": label} for rule in rules(rollout)
    ]
    groups: list[dict[str, Any]] = [
        {"name": f"{rollout.name}-recording", "interval": "15s", "rules": series},
        {"name": f"{rollout.name}-alerts", "rules": list(_alerts(rollout))},
    ]
    return {"prometheus/rules.yaml": dump({"groups": groups})}


def _alerts(rollout: Rollout) -> Iterator[dict[str, Any]]:
    for target in rollout.slo.targets:
        query = measured(rollout, target)
        if query:
            yield _alert(
                rollout,
                f"{target.metric.capitalize()}{target.quantile.capitalize()}Missed",
                f"{query} > {target.limit:.10g}",
                f"{rollout.served}: SLO {target} is missed",
            )
    planned = rollout.load.in_flight * rollout.most
    which = recorded(rollout)
    if rollout.runtime.running:
        yield _alert(
            rollout,
            "BeyondThePlan",
            f"{IN_FLIGHT}{which} > {max(planned, 1.0):.4g}",
            f"{rollout.served}: more requests in flight than {rollout.most} replicas were planned "
            "for",
        )
    if rollout.runtime.kv_usage:
        yield _alert(
            rollout,
            "KvCacheFull",
            f"model:kv_cache_usage:avg{which} > {FULL}",
            f"{rollout.served}: the KV cache is full, so requests wait or are preempted",
        )


def _alert(rollout: Rollout, name: str, expression: str, text: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": PATIENCE,
        "labels": {"severity": "warning", "model": rollout.served},
        "annotations": {"summary": text, "planned_from": f"sha256:{rollout.digest}"},
    }
