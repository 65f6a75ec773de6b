"""Names in a row of measurements -> catalogue records."""

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from inferometer.calibrate.measurement import Row
from inferometer.catalog import tables
from inferometer.catalog.engines import Engine
from inferometer.catalog.hardware import Accelerator
from inferometer.catalog.models import AttentionKind, Model
from inferometer.catalog.names import normalise
from inferometer.catalog.number_format import NumberFormat
from inferometer.deployment import Precision
from inferometer.errors import CatalogError

FindModel = Callable[[str], Model]

_RELEASES: Mapping[str, tuple[tuple[str, str, tuple[int, int]], ...]] = {
    "vllm": (
        ("vllm-2023", "2024-01", (0, 3)),
        ("vllm-v0", "2024-10", (0, 6)),
        ("vllm-2025", "2025-12", (0, 12)),
    ),
    "trtllm": (("trtllm-0", "2024-07", (0, 11)), ("trtllm-1", "2025-12", (1, 2))),
    "sglang": (("sglang-2025", "2025-12", (0, 5)),),
    "llama.cpp": (("llama.cpp-2024", "2025-01", (0, 0)),),
}
"""Older releases of each engine, with the month and the version at which the next one begins: vLLM
replays captured graphs since the last days of 2023 and took its HTTP server out of the engine's
process in September 2024 (0.6), TensorRT-LLM 0.11 rebuilt its scheduler in July 2024, llama.cpp's
batched server and its kernels for CUDA and ROCm matured in 2024. That a release begins in December
2025 is read off the rows: gpt-oss-120b on one B200 takes 15 ms per token for 64 clients in November
2025 (ML.ENERGY) and 10 ms in February 2026. The versions
put to that month are assumed."""

_FORMATS: Mapping[str, str] = {
    **dict.fromkeys(("bfloat16", "bf16", "fp16", "float16", "f16", "half", "auto"), "bf16"),
    **dict.fromkeys(("fp32", "float32", "f32"), "fp32"),
    **dict.fromkeys(("fp8", "fp8_block", "fp8-dynamic", "float8", "e4m3"), "fp8"),
    **dict.fromkeys(("fp4", "nvfp4", "mixed fp4", "w4a8_nvfp4_fp8"), "nvfp4"),
    **dict.fromkeys(("mxfp4", "w4a16_mxfp4", "w4a8_mxfp4_mxfp8"), "mxfp4"),
    **dict.fromkeys(("int4", "int4_wo", "awq", "gptq", "w4a16", "w4afp8", "w4a8"), "int4"),
    **dict.fromkeys(("4bit", "bnb-4bit", "nf4"), "int4"),
    **dict.fromkeys(("int8", "int8_wo", "w8a8"), "int8"),
    "q2": "q2_k",
    "q3": "q3_k_m",
    "q4": "q4_k_m",
    "q5": "q5_k_m",
    "q6": "q6_k",
    "q8": "q8_0",
}
"""Spellings of number formats in result files. Bits alone ("q4") are taken as the variant that
registries of GGUF files serve first; that is an assumption."""

_UNSTATED = frozenset({"unset", "unstated", "unknown", "not stated", "none", "n/a"})
"""Words by which a source says that it does not say."""

_MARKS = ("nvfp4", "mxfp4", "fp4", "fp8", "awq", "gptq", "int4", "w4a16", "int8", "w8a8")
"""Spellings that count inside a longer one, such as "fp8_e4m3"; narrower formats first."""


def accelerator(row: Row) -> Accelerator:
    """Return the accelerator that a row names, by its normalised or its raw name.

    Raises:
        CatalogError: neither is known.
    """
    return _accelerator(row.gpu, row.cells.get("gpu_raw", ""), catalog_of(row))


def catalog_of(row: Row) -> Path | None:
    """Return the file of own catalogue records that a row is to be read with, if it names one."""
    named = row.cells.get("catalog", "")
    return Path(named) if named else None


@functools.cache
def _accelerator(name: str, raw: str, catalog: Path | None) -> Accelerator:
    try:
        return tables.accelerator(name, catalog)
    except CatalogError:
        if not raw:
            raise
        return tables.accelerator(raw, catalog)


