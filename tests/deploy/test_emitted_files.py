"""Every emitted file: as its golden has it, and valid under whoever reads it."""

import itertools
import json
import shutil
import subprocess
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import deploy_cases
import jsonschema
import kubernetes_validate
import pytest
import yaml

from inferometer.deploy.aisimulate.shape import check
from inferometer.deploy.engines.registry import launch_of
from inferometer.deploy.kubernetes.operators import dynamo
from inferometer.deploy.queries import rules

KUBERNETES = "1.32"
SCHEMAS = Path(__file__).parent / "schemas"
CASES = tuple(deploy_cases.cases())
FILES = [(name, path) for name in CASES for path in deploy_cases.files_of(name)]
PLAIN = {"Deployment", "Service", "PodDisruptionBudget", "ConfigMap"}


def schema(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{kind.lower()}.json").read_text("utf-8"))
    return found


def compose_schema() -> dict[str, Any]:
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    found: dict[str, Any] = json.loads((folder / "compose-spec.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", CASES)
def test_files_are_those_of_the_goldens(name: str) -> None:
    folder = deploy_cases.GOLDENS / name
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    files = deploy_cases.golden_files(name)
    assert there == set(files), "python tests/deploy_cases.py writes them; read the diff"
    for path, text in files.items():
        assert text == (folder / path).read_text(encoding="utf-8"), path


@pytest.mark.parametrize(("name", "path"), FILES)
def test_head_names_input_and_assumptions(name: str, path: str) -> None:
    text = deploy_cases.files_of(name)[path]
    for part in ("Written by inferometer", f"input: sha256:{'0' * 64}", "assumes:"):
        assert part in text


def manifests(files: dict[str, str]) -> list[dict[str, Any]]:
    folders = ("kubernetes/", "kserve/", "dynamo/", "inferencepool/")
    return [yaml.safe_load(text) for path, text in files.items() if path.startswith(folders)]


@pytest.mark.parametrize("name", CASES)
def test_manifests_validate(name: str) -> None:
    documents = manifests(deploy_cases.files_of(name))
    assert documents
    for document in documents:
        if document["kind"] in PLAIN:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        else:
            jsonschema.validate(document, schema(document["kind"]))
        for spec in pod_specs(document):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
            kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def pod_specs(document: Any) -> list[dict[str, Any]]:
    """Return every pod specification inside a document."""
    if isinstance(document, list):
        return [spec for item in document for spec in pod_specs(item)]
    if not isinstance(document, dict):
        return []
    if "containers" in document:
        return [document]
    return [spec for item in document.values() for spec in pod_specs(item)]


def test_schemas_refuse_what_is_wrong() -> None:
    scaled = yaml.safe_load(deploy_cases.files_of("vllm")["kubernetes/scaledobject.yaml"])
    scaled["spec"]["maxReplicas"] = 3
    with pytest.raises(jsonschema.ValidationError, match="maxReplicas"):
        jsonschema.validate(scaled, schema("ScaledObject"))
    work = yaml.safe_load(deploy_cases.files_of("vllm")["kubernetes/deployment.yaml"])
    work["spec"]["template"]["spec"]["containers"][0]["port"] = 8000
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(work, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", ["vllm", "rocm", "sglang-experts", "trtllm"])
def test_workers_of_dynamo_name_their_weights(name: str) -> None:
    which = deploy_cases.cases()[name]
    built = replace(which, place=replace(which.place, image="example/dynamo:1.0"))
    (text,) = dynamo(built).values()
    (worker,) = [c for c in yaml.safe_load(text)["spec"]["components"] if c["name"] == "worker"]
    (main,) = worker["podTemplate"]["spec"]["containers"]
    assert which.weights in [value for word in main["args"] for value in word.split("=")]


@pytest.mark.parametrize("name", CASES)
def test_compose_validates(name: str) -> None:
    text = deploy_cases.files_of(name).get("compose/compose.yaml")
    if text is None:
        assert deploy_cases.cases()[name].nodes > 1
        return
    jsonschema.validate(yaml.safe_load(text), compose_schema())


@pytest.mark.parametrize("name", CASES)
def test_kustomization_builds(name: str, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    files = deploy_cases.files_of(name)
    for path, text in files.items():
        if path.startswith("kubernetes/"):
            (tmp_path / path.removeprefix("kubernetes/")).write_text(text, encoding="utf-8")
    built = run(kubectl, "kustomize", str(tmp_path))
    kinds = {document["kind"] for document in yaml.safe_load_all(built)}
    assert {"Service", "LeaderWorkerSet" if name.endswith("-nodes") else "Deployment"} <= kinds


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    return found


@pytest.mark.parametrize("name", CASES)
def test_rules_pass_promtool(name: str, promtool: str, tmp_path: Path) -> None:
    files, place = deploy_cases.files_of(name), tmp_path / "rules.yaml"
    place.write_text(files["prometheus/rules.yaml"], encoding="utf-8")
    run(promtool, "check", "rules", str(place))
    if "compose/prometheus.yml" in files:
        text = files["compose/prometheus.yml"].replace("/etc/prometheus/rules.yaml", str(place))
        (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
        run(promtool, "check", "config", str(tmp_path / "prometheus.yml"))


def test_recorded_cost_and_alert_follow_the_series(promtool: str, tmp_path: Path) -> None:
    """Two replicas of four accelerators at 3 USD/h, 1,000 tokens/s: 24 USD/h, 6.67 USD/Mtok.

    Each has two data-parallel ranks with series of their own, which are no replicas.
    """
    which = '{model_name="llama-3.1-70b", instance="%s", engine="%d"}'
    series = list[dict[str, str]]()
    for place, rank in itertools.product(("a", "b"), (0, 1)):
        label = which % (place, rank)
        series += [
            {"series": f"vllm:num_requests_running{label}", "values": "15x80"},
            {"series": f"vllm:num_requests_waiting{label}", "values": "2.5x80"},
            {"series": f"vllm:prompt_tokens_total{label}", "values": "0+3000x80"},
            {"series": f"vllm:generation_tokens_total{label}", "values": "0+750x80"},
        ]
    (tmp_path / "rules.yaml").write_text(
        deploy_cases.files_of("vllm")["prometheus/rules.yaml"], encoding="utf-8"
    )
    label = '{model="llama-3.1-70b"}'

    def sample(name: str, value: float) -> dict[str, Any]:
        return {
            "expr": f"{name}{label}",
            "eval_time": "19m",
            "exp_samples": [{"labels": f"{name}{label}", "value": value}],
        }

    firing = {"severity": "warning", "model": "llama-3.1-70b"}
    summary = "llama-3.1-70b: more requests in flight than 2 replicas were planned for"
    noted = {"summary": summary, "planned_from": f"sha256:{'0' * 64}"}
    case = {
        "interval": "15s",
        "input_series": series,
        "promql_expr_test": [
            sample("model:replicas:count", 2),
            sample("model:requests_in_flight:sum", 70),
            sample("model:rent_usd_per_hour:sum", 24),
            sample("model:usd_per_mtok:rate5m", 24 / 3600 * 1e6 / 1000),
        ],
        "alert_rule_test": [
            {
                "eval_time": "19m",
                "alertname": "BeyondThePlan",
                "exp_alerts": [{"exp_labels": firing, "exp_annotations": noted}],
            },
            {"eval_time": "19m", "alertname": "KvCacheFull", "exp_alerts": []},
        ],
    }
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": [case]}
    (tmp_path / "test.yaml").write_text(json.dumps(document), encoding="utf-8")
    run(promtool, "test", "rules", str(tmp_path / "test.yaml"))


@pytest.mark.parametrize("name", CASES)
def test_dashboard_shows_what_is_recorded(name: str) -> None:
    dashboard = json.loads(deploy_cases.files_of(name)["grafana/dashboard.json"])
    jsonschema.validate(dashboard, schema("dashboard"))
    which = deploy_cases.cases()[name]
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert shown == [f'{rule.name}{{model="{which.served}"}}' for rule in rules(which)]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("name", CASES)
def test_script_starts_the_engine_with_the_settings_of_its_file(name: str, tmp_path: Path) -> None:
    """The script runs, with a program in the engine's place that prints what it was given."""
    files, which = deploy_cases.files_of(name), deploy_cases.cases()[name]
    script = tmp_path / "serve.sh"
    script.write_text(files["engine/serve.sh"], encoding="utf-8")
    program = tmp_path / "bin" / launch_of(which).program[0]
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    ranks = {"LWS_WORKER_INDEX": "1", "LWS_LEADER_ADDRESS": "leader.example"}
    environment = {"PATH": f"{program.parent}:/usr/bin:/bin", **ranks}
    done = subprocess.run(  # noqa: S603 - our own script
        ["/bin/sh", str(script), "--headless"], capture_output=True, text=True, check=True,
        env=environment,
    )  # fmt: skip
    words = done.stdout.splitlines()
    assert words[-1] == "--headless"
    assert not [word for word in words if "$" in word]
    if which.nodes > 1:
        assert "--node-rank=1" in words
        assert any(word.endswith(("=leader.example", "=leader.example:20000")) for word in words)
    config = files.get(f"engine/{which.runtime.key}.yaml")
    pairs = [word.removeprefix("--").split("=", 1) for word in words if "=" in word]
    flags = {pair[0]: pair[1] for pair in pairs}
    if which.runtime.key in {"vllm", "sglang"}:
        assert config is not None
        for key, value in yaml.safe_load(config).items():
            bare = value is True and f"--{key}" in words
            assert bare or flags.get(key) == str(value) or value in words, key


@pytest.mark.parametrize("name", [name for name in CASES if name not in {"llama.cpp", "rocm"}])
def test_aisimulate_document_is_one_that_we_read(name: str) -> None:
    check(yaml.safe_load(deploy_cases.files_of(name)["aisimulate/prediction.yaml"]), name)


def test_a_queue_alone_is_not_called_requests_in_flight() -> None:
    for name, counted in (("trtllm", False), ("vllm", True)):
        text = deploy_cases.files_of(name)["prometheus/rules.yaml"]
        assert ("model:requests_in_flight:sum" in text) == ("BeyondThePlan" in text) == counted
        assert "model:requests_waiting:sum" in text


def test_a_second_rank_is_no_second_cache_to_scale_for() -> None:
    text = deploy_cases.files_of("sglang-experts")["kubernetes/scaledobject.yaml"]
    queries = [one["metadata"]["query"] for one in yaml.safe_load(text)["spec"]["triggers"]]
    assert any(query.startswith("sum(avg by (instance) (sglang:token_usage{") for query in queries)
