"""InferenceX's aggregate rows: times in seconds, throughput by accelerator, power that may be void.

Its fields for the pools of a split deployment are named as its result writer names them, from
memory: `prefill_tp`, `prefill_ep`, `prefill_dp_attention`, `prefill_num_workers`, and so `decode_`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inferometer.errors import ScenarioError

Raw = Mapping[str, Any]
Cells = dict[str, str]

DRAFTING = "drafts"
"""Column that says that a row drafted tokens, where no counts are known."""

LABORATORY = "inferencex"
"""Source of the rows, by which their lengths, caches and step budgets are read as its own."""

NODE = 8
"""Ranks of a worker at most where a row counts a pool's accelerators and nothing else (assumed)."""


def is_inferencex(content: Any) -> bool:
    """Return whether `content` is a row of InferenceX, or a list of them."""
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, Mapping) and {"hw", "framework", "conc"} <= set(first)


def inferencex(content: Any, path: Path) -> list[Cells]:
    """Return the columns of every row.

    Raises:
        ScenarioError: a split row without its decode accelerators.
    """
    rows = content if isinstance(content, list) else [content]
    return [_row(row, f"{path}: row {place}") for place, row in enumerate(rows)]


def _row(row: Raw, where: str) -> Cells:
    pools = _pools(row, where) if row.get("disagg") else _layout(row)
    drafted = _drafted(row)
    speed = row.get("output_tput_per_gpu")
    counted = pools.pop("counted")
    return {
        **_latencies(row, gaps=not drafted), **pools, **_energy(row),
        "load_type": "concurrency", "concurrency_or_rate": _text(row.get("conc")),
        "model": _text(row.get("model")), "gpu": _text(row.get("hw")).upper(),
        "engine": _text(row.get("framework")), "precision": _text(row.get("precision")),
        "isl": _text(row.get("isl")), "osl": _text(row.get("osl")),
        "tokens_per_s": _text(None if speed is None else float(speed) * int(counted)),
        "source": LABORATORY, DRAFTING: "1" if drafted else "",
    }  # fmt: skip


def _drafted(row: Raw) -> bool:
    """Return whether a row drafts tokens: a streamed chunk then holds several, so gaps go."""
    return _text(row.get("spec_decoding")).lower() not in {"", "none", "false", "off"}


def _latencies(row: Raw, *, gaps: bool) -> Cells:
    cells = Cells()
    for ours, theirs in (("ttft", "ttft"), ("tpot", "tpot"), ("itl", "itl"), ("e2e", "e2el")):
        for statistic, column in (("median", "p50"), ("mean", "mean"), ("p99", "p99")):
            value = row.get(f"{statistic}_{theirs}")
            known = value is not None and (gaps or ours != "itl")
            cells[f"{ours}_ms_{column}"] = _text(float(value) * 1e3) if known else ""
    return cells


def _energy(row: Raw) -> Cells:
    """Return power of all accelerators and energy by output token, unless the row calls it void."""
    if row.get("power_valid") is False:
        return {}
    return {
        "power_w": _text(row.get("avg_total_gpu_power_w")),
        "energy_j_per_token": _text(row.get("joules_per_output_token")),
    }


def _layout(row: Raw) -> Cells:
    """Return the ranks of one replica: tp x pp x pcp; dcp cuts the cache only."""
    tensor, pipeline, context = (int(row.get(name) or 1) for name in ("tp", "pp", "pcp_size"))
    total = tensor * pipeline * context
    apart = _flag(row.get("dp_attention"))
    return {
        "num_gpus": _text(total), "counted": _text(total), "pp": _text(pipeline),
        "tp": "1" if apart else _text(tensor), "dp": _text(tensor) if apart else "",
        "ep": _text(tensor) if apart else _text(row.get("ep")),
    }  # fmt: skip


def _pools(row: Raw, where: str) -> Cells:
    """Return both pools; the output rate is by decode accelerator."""
    decode = int(row.get("num_decode_gpu") or 0)
    prefill = int(row.get("num_prefill_gpu") or 0)
    if decode <= 0 or prefill <= 0:
        raise ScenarioError(
            f"{where}: num_prefill_gpu {prefill} and num_decode_gpu {decode}: a split deployment "
            "has at least one of each"
        )
    return {
        "num_gpus": _text(decode + prefill), "counted": _text(decode), "disagg": "1",
        "prefill_cfg": _pool(row, "prefill", prefill), "decode_cfg": _pool(row, "decode", decode),
    }  # fmt: skip


def _pool(row: Raw, name: str, accelerators: int) -> str:
    ranks = int(row.get(f"{name}_tp") or min(accelerators, NODE))
    apart = _flag(row.get(f"{name}_dp_attention"))
    workers = int(row.get(f"{name}_num_workers") or max(accelerators // ranks, 1))
    experts = ranks if apart else int(row.get(f"{name}_ep") or 1)
    return json.dumps({
        "tp_size": "1" if apart else str(ranks), "attention_dp_size": str(ranks) if apart else "1",
        "moe_ep_size": str(experts), "num_workers": str(workers),
    })  # fmt: skip


def _flag(value: object) -> bool:
    return value is True or _text(value).lower() in {"true", "1"}


def _text(value: object) -> str:
    return "" if value is None else str(value)
