"""Attainable rates of every configuration: published peaks times named efficiencies."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inferometer.candidates import Candidates, Floats
from inferometer.catalog.efficiency import Efficiencies
from inferometer.catalog.hardware import Accelerator
from inferometer.errors import CatalogError

_WIDER: Mapping[str, str] = {"fp4": "fp8", "fp8": "bf16", "int8": "fp8"}


class Rates(NamedTuple):
    """Attainable rates and overheads, one element per configuration.

    Attributes:
        linear_compute: FLOP/s of dense projections.
        expert_compute: FLOP/s of routed experts.
        attention_compute: FLOP/s of attention scores and sums.
        weight_bandwidth: B/s at which dense weights are read.
        expert_bandwidth: B/s at which routed experts are read.
        kv_bandwidth: B/s at which the KV cache is read.
        link: Share of link bandwidth that collectives reach.
        reduction_latency: s per all-reduce.
        reduction_rank_latency: s per all-reduce and rank beyond the first.
        exchange_latency: s per all-to-all.
        step_overhead: s per step (scheduling, sampling, launch of the step).
        layer_overhead: s per layer and step (kernel launches and their gaps).
        sequence_overhead: s per running sequence and step.
        prefill_overhead: s per prefill token.
        imbalance: Load of the busiest expert rank over the mean, at least 1.
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
    sequence_overhead: Floats
    prefill_overhead: Floats
    imbalance: Floats


def peak(accelerator: Accelerator, compute: str) -> float:
    """Return the dense peak at which weights of `compute` format multiply, FLOP/s.

    Silicon without the format computes at the next wider one (fp4 -> fp8 -> bf16).

    Raises:
        CatalogError: `compute` names no format.
    """
    rate = getattr(accelerator, f"peak_{compute}", None)
    if rate is not None:
        return float(rate)
    if compute not in _WIDER:
        raise CatalogError(f"{accelerator.key}: no peak for compute format {compute!r}")
    return peak(accelerator, _WIDER[compute])


def rates(candidates: Candidates, efficiencies: Efficiencies) -> Rates:
    """Return the attainable rates of every configuration; O(distinct records + configurations)."""
    chips, precisions, engines = (
        candidates.accelerators,
        candidates.precisions,
        candidates.engines,
    )
    shape = (len(chips), len(precisions), len(engines))
    at = np.ravel_multi_index(
        (candidates.accelerator, candidates.precision, candidates.engine), shape
    )
    used: NDArray[np.int64] = np.unique(at)
    names = Rates._fields
    table = np.full((len(names), int(np.prod(shape))), np.nan)
    for flat in used:
        chip, precision, engine = np.unravel_index(flat, shape)
        table[:, flat] = _rates_of(candidates, int(chip), int(precision), int(engine), efficiencies)
    return Rates(*table[:, at])


def _rates_of(
    candidates: Candidates, chip: int, precision: int, engine: int, efficiencies: Efficiencies
) -> list[float]:
    accelerator, formats = candidates.accelerators[chip], candidates.precisions[precision]
    shared = (
        f"architecture:{accelerator.architecture}",
        f"accelerator:{accelerator.key}",
        f"engine:{candidates.engines[engine].key}",
    )
    scales = {
        "linear_compute": peak(accelerator, formats.linear.compute),
        "expert_compute": peak(accelerator, formats.experts.compute),
        "attention_compute": peak(accelerator, "bf16"),
        "weight_bandwidth": accelerator.memory_bandwidth,
        "expert_bandwidth": accelerator.memory_bandwidth,
        "kv_bandwidth": accelerator.memory_bandwidth,
    }
    part = {"expert_compute": formats.experts.key, "expert_bandwidth": formats.experts.key}
    part["kv_bandwidth"] = formats.kv.key
    row = list[float]()
    for name in Rates._fields:
        if name not in efficiencies:
            raise CatalogError(f"efficiency parameter {name!r} is missing; have {[*efficiencies]}")
        keys = (*shared, f"format:{part.get(name, formats.linear.key)}")
        row.append(efficiencies[name].value(keys) * scales.get(name, 1.0))
    return row
