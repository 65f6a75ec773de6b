"""Attainable rates and weights of every configuration: peaks times named efficiencies."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inferometer.candidates import Candidates, Floats
from inferometer.catalog.efficiency import Efficiencies
from inferometer.catalog.engines import Engine
from inferometer.catalog.hardware import Accelerator
from inferometer.catalog.models import AttentionKind, Model
from inferometer.deployment import Precision
from inferometer.errors import CatalogError

_FORMATS = ("bf16", "fp8", "int8", "fp4")


class Rates(NamedTuple):
    """Attainable rates, overheads and power weights, one element per configuration.

    Attributes:
        linear_compute: FLOP/s of dense projections.
        expert_compute: FLOP/s of routed experts.
        attention_compute: FLOP/s of attention scores and sums.
        weight_bandwidth: B/s at which dense weights are read.
        expert_bandwidth: B/s at which routed experts are read.
        kv_bandwidth: B/s at which the KV cache is read.
        link: Share of link bandwidth that collectives reach.
        reduction_latency: s per all-reduce.
        reduction_rank_latency: s per all-reduce and doubling of its ranks (trees, switches).
        exchange_latency: s per all-to-all.
        step_overhead: s per step (scheduling, sampling, launch of the step).
        layer_overhead: s per layer and step (kernel launches and their gaps).
        expert_overhead: s per layer with routed experts and step (routing, permutation, quantising
            and launching the experts' products), beside `layer_overhead`.
        eager_overhead: s per layer that the host needs to launch a step with prompt tokens, which
            no captured graph covers; hidden behind the accelerator where that is slower.
        sequence_overhead: s per running sequence and step.
        stream_overhead: s per running sequence and step where tokens are streamed to clients.
        prefill_overhead: s per prefill token.
        routing_spread: Share of further tokens of a step that choose their experts as if alone:
            tokens of one text choose alike.
        imbalance: Load of the busiest expert rank over the mean, at least 1.
        request_overhead: s per request outside the engine's steps (HTTP, tokeniser, first chunk).
        handover_latency: s per request from a prefill pool to a decode pool, beside its KV bytes.
        power_busy: Share of the span from idle to the power limit that any running step draws.
        power_compute: Share added while arithmetic runs at its attainable rate.
        power_memory: Share added while memory runs at its attainable rate.
    """

    linear_compute: Floats
    expert_compute: Floats
    attention_compute: Floats
    weight_bandwidth: Floats
    expert_bandwidth: Floats
    kv_bandwidth: Floats
    link: Floats
    reduction_latency: Floats
    reduction_rank_latency: Floats
    exchange_latency: Floats
    step_overhead: Floats
    layer_overhead: Floats
    expert_overhead: Floats
    eager_overhead: Floats
    sequence_overhead: Floats
    stream_overhead: Floats
    prefill_overhead: Floats
    routing_spread: Floats
    imbalance: Floats
    request_overhead: Floats
    handover_latency: Floats
    power_busy: Floats
    power_compute: Floats
    power_memory: Floats


def peak(accelerator: Accelerator, compute: str) -> float:
    """Return the dense peak at which weights of `compute` format multiply, FLOP/s.

    Silicon without the format computes in 16 bit: engines then keep the weights small in memory
    and widen them on the way to the multipliers (weight-only kernels such as Marlin).

    Raises:
        CatalogError: `compute` names no format.
    """
    if compute not in _FORMATS:
        raise CatalogError(f"{accelerator.key}: no peak for compute format {compute!r}")
    rate: float | None = getattr(accelerator, f"peak_{compute}")
    return accelerator.peak_bf16 if rate is None else rate


def rates(candidates: Candidates, efficiencies: Efficiencies) -> Rates:
    """Return the attainable rates of every configuration; O(distinct records + configurations).

    Raises:
        CatalogError: an efficiency parameter is missing.
    """
    missing = [name for name in Rates._fields if name not in efficiencies]
    if missing:
        raise CatalogError(f"efficiencies {missing} are missing; have {[*efficiencies]}")
    table, at = by_record(candidates, partial(_row, efficiencies))
    return Rates(*table.T[:, at])


def by_record(
    candidates: Candidates, row: Callable[[Model, Accelerator, Precision, Engine], Sequence[float]]
) -> tuple[Floats, NDArray[np.int64]]:
    """Return `row` of each distinct combination of records, and which one a configuration has.

    Args:
        candidates: The configurations.
        row: Numbers of one combination.

    Returns:
        Table [combination, number], index into it [config].
    """
    chips, precisions, engines = candidates.accelerators, candidates.precisions, candidates.engines
    shape = (len(chips), len(precisions), len(engines))
    flat = np.ravel_multi_index(
        (candidates.accelerator, candidates.precision, candidates.engine), shape
    )
    used, at = np.unique(flat, return_inverse=True)
    places = np.stack(np.unravel_index(used, shape), axis=1)
    rows = [
        row(candidates.model, chips[chip], precisions[precision], engines[engine])
        for chip, precision, engine in places.tolist()
    ]
    return np.array(rows, dtype=np.float64), at


def factor_keys(
    name: str, model: Model, accelerator: Accelerator, precision: Precision, engine: Engine
) -> tuple[str, ...]:
    """Return the keys of the factors that refine parameter `name` for one combination of records.

    Precision counts by the format of what the parameter is about: routed experts, KV cache, or
    the dense layers.
    """
    part = dict.fromkeys(
        ("expert_compute", "expert_bandwidth", "expert_overhead"), precision.experts
    )
    part["kv_bandwidth"] = precision.kv
    lineage = engine.lineage or engine.key
    number_format = part.get(name, precision.linear).key
    keys = {
        "architecture": (accelerator.architecture,),
        "accelerator": (accelerator.key,),
        "make": (accelerator.vendor.lower(),),
        "kernel": (f"{engine.key}/{number_format}/{accelerator.architecture}",),
        "link": (accelerator.link,),
        "engine": (lineage,),
        "release": (engine.key,),
        "format": (number_format,),
        "model": traits(model),
    }
    return tuple(f"{kind}:{key}" for kind in REFINED_BY[name] for key in keys[kind])


_KERNEL = ("make", "architecture", "accelerator", "engine", "release", "format", "kernel")
REFINED_BY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("linear_compute", "weight_bandwidth"), (*_KERNEL, "model")),
    **dict.fromkeys(("expert_compute", "expert_bandwidth"), _KERNEL),
    "attention_compute": ("make", "architecture", "engine", "release", "model"),
    "kv_bandwidth": (*_KERNEL, "model"),
    **dict.fromkeys(
        ("link", "reduction_latency", "exchange_latency"), ("link", "engine", "release")
    ),
    "reduction_rank_latency": ("link",),
    "step_overhead": ("engine", "release", "model"),
    "layer_overhead": ("make", "architecture", "engine", "release", "format", "model", "kernel"),
    "expert_overhead": ("make", "architecture", "engine", "release", "format", "kernel"),
    "eager_overhead": ("engine", "release", "model"),
    "sequence_overhead": ("engine", "release", "model"),
    **dict.fromkeys(
        (
            "stream_overhead",
            "prefill_overhead",
            "imbalance",
            "request_overhead",
            "handover_latency",
        ),
        ("engine", "release"),
    ),
    "routing_spread": (),
    **dict.fromkeys(
        ("power_busy", "power_compute", "power_memory"), ("architecture", "accelerator")
    ),
}
"""What each parameter can differ by: kernels by silicon, engine and format; host work by engine;
collectives by link; power by silicon."""


def traits(model: Model) -> tuple[str, ...]:
    """Return what sets the kernels of `model` apart: routed experts, kinds of attention."""
    kinds = {layer.attention.kind for layer in model.layers} - {AttentionKind.FULL}
    experts = any(layer.feed_forward.experts for layer in model.layers)
    return (*(["experts"] if experts else []), *sorted(kind.value for kind in kinds))


def scales(accelerator: Accelerator, precision: Precision) -> Mapping[str, float]:
    """Return the published peak that each fraction multiplies; parameters in seconds have none."""
    return {
        "linear_compute": peak(accelerator, precision.linear.compute),
        "expert_compute": peak(accelerator, precision.experts.compute),
        "attention_compute": peak(accelerator, "bf16"),
        "weight_bandwidth": accelerator.memory_bandwidth,
        "expert_bandwidth": accelerator.memory_bandwidth,
        "kv_bandwidth": accelerator.memory_bandwidth,
    }


def _row(
    efficiencies: Efficiencies,
    model: Model,
    accelerator: Accelerator,
    precision: Precision,
    engine: Engine,
) -> list[float]:
    peaks = scales(accelerator, precision)
    return [
        efficiencies[name].value(factor_keys(name, model, accelerator, precision, engine))
        * peaks.get(name, 1.0)
        for name in Rates._fields
    ]