def engine(row: Row) -> Engine:
    """Return the engine of a row, in its generation by date.

    An engine that the catalogue lacks, or that the row does not name, counts as vLLM: most of the
    others share its design.
    """
    names = [row.cells.get(name, "") for name in ("engine_norm", "engine")]
    own = _own_engines(catalog_of(row))
    if found := next((own[name] for name in names if name in own), None):
        return found
    key = next((found for name in names if (found := _engine_key(name))), "vllm")
    date = _month(row.cells.get("measured_date", ""))
    if not date and row.layout == "steps_static":
        date = "2024-01"  # MuxServe's measurements, published in April 2024
    return tables.engines()[_release(key, date, row.cells.get("engine_version", ""))]


@functools.cache
def _own_engines(catalog: Path | None) -> Mapping[str, Engine]:
    """Return the engines that only the file of own records has."""
    shipped = tables.engines()
    known = shipped if catalog is None else tables.engines(catalog)
    return {key: record for key, record in known.items() if key not in shipped}


def lineage(row: Row) -> str:
    """Return the engine of a row whatever its release."""
    found = engine(row)
    return found.lineage or found.key


def _release(engine: str, date: str, version: str) -> str:
    """Return the release of an engine at a date, else of a version, else the current one."""
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    stated = (int(numbers[1]), int(numbers[2])) if numbers else None
    for key, until, next_version in _RELEASES.get(engine, ()):
        if date < until if date else (stated is not None and stated < next_version):
            return key
    return engine


@functools.cache
def _engine_key(name: str) -> str:
    text = name.lower()
    for record in (one for one in tables.engines().values() if not one.lineage):
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
    note = noted(row)
    column = row.cells.get("precision", "")
    stated = note.get("gemm") or ("" if column.lower() in _UNSTATED else column)
    stated = stated or _of_checkpoint(row.model)
    if not stated and "ollama" in (row.cells.get("engine", "") + row.model).lower():
        stated = "q4_k_m"  # what its registry serves where a tag names no format
    linear = _format(stated)
    if row.source.startswith("mlperf") and linear.key == "bf16" and accelerator(row).peak_fp8:
        linear = tables.formats()["fp8"]  # the declared 16 bit is not what vendors ran
    experts = _format(note["moe"]) if note.get("moe") else linear
    own = _own_formats(model)
    if own is not None and linear.key in {own[1].key, "nvfp4", "bf16", "fp8"}:
        linear, experts = own
    elif linear.key == "nvfp4" and latent(model):
        linear = tables.formats()["bf16"]
    return Precision(linear=linear, experts=experts, kv=_kv_format(row, linear, experts))


def noted(row: Row) -> Mapping[str, str]:
    """Return what the note of a row says, by name: "gemm=fp8;moe=fp8;moe_tp=4"."""
    text = row.cells.get("note", "").replace(" ", "")
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)


def latent(model: Model) -> bool:
    """Return whether a model has latent attention."""
    return any(layer.attention.kind == AttentionKind.LATENT for layer in model.layers)


@functools.cache
def _format(name: str) -> NumberFormat:
    text = _weights(name.strip().lower())
    if text in _FORMATS:
        return tables.number_format(_FORMATS[text])
    if not text:
        return tables.formats()["bf16"]
    mark = next((m for m in _MARKS if m in text), "")
    return tables.formats()[_FORMATS[mark]] if mark else tables.number_format(text)


def _weights(text: str) -> str:
    """Return the part that is of the weights: "bf16" of "bf16+fp8kv" and of "bf16, kv fp8"."""
    parts = [part.strip() for part in re.split(r"[+,;]", text)]
    return next((part for part in parts if part and "kv" not in part), text)


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

    InferenceX serves checkpoints whose quantisation asks for an 8-bit cache on every engine, and so
    do NVIDIA's own 8-bit and 4-bit checkpoints (`kv_cache_quant_algo` of their hf_quant_config).
    """
    stated = row.cells.get("kv_dtype", "")
    if stated and stated != "auto":
        return _format(stated)
    narrow = {linear.key, experts.key} & {"fp8", "nvfp4"}
    asked = lineage(row) == "trtllm" or row.model.lower().startswith("nvidia/")
    own = (asked or "inferencex" in row.source) and narrow
    return tables.formats()["fp8" if own else "bf16"]
