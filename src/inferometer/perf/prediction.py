"""The closed form's answer for many configurations at once; one row of it is an `Outcome`."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from inferometer.catalog.source import Evidence
from inferometer.outcome import Counts, Energy, Latency, Outcome
from inferometer.workload.shape import Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTILES = ("mean", "p50", "p90", "p99")
"""Columns of every latency array."""


class Depth(Enum):
    """How much of a prediction is worked out; what lies deeper is NaN.

    A search asks most configurations for their capacity alone, at a fraction of the whole's cost.
    """

    CAPACITY = "capacity"
    LATENCY = "latency"
    ENERGY = "energy"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Arrays over configurations; latencies have one column per entry of `QUANTILES`.

    A configuration that cannot run (does not fit) has `fits` False and NaN elsewhere; one that is
    overloaded has infinite latencies.

    Attributes:
        shape: The workload.
        fits: Whether weights and at least one longest request fit in memory.
        ttft: Time to first token at the busiest minute's rate.
        tpot: Time per output token.
        itl: Gap between output tokens.
        e2e: Arrival to last token.
        capacity: Requests per second at which each deployment (all replicas) saturates.
        utilisation: Peak arrival rate over capacity.
        mean_utilisation: Mean arrival rate over capacity.
        batch: Running sequences per replica at the busiest minute.
        kv_fraction: Share of the KV cache in use then.
        kv_tokens: Tokens of KV cache per replica.
        power: Mean draw of all accelerators over the span, W.
        energy_prefill: Energy above idle for prompts over the span, J.
        energy_decode: Energy above idle for output over the span, J.
        energy_idle: Idle energy of all accelerators over the span, J.
        cached_fraction: Share of input tokens served by the prefix cache.
        goodput_fraction: Share of requests that meet the SLO; NaN if none was given.
        binding: Index into `constraints`.
        constraints: Names of what can bind.
    """

    shape: Shape
    fits: NDArray[np.bool_]  # [config]
    ttft: Floats  # [config, quantile] s
    tpot: Floats  # [config, quantile] s
    itl: Floats  # [config, quantile] s
    e2e: Floats  # [config, quantile] s
    capacity: Floats  # [config] 1/s
    utilisation: Floats  # [config]
    mean_utilisation: Floats  # [config]
    batch: Floats  # [config]
    kv_fraction: Floats  # [config]
    kv_tokens: Floats  # [config] tok
    power: Floats  # [config] W
    energy_prefill: Floats  # [config] J
    energy_decode: Floats  # [config] J
    energy_idle: Floats  # [config] J
    cached_fraction: Floats  # [config]
    goodput_fraction: Floats  # [config]
    binding: Ints  # [config]
    constraints: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.fits)

    def outcome(self, row: int) -> Outcome:
        """Return row `row` as an `Outcome`; rates are means over the span."""
        shape = self.shape
        served = min(1.0, 1.0 / float(self.mean_utilisation[row]))
        rate = shape.rate * served
        return Outcome(
            evidence=Evidence.PREDICTED,
            span=shape.span,
            ttft=_latency(self.ttft[row]),
            tpot=_latency(self.tpot[row]),
            itl=_latency(self.itl[row]),
            e2e=_latency(self.e2e[row]),
            request_rate=rate,
            input_rate=rate * shape.mean_input,
            cached_rate=rate * shape.mean_input * float(self.cached_fraction[row]),
            output_rate=rate * shape.mean_output,
            capacity=float(self.capacity[row]),
            utilisation=float(self.utilisation[row]),
            batch=float(self.batch[row]),
            kv_fraction=float(self.kv_fraction[row]),
            power=float(self.power[row]),
            energy=Energy(
                prefill=float(self.energy_prefill[row]),
                decode=float(self.energy_decode[row]),
                idle=float(self.energy_idle[row]),
            ),
            counts=Counts(
                arrived=shape.requests,
                finished=shape.requests * served,
                in_flight=shape.requests * (1 - served),
            ),
            goodput=rate * float(self.goodput_fraction[row]),
            binding=self.constraints[self.binding[row]],
        )


def _latency(row: Floats) -> Latency:
    mean, p50, p90, p99 = (float(value) for value in row)
    return Latency(mean=mean, p50=p50, p90=p90, p99=p99)
