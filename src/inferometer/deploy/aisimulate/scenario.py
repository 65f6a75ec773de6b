"""AISimulate's configuration as the tables of a scenario."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inferometer.catalog import tables
from inferometer.catalog.models import model
from inferometer.deploy.aisimulate.document import REQUESTS
from inferometer.deploy.aisimulate.names import accelerator_of
from inferometer.deploy.aisimulate.shape import check
from inferometer.deploy.yaml_text import load
from inferometer.errors import CatalogError, ScenarioError

Tables = dict[str, Any]

SYNTHETIC = {
    "source": ("type", "input_tokens", "output_tokens", "session"),
    "load": ("type", "requests_per_second", "seed"),
    "stop": ("requests", "max_virtual_time_seconds"),
}
"""Fields of synthetic traffic that are taken over."""

TRACE = {
    "source": ("type", "path", "format"),
    "load": ("type", "seed", "speedup"),
    "stop": (),
}
"""Fields of a trace that are taken over; its format is told by the file."""

FIXED = (1e-9, 1.0)
"""Levels between which a length is the same: all of them."""


def scenario_of(path: Path) -> Tables:
    """Return the tables of the scenario that an AISimulate configuration states.

    Traffic becomes a workload or a trace, workers the deployment, the SLA limits on the p99 (there
    it is each request that must keep them), and constraints the search.

    Raises:
        ScenarioError: unreadable, not YAML, an unknown field (with the nearest), or one whose
            meaning is not modelled here.
    """
    try:
        document = load(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    check(document, str(path))
    engine = document.get("engine", {})
    if "model" not in engine:
        raise ScenarioError(f"{path}: engine.model: missing")
    found: Tables = {"model": engine["model"], "slo": _slo(document)}
    found |= _traffic(document.get("traffic", {}), str(path))
    policy = document.get("router", {}).get("policy", "round_robin")
    if policy != "round_robin":
        raise ScenarioError(
            f"{path}: router.policy: {policy!r:.60} is not planned with; requests are spread evenly"
        )
    found |= _deployment(engine, str(path))
    return found | _search(document, str(path))


def _slo(document: Mapping[str, Any]) -> list[str]:
    sla = document.get("evaluation", {}).get("sla", {})
    return [f"{name.removesuffix('_ms')} p99 <= {value} ms" for name, value in sla.items()]


def _traffic(traffic: Mapping[str, Any], where: str) -> Tables:
    source, load_ = traffic.get("source", {}), traffic.get("load", {})
    kind = source.get("type", "synthetic")
    if kind == "trace":
        _only(TRACE, traffic, where)
        return _trace(source, load_, where)
    if kind != "synthetic":
        raise ScenarioError(
            f"{where}: traffic.source.type: {kind!r} is not taken over; synthetic and trace are"
        )
    if load_.get("type") != "poisson":
        raise ScenarioError(
            f"{where}: traffic.load.type: {load_.get('type')!r} is not taken over: plans are for "
            "requests that arrive by themselves; state poisson and requests_per_second"
        )
    if source.get("session", {}).get("turns", 1) != 1:
        raise ScenarioError(
            f"{where}: traffic.source.session.turns: conversations are not taken over; give their "
            "requests as a trace"
        )
    _only(SYNTHETIC, traffic, where)
    if len(traffic.get("stop", {})) > 1:
        raise ScenarioError(
            f"{where}: traffic.stop: requests or max_virtual_time_seconds is wanted, not both"
        )
    missing = [name for name in ("input_tokens", "output_tokens") if not source.get(name)]
    if missing or not load_.get("requests_per_second"):
        raise ScenarioError(
            f"{where}: traffic needs source.input_tokens, source.output_tokens and "
            "load.requests_per_second, all above 0"
        )
    return {"workload": _workload(source, load_, traffic.get("stop", {})), **_seed(load_)}


def _only(known: Mapping[str, Sequence[str]], traffic: Mapping[str, Any], where: str) -> None:
    """Refuse fields that are AISimulate's, but not of this kind of traffic."""
    for part, names in known.items():
        for name in traffic.get(part, {}):
            if name not in names:
                raise ScenarioError(
                    f"{where}: traffic.{part}.{name}: has no meaning beside the rest; leave it out"
                )


def _workload(
    source: Mapping[str, Any], load_: Mapping[str, Any], stop: Mapping[str, Any]
) -> Tables:
    lengths = {
        end: {"levels": list(FIXED), "quantiles": [float(source[f"{end}_tokens"])] * 2}
        for end in ("input", "output")
    }
    rate = load_["requests_per_second"]
    found: Tables = {"name": "aisimulate", "rate": f"{rate} 1/s", "lengths": lengths}
    if "max_virtual_time_seconds" in stop:
        return found | {"duration": f"{stop['max_virtual_time_seconds']} s"}
    return found | {"requests": stop.get("requests", REQUESTS)}


