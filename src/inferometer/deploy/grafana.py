"""A Grafana dashboard of the recorded series, the targets of the SLO drawn in."""

from collections.abc import Sequence
from typing import Any

import msgspec

from inferometer.deploy.header import lines
from inferometer.deploy.queries import Rule, recorded, rules
from inferometer.deploy.rollout import Rollout

WIDTH, HEIGHT, COLUMNS = 12, 8, 24
"""Size of a panel and of the page, in Grafana's grid."""

SCHEMA = 39
"""Version of the dashboard model, that of Grafana 11."""

GROUPS = ("ttft", "tpot", "itl", "e2e")
"""Latencies: the quantiles of each share a panel."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def grafana(rollout: Rollout) -> dict[str, str]:
    """Return the dashboard; its head is its description, as JSON has no comments."""
    panels = [
        _panel(rollout, place, title, members)
        for place, (title, members) in enumerate(_grouped(rules(rollout)).items())
    ]
    dashboard = {
        "uid": f"inferometer-{rollout.name}"[:40],
        "title": f"Inferometer: {rollout.served}",
        "description": "\n".join(lines(rollout)),
        "tags": ["inferometer", "llm"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource()]},
        "panels": panels,
    }
    text = msgspec.json.format(msgspec.json.encode(dashboard), indent=2).decode()
    return {"grafana/dashboard.json": text + "\n"}


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource",
            "query": "prometheus"}  # fmt: skip


def _grouped(found: Sequence[Rule]) -> dict[str, list[Rule]]:
    groups: dict[str, list[Rule]] = {}
    for rule in found:
        kind = rule.title.split(" ", 1)[0].lower()
        title = kind.upper() if kind in GROUPS else rule.title
        groups.setdefault(title, []).append(rule)
    return groups


def _panel(rollout: Rollout, place: int, title: str, members: Sequence[Rule]) -> dict[str, Any]:
    across = COLUMNS // WIDTH
    queries = [
        {
            "refId": chr(ord("A") + rank),
            "expr": rule.name + recorded(rollout),
            "legendFormat": rule.title,
            "datasource": SOURCE,
        }
        for rank, rule in enumerate(members)
    ]
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    limits = [t.limit for t in rollout.slo.targets if t.metric == title.lower()]
    steps += [{"color": "red", "value": min(limits)}] if limits else []
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {
            "x": place % across * WIDTH,
            "y": place // across * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        },
        "targets": queries,
        "fieldConfig": {
            "defaults": {
                "unit": members[0].unit,
                "min": 0,
                "custom": {"thresholdsStyle": {"mode": "line" if limits else "off"}},
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
    }
