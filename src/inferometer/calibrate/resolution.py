"""Names in a row of measurements -> catalogue records, and the layout that its numbers imply."""

import functools
import json
import re
from collections.abc import Callable, Mapping

from inferometer.calibrate.measurement import Row
from inferometer.calibrate.tables import number
from inferometer.catalog import tables
from inferometer.catalog.engines import Engine
from inferometer.catalog.hardware import Accelerator
from inferometer.catalog.models import AttentionKind, Model
from inferometer.catalog.names import normalise
from inferometer.catalog.number_format import NumberFormat
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.errors import CatalogError, ScenarioError
from inferometer.perf.counts import parameters

FindModel = Callable[[str], Model]

_OLD_ENGINES: Mapping[str, tuple[str, str]] = {
    "vllm": ("vllm-v0", "2024-10"),
    "trtllm": ("trtllm-0", "2024-07"),
    "llama.cpp": ("llama.cpp-2024", "2025-01"),
}
"""Engine before the month given: vLLM 0.6 took its HTTP server out of the engine's process in
September 2024; TensorRT-LLM 0.11 rebuilt its scheduler in July 2024; llama.cpp's batched server and
its kernels for CUDA and ROCm matured in the course of 2024."""

_FORMATS: Mapping[str, str] = {
    **dict.fromkeys(("bfloat16", "bf16", "fp16", "float16", "half", "auto"), "bf16"),
    **dict.fromkeys(("fp8", "fp8_block", "fp8-dynamic", "float8", "e4m3"), "fp8"),
    **dict.fromkeys(("fp4", "nvfp4", "mixed fp4", "w4a8_nvfp4_fp8"), "nvfp4"),
    **dict.fromkeys(("mxfp4", "w4a16_mxfp4", "w4a8_mxfp4_mxfp8"), "mxfp4"),
    **dict.fromkeys(("int4", "int4_wo", "awq", "gptq", "w4a16"), "int4"),
    **dict.fromkeys(("int8", "int8_wo", "w8a8"), "int8"),
}
"""Spellings of number formats in result files."""

_MARKS = ("nvfp4", "mxfp4", "fp4", "fp8", "awq", "gptq", "int4", "w4a16", "int8", "w8a8")
"""Spellings that count inside a longer one, such as "fp8_e4m3"; narrower formats first."""


def accelerator(row: Row) -> Accelerator:
    """Return the accelerator that a row names, by its normalised or its raw name.

    Raises:
        CatalogError: neither is known.
    """
    return _accelerator(row.gpu, row.cells.get("gpu_raw", ""))


@functools.cache
def _accelerator(name: str, raw: str) -> Accelerator:
    try:
        return tables.accelerator(name)
    except CatalogError:
        if not raw:
            raise
        return tables.accelerator(raw)


def engine(row: Row) -> Engine:
    """Return the engine of a row, in its generation by date.

    An engine that the catalogue lacks, or that the row does not name, counts as vLLM: most of the
    others share its design.
    """
    names = [row.cells.get(name, "") for name in ("engine_norm", "engine")]
    key = next((found for name in names if (found := _engine_key(name))), "vllm")
    old, until = _OLD_ENGINES.get(key, ("", ""))
    date = _month(row.cells.get("measured_date", ""))
    if not date and row.layout == "steps_static":
        date = "2024-01"  # MuxServe's measurements, published in April 2024
    return tables.engines()[old if old and date and date < until else key]


@functools.cache
def _engine_key(name: str) -> str:
    text = name.lower()
    for record in tables.engines().values():
        for spelling in (record.key, *record.aliases):
            if normalise(spelling) and normalise(spelling) in normalise(text):
                return record.key
    return ""


def _month(text: str) -> str:
    """Return "2025-03" of "2025-03-17", "20250317" or "2025-03/2025-05"; "2024-06" of "2024"."""
    digits = re.match(r"(\d{4})-?(\d{2})?", text)
    return f"{digits[1]}-{digits[2] or '06'}" if digits else ""


def precision(row: Row, model: Model) -> Precision:
    """Return the number formats of a row: its note's, its column's, its checkpoint's, else 16 bit.

    4-bit checkpoints of latent-attention models keep attention in 16 bit, and those of 4-bit
    expert models (gpt-oss) everything but the experts: their publishers' model cards.
    """
    note = dict(part.split("=", 1) for part in _note(row).split(";") if "=" in part)
    stated = note.get("gemm") or row.cells.get("precision", "") or _of_checkpoint(row.model)
    if not stated and "ollama" in (row.cells.get("engine", "") + row.model).lower():
        stated = "q4_k_m"  # what its registry serves where a tag names no format
    linear = _format(stated)
    if row.source.startswith("mlperf") and linear.key == "bf16" and accelerator(row).peak_fp8:
        linear = tables.formats()["fp8"]  # the declared 16 bit is not what vendors ran
    experts = _format(note["moe"]) if note.get("moe") else linear
    own = _own_formats(model)
    if own is not None and linear.key in {own[1].key, "nvfp4", "bf16", "fp8"}:
        linear, experts = own
    elif linear.key == "nvfp4" and any(
        layer.attention.kind == AttentionKind.LATENT for layer in model.layers
    ):
        linear = tables.formats()["bf16"]
    return Precision(linear=linear, experts=experts, kv=_kv_format(row, linear, experts))


def _note(row: Row) -> str:
    return row.cells.get("note", "").replace(" ", "")


@functools.cache
def _format(name: str) -> NumberFormat:
    text = name.strip().lower()
    if text in _FORMATS:
        return tables.number_format(_FORMATS[text])
    if not text:
        return tables.formats()["bf16"]
    mark = next((m for m in _MARKS if m in text), "")
    return tables.formats()[_FORMATS[mark]] if mark else tables.number_format(text)


