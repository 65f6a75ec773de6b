"""What a deployment does under a workload; the same record predicted, simulated or measured."""

from dataclasses import dataclass, field

from inferometer.catalog.source import Evidence
from inferometer.units import (
    Duration,
    Fraction,
    Joules,
    PerSecond,
    Seconds,
    TokensPerSecond,
    Watts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Quantiles of one latency over requests (TTFT, TPOT, E2E) or over gaps (ITL).

    Attributes:
        mean: Arithmetic mean.
        p50: Median.
        p90: 90th percentile.
        p99: 99th percentile.
    """

    mean: Seconds
    p50: Seconds
    p90: Seconds
    p99: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Where every request ended: arrived = finished + rejected + timed_out + in_flight.

    Attributes:
        arrived: Requests offered.
        finished: Requests answered in full.
        rejected: Requests turned away, too long for the deployment included.
        timed_out: Requests given up.
        in_flight: Requests not finished when the clock stopped.
    """

    arrived: float
    finished: float
    rejected: float = 0.0
    timed_out: float = 0.0
    in_flight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of the accelerators over the workload's span, by what drew it.

    Attributes:
        prefill: Above idle, while computing prompts.
        decode: Above idle, while generating.
        idle: Idle draw over the whole span.
    """

    prefill: Joules
    decode: Joules
    idle: Joules

    @property
    def total(self) -> float:
        """Sum of the parts, J."""
        return self.prefill + self.decode + self.idle


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Latency, throughput, energy and limits of one deployment under one workload.

    Rates and power are of the whole deployment (all replicas), never per accelerator.

    Attributes:
        evidence: Predicted, simulated or measured.
        span: Length of the workload.
        ttft: Time to first token, queueing included.
        tpot: (E2E - TTFT) / (output tokens - 1), over requests.
        itl: Gap between output tokens, over gaps.
        e2e: Arrival to last token.
        request_rate: Requests finished per second.
        input_rate: Input tokens per second, cached ones included.
        cached_rate: Input tokens per second served from the prefix cache.
        output_rate: Output tokens per second.
        capacity: Requests per second at which the deployment saturates.
        utilisation: Load of the busiest minute over `capacity`; from 1 on the queue grows without
            bound. The mean load is `request_rate / capacity`.
        batch: Mean running sequences per replica.
        kv_fraction: Mean share of the KV cache in use.
        power: Mean draw of all accelerators.
        energy: Energy by part.
        counts: Where the requests ended.
        goodput: Requests per second that meet every SLO.
        binding: The constraint that limits the deployment, e.g. "memory bandwidth".
    """

    evidence: Evidence
    span: Duration
    ttft: Latency
    tpot: Latency
    itl: Latency
    e2e: Latency
    request_rate: PerSecond
    input_rate: TokensPerSecond
    cached_rate: TokensPerSecond = 0.0
    output_rate: TokensPerSecond
    capacity: PerSecond
    utilisation: Fraction
    batch: float
    kv_fraction: Fraction
    power: Watts
    energy: Energy
    counts: Counts
    goodput: PerSecond = field(default=0.0)
    binding: str = ""
