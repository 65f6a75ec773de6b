"""Layout and workers that the counts of a row imply, stated or not."""

import json

from inferometer.calibrate.measurement import Row
from inferometer.calibrate.resolution import (
    accelerator,
    latent,
    lineage,
    noted,
    precision,
)
from inferometer.calibrate.stated import counted
from inferometer.calibrate.tables import number
from inferometer.catalog.models import Model
from inferometer.deployment import Parallelism, Precision
from inferometer.errors import ScenarioError
from inferometer.perf.counts import parameters


def layout(row: Row, model: Model) -> tuple[Parallelism, int]:
    """Return layout and replicas of an aggregated row.

    Counts that a row gives must multiply to its accelerators; what is left over is read as the
    tensor ranks that the row counts as expert ranks, or as replicas.
    """
    tensor, pipeline, expert, data = (_count(row, name) for name in ("tp", "pp", "ep", "dp"))
    total = _count(row, "num_gpus") or tensor * max(data, 1)
    cut = number(noted(row).get("moe_tp", ""))
    total, tensor, data = _undone(cut, total, tensor, expert, data)
    pipeline, data = max(pipeline, 1), max(data, 1)
    if (rack := _rack(row, model, tensor)) is not None:
        return rack
    if tensor > 1 and not _divides(model, tensor):
        tensor, data = 1, tensor * data  # attention cannot be cut so: it is data parallel
    if not tensor and not expert:
        return _smallest(row, model, total)
    if not _holds(row, model, max(max(tensor, 1) * pipeline * data, total)):
        return _smallest(row, model, LARGEST)[0], 1  # the counts cannot be those of a replica
    tensor = _ranks(tensor, total // (pipeline * data), expert, data)
    return _parallelism(tensor, pipeline, data, expert), max(total // (tensor * pipeline * data), 1)


def _ranks(tensor: int, left: int, expert: int, data: int) -> int:
    """Return the tensor ranks of a replica that has `left` ranks for each data-parallel one."""
    if tensor <= 1 and expert > 1:
        return max(left, 1)
    if expert > 1 and tensor == left * data:
        return max(left, 1)
    return max(tensor, 1)


LARGEST = 64
"""Most tensor ranks considered where a row's own counts cannot hold the model."""


def _holds(row: Row, model: Model, ranks: int) -> bool:
    return _size(model, precision(row, model)) < ranks * accelerator(row).memory * 0.95


def _undone(
    cut: float | None, total: int, tensor: int, expert: int, data: int
) -> tuple[int, int, int]:
    """Return counts with the product of expert cuts undone: moe_tp = ep = n means n ranks, not n^2.

    InferenceX's sources give both cuts as the ranks of the layout; their product is then the square
    of the accelerators that exist (64 for a node of eight).
    """
    if cut and cut == expert and expert > 1 and total == expert * expert:
        return expert, (expert if tensor > 1 else 1), (1 if tensor > 1 else expert)
    return total, tensor, data


def _parallelism(tensor: int, pipeline: int, data: int, expert: int) -> Parallelism:
    return Parallelism(
        tensor=max(tensor, 1), pipeline=pipeline, data=data, expert=expert > 1 or data > 1
    )


def _divides(model: Model, tensor: int) -> bool:
    return all(layer.attention.query_heads % tensor == 0 for layer in model.layers)


def _smallest(row: Row, model: Model, total: int) -> tuple[Parallelism, int]:
    """Return the layout of a row that states none: the fewest ranks that leave half for the cache.

    Engines that split layers (llama.cpp) use every accelerator in turn.
    """
    total = max(total, 1)
    if lineage(row) == "llama.cpp":
        return Parallelism(pipeline=total), 1
    if row.cells.get("load_type") == "batch":
        return (Parallelism(tensor=total), 1) if _divides(model, total) else (Parallelism(), total)
    if lineage(row) == "vllm" and row.cells.get("load_type") == "rate" and row.cells.get("isl"):
        return Parallelism(), total
    formats = precision(row, model)
    size = _size(model, formats)
    room = accelerator(row).memory
    tensor = 1
    while tensor * room * 0.6 < size and tensor * 2 <= total:
        tensor *= 2
    return Parallelism(tensor=tensor), max(total // tensor, 1)


def _size(model: Model, formats: Precision) -> float:
    return parameters(model).total * formats.experts.bytes_per_element


def pool(row: Row, model: Model, which: str) -> tuple[Parallelism, int] | None:
    """Return layout and workers of a pool of a disaggregated row, None if it states none.

    Args:
        row: The row.
        model: Its model.
        which: "prefill_cfg" or "decode_cfg".
    """
    text = row.cells.get(which, "")
    if not text:
        return None
    try:
        stated = json.loads(text) if text.startswith("{") else {"num_workers": text}
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{row.key}: {which} {text!r} cannot be read: {error}") from error
    counts = {
        name: counted(row, f"{which}.{name}", "" if value is None else str(value))
        for name, value in stated.items()
    }
    tensor, data = max(counts.get("tp_size", 1), 1), max(counts.get("attention_dp_size", 1), 1)
    expert = max(counts.get("moe_ep_size", 1), 1)
    if which == "decode_cfg" and (rack := _rack(row, model, tensor)) is not None:
        return rack
    if tensor > 1 and not _divides(model, tensor):
        tensor, data = 1, tensor * data
    _, tensor, data = _undone(counts.get("moe_tp_size"), tensor * data, tensor, expert, data)
    pipeline = max(counts.get("pp_size", 1), 1)
    if not _holds(row, model, tensor * pipeline * data):
        ranks = _smallest(row, model, LARGEST)[0].tensor
        tensor, data = (1, ranks) if expert > 1 or tensor == 1 else (ranks, 1)
    found = _parallelism(tensor, pipeline, data, expert)
    return found, counts.get("num_workers") or _workers(found, which)


NODE = 8
"""Most ranks over which engines cut latent attention, whose cache every rank keeps whole."""

CROWD = 20.0
"""Clients per accelerator up to which an unstated layout counts as tensor-parallel workers, and
above which as data-parallel attention. On GB200, where InferenceX states the layout, the former
reach 17.6 clients per accelerator (36 rows) and the latter begin at 1, with 25 of 37 rows above 20;
rows below stay ambiguous."""


def _rack(row: Row, model: Model, tensor: int) -> tuple[Parallelism, int] | None:
    """Return decode layout and workers of a rack-scale row with more tensor ranks than heads allow.

    None for other rows. With an engine version the count is that of a decode worker with
    data-parallel attention. Those of late 2025 without one count all accelerators, prefill workers
    included: those of 28 and 36 have twins with stated workers, of which the decode workers have
    the multiple of eight below the total; the others are taken to be alike.
    """
    if not latent(model) or tensor <= NODE or accelerator(row).link_domain <= NODE:
        return None
    if row.cells.get("engine_version", ""):
        return _parallelism(1, 1, tensor, 1), 1
    ranks = max((tensor - 4) // NODE, 1) * NODE
    clients = number(row.cells.get("concurrency_or_rate", "")) or 0.0
    if clients <= CROWD * ranks:
        return _parallelism(NODE, 1, 1, NODE), ranks // NODE
    return _parallelism(1, 1, ranks, 1), 1


def _workers(layout: Parallelism, which: str) -> int:
    """Return the workers of a pool whose source states none.

    Where InferenceX states them, decode pools of tensor-parallel workers have three to nine of
    them, mostly four, and wide data-parallel ones are alone; prefill workers are counted by
    `forecast` from what the decode pool asks of them.
    """
    return 4 if which == "decode_cfg" and layout.data == 1 and layout.tensor <= 8 else 1


def mixed_pools(row: Row) -> bool:
    """Return whether a row's prefill workers also decode, and its decode workers prefill.

    llm-d's releases of early 2025 did so: their gaps between tokens reach the time of a whole
    prompt's chunk at p99, as those of its aggregated runs do, and TTFT is near theirs.
    """
    return "llm-d" in row.cells.get("engine", "") and "{" not in row.cells.get("prefill_cfg", "")


def stated_workers(row: Row) -> bool:
    """Return whether a disaggregated row says how many workers its pools have."""
    return "num_workers" in row.cells.get("prefill_cfg", "") or "{" not in row.cells.get(
        "prefill_cfg", ""
    )


def _count(row: Row, name: str) -> int:
    return int(number(row.cells.get(name, "")) or 0)