def _own_formats(model: Model) -> tuple[NumberFormat, NumberFormat] | None:
    """Return linear and expert formats of a model that is only published in mixed formats."""
    if not model.checkpoints:
        return None
    first = model.checkpoints[0]
    if not first.experts or first.experts == first.linear:
        return None
    return tables.number_format(first.linear), tables.number_format(first.experts)


def _of_checkpoint(name: str) -> str:
    text = name.lower()
    for mark in ("nvfp4", "mxfp4", "fp8", "fp4", "awq", "gptq", "int4", "int8", "w8a8", "w4a16"):
        if re.search(rf"[-_]{mark}", text):
            return mark
    quantised = re.search(r"q\d_[k\d](?:_\w+)?", text)
    return quantised[0] if quantised else ""


def _kv_format(row: Row, linear: NumberFormat, experts: NumberFormat) -> NumberFormat:
    """Return the format of the KV cache: stated, or 8 bit where TensorRT-LLM runs below 16 bit.

    InferenceX serves checkpoints whose quantisation asks for an 8-bit cache on every engine.
    """
    stated = row.cells.get("kv_dtype", "")
    if stated and stated != "auto":
        return _format(stated)
    narrow = {linear.key, experts.key} & {"fp8", "nvfp4"}
    own = (engine(row).key.startswith("trtllm") or "inferencex" in row.source) and narrow
    return tables.formats()["fp8" if own else "bf16"]


def deployment(
    row: Row, model: Model, parallelism: Parallelism, *, replicas: int, sequences: float
) -> Deployment:
    """Return the deployment of a row, with engine defaults where it says nothing.

    Args:
        row: The row.
        model: Its model.
        parallelism: Layout of one replica.
        replicas: Replicas.
        sequences: Sequences that every data-parallel rank must admit.
    """
    chip, runs = accelerator(row), engine(row)
    tokens = number(row.cells.get("max_num_batched_tokens", "")) or runs.max_batched_tokens
    return Deployment(
        model=model,
        accelerator=chip,
        node=tables.node(chip.key),
        parallelism=parallelism,
        precision=precision(row, model),
        settings=EngineSettings(
            engine=runs,
            max_num_seqs=max(int(sequences), 1),
            max_batched_tokens=int(tokens),
            memory_fraction=runs.memory_fraction,
            prefix_caching=False,
        ),
        replicas=replicas,
    )


def layout(row: Row, model: Model) -> tuple[Parallelism, int]:
    """Return layout and replicas of an aggregated row.

    Counts that a row gives must multiply to its accelerators; what is left over is read as the
    tensor ranks that the row counts as expert ranks, or as replicas.
    """
    tensor, pipeline, expert, data = (_count(row, name) for name in ("tp", "pp", "ep", "dp"))
    total = _count(row, "num_gpus") or tensor * max(data, 1)
    total, tensor, data = _undone(row, total, tensor, expert, data)
    pipeline, data = max(pipeline, 1), max(data, 1)
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


def _undone(row: Row, total: int, tensor: int, expert: int, data: int) -> tuple[int, int, int]:
    """Return counts with the product of expert cuts undone: moe_tp = ep = n means n ranks, not n^2.

    InferenceX's sources give both cuts as the ranks of the layout; their product is then the square
    of the accelerators that exist (64 for a node of eight).
    """
    cut = number(dict(p.split("=", 1) for p in _note(row).split(";") if "=" in p).get("moe_tp", ""))
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
    if engine(row).key.startswith("llama.cpp"):
        return Parallelism(pipeline=total), 1
    if row.cells.get("load_type") == "batch":
        return (Parallelism(tensor=total), 1) if _divides(model, total) else (Parallelism(), total)
    if engine(row).key == "vllm" and row.cells.get("load_type") == "rate" and row.cells.get("isl"):
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
        counts = {name: int(float(value or 0)) for name, value in stated.items()}
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise ScenarioError(f"{row.key}: {which} {text!r} cannot be read: {error}") from error
    tensor, data = max(counts.get("tp_size", 1), 1), max(counts.get("attention_dp_size", 1), 1)
    expert = max(counts.get("moe_ep_size", 1), 1)
    if tensor > 1 and not _divides(model, tensor):
        tensor, data = 1, tensor * data
    if (
        tensor * data == expert * counts.get("moe_tp_size", 1)
        and counts.get("moe_tp_size") == expert
    ):
        tensor = expert if tensor > 1 else 1
    pipeline = max(counts.get("pp_size", 1), 1)
    if not _holds(row, model, tensor * pipeline * data):
        ranks = _smallest(row, model, LARGEST)[0].tensor
        tensor, data = (1, ranks) if expert > 1 or tensor == 1 else (ranks, 1)
    found = _parallelism(tensor, pipeline, data, expert)
    return found, counts.get("num_workers") or _workers(found, which)


def _workers(layout: Parallelism, which: str) -> int:
    """Return the workers of a pool whose source states none.

    Where InferenceX states them, decode pools of tensor-parallel workers have three to nine of
    them, mostly four, and wide data-parallel ones are alone; prefill workers are counted by
    `forecast` from what the decode pool asks of them.
    """
    return 4 if which == "decode_cfg" and layout.data == 1 and layout.tensor <= 8 else 1


def stated_workers(row: Row) -> bool:
    """Return whether a disaggregated row says how many workers its pools have."""
    return "num_workers" in row.cells.get("prefill_cfg", "") or "{" not in row.cells.get(
        "prefill_cfg", ""
    )


def _count(row: Row, name: str) -> int:
    return int(number(row.cells.get(name, "")) or 0)
