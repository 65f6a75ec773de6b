"""Which fields AISimulate's configuration has, and which of them nothing here can take over."""

from collections.abc import Iterator, Mapping
from typing import Any

from inferometer.catalog.names import nearest
from inferometer.errors import ScenarioError

Shape = Mapping[str, Any]

_WORKER: Shape = {
    "parallelism": dict.fromkeys(
        ("replicas", "tensor", "pipeline", "context", "attention_data", "moe_tensor", "moe_expert"),
        int,
    ),
    "scheduler": {"max_batched_tokens": int, "max_sequences": int},
    "kv_cache": {
        "block_size": int,
        "prefix_caching": bool,
        "bytes_per_token": None,
        "capacity": {"type": str, "memory_fraction": float, "blocks": None},
        "host_offload": None,
    },
    "timing": {"type": str, "prefill_ms": None, "decode_ms": None},
    "startup_seconds": None,
}

FIELDS: Shape = {
    "traffic": {
        "source": {
            "type": str, "input_tokens": int, "output_tokens": int, "session": {"turns": float},
            "path": str, "paths": None, "format": str, "block_size": int,
            "nested_timestamp_basis": None,
        },
        "load": {
            "type": str, "concurrency": float, "requests_per_second": float,
            "sessions_per_second": None, "seed": int, "speedup": float,
        },
        "stop": {
            "requests": int, "sessions": None, "requests_per_load_unit": None,
            "max_virtual_time_seconds": float,
        },
    },
    "engine": {
        "mode": str, "model": str, "hardware": str, "backend": str, "backend_version": None,
        "context_length": int,
        "workers": {"aggregated": _WORKER, "prefill": None, "decode": None},
        "kv_transfer": None,
    },
    "router": {"policy": str},
    "planner": None,
    "evaluation": {"sla": {"ttft_ms": float, "itl_ms": float, "e2e_ms": float}},
    "optimization": {
        "target": None,
        "constraints": {"min_candidate_gpus": None, "max_candidate_gpus": int},
        "strict_sla": None,
        "hardware": str,
    },
}  # fmt: skip
"""Every field; None where its meaning is not modelled here, so that it is refused."""


def check(document: Mapping[str, Any], where: str) -> None:
    """Refuse what is unknown, of a wrong type, or not modelled here.

    Raises:
        ScenarioError: all faults, a line for each.
    """
    faults = list(_faults(document, FIELDS, f"{where}: "))
    if faults:
        raise ScenarioError("\n".join(faults))


def _faults(value: Any, shape: Any, where: str) -> Iterator[str]:
    if shape is None:
        yield f"{where}: not modelled here; leave it out"
    elif isinstance(shape, Mapping):
        yield from _inside(value, shape, where)
    elif shape is float and not isinstance(value, bool) and isinstance(value, (int, float)):
        if not 0 <= value < float("inf"):
            yield f"{where}: {value!r} is not a number from 0 on"
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        hint = "; ranges and choices are for AISimulate's search: state one value"
        yield f"{where}: {value!r:.60} is no {shape.__name__}{hint if _choice(value) else ''}"
    elif shape is int and value < 0:
        yield f"{where}: {value} is negative"


def _inside(value: Any, shape: Shape, where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where}: fields are wanted, not {value!r:.60}"
        return
    dot = "" if where.endswith(": ") else "."
    for name, item in value.items():
        if name not in shape:
            near = ", ".join(nearest(str(name), shape) or shape)
            yield f"{where}{dot}{name}: unknown field; nearest: {near}"
        else:
            yield from _faults(item, shape[name], f"{where}{dot}{name}")


def _choice(value: Any) -> bool:
    return isinstance(value, (list, Mapping))