def _trace(source: Mapping[str, Any], load_: Mapping[str, Any], where: str) -> Tables:
    if "path" not in source:
        raise ScenarioError(f"{where}: traffic.source.path: missing for a trace")
    if load_.get("type", "trace_timestamps") != "trace_timestamps":
        raise ScenarioError(
            f"{where}: traffic.load.type: a trace keeps its timestamps; {load_['type']!r} does not"
        )
    if load_.get("speedup", 1) != 1:
        raise ScenarioError(f"{where}: traffic.load.speedup: a trace is taken at its own speed")
    return {"trace": source["path"], **_seed(load_)}


def _seed(load_: Mapping[str, Any]) -> Tables:
    return {"seed": load_["seed"]} if "seed" in load_ else {}


def _deployment(engine: Mapping[str, Any], where: str) -> Tables:
    """Return the deployment table; none where no workers are stated, so that one is searched."""
    if engine.get("mode", "aggregated") != "aggregated":
        raise ScenarioError(f"{where}: engine.mode: {engine['mode']!r} is not taken over")
    worker = engine.get("workers", {}).get("aggregated")
    if worker is None:
        return {}
    if "hardware" not in engine:
        raise ScenarioError(f"{where}: engine.hardware: missing")
    layout, scheduler = worker.get("parallelism", {}), worker.get("scheduler", {})
    _refuse(worker, layout, where)
    _refuse_memory(worker.get("kv_cache", {}), engine.get("backend", "vllm"), where)
    return {
        "deployment": {
            "gpu": accelerator_of(engine["hardware"], f"{where}: engine.hardware"),
            "engine": engine.get("backend", "vllm"),
            "kv": _kv_format(engine["model"]),
            "replicas": layout.get("replicas", 1),
            "tensor": layout.get("tensor", 1),
            "pipeline": layout.get("pipeline", 1),
            "data": layout.get("attention_data", 1),
            "expert": layout.get("moe_expert", 1) > 1,
            "max_num_seqs": scheduler.get("max_sequences", 0),
            "max_batched_tokens": scheduler.get("max_batched_tokens", 0),
        }
    }


def _kv_format(name: str) -> str:
    """Return the format of the KV cache that a checkpoint asks for, which engines follow.

    16 bit where it asks for none, or the catalogue does not know it.
    """
    try:
        known = model(name).checkpoints
    except CatalogError:
        return "bf16"  # a model that is not known is refused by whoever reads the scenario
    return next((one.kv for one in known if one.name.lower() == name.lower()), "") or "bf16"


def _refuse(worker: Mapping[str, Any], layout: Mapping[str, Any], where: str) -> None:
    """Refuse values of known fields that mean what is not modelled here."""
    at = f"{where}: engine.workers.aggregated"
    if layout.get("context", 1) != 1:
        raise ScenarioError(f"{at}.parallelism.context: context parallelism is not modelled")
    ranks = layout.get("tensor", 1) * layout.get("attention_data", 1)
    if layout.get("moe_expert", 1) not in (1, ranks):
        raise ScenarioError(
            f"{at}.parallelism.moe_expert: experts lie over all {ranks} ranks or over none"
        )
    shared = 1 if layout.get("moe_expert", 1) > 1 else ranks
    if layout.get("moe_tensor", shared) != shared:
        raise ScenarioError(
            f"{at}.parallelism.moe_tensor: {layout['moe_tensor']} is not modelled: here experts "
            f"are cut into {shared}; state that or leave it out"
        )
    for part, name in (("timing", "timing"), ("kv_cache", "capacity")):
        chosen = worker.get(part, {}) if part == name else worker.get(part, {}).get(name, {})
        if chosen.get("type", "default") != "default":
            raise ScenarioError(f"{at}.{name}.type: {chosen['type']!r} is not modelled here")


def _refuse_memory(cache: Mapping[str, Any], backend: str, where: str) -> None:
    """Refuse settings of the KV cache that a scenario cannot state."""
    at, shipped = f"{where}: engine.workers.aggregated.kv_cache", tables.engine(backend)
    if cache.get("prefix_caching", True) is not True:
        raise ScenarioError(f"{at}.prefix_caching: plans are made with it on; leave it out")
    fraction = cache.get("capacity", {}).get("memory_fraction", shipped.memory_fraction)
    if fraction != shipped.memory_fraction:
        raise ScenarioError(
            f"{at}.capacity.memory_fraction: plans are made with {shipped.memory_fraction:g}, as "
            f"{shipped.key} ships it; leave it out"
        )


def _search(document: Mapping[str, Any], where: str) -> Tables:
    chosen = document.get("optimization", {})
    engine, found = document.get("engine", {}), Tables()
    if "max_candidate_gpus" in chosen.get("constraints", {}):
        found["max_gpus"] = chosen["constraints"]["max_candidate_gpus"]
    hardware = chosen.get("hardware", engine.get("hardware"))
    if hardware:
        found["gpus"] = [accelerator_of(hardware, f"{where}: hardware")]
    if "backend" in engine:
        found["engines"] = [engine["backend"]]
    return {"search": found} if found else {}
