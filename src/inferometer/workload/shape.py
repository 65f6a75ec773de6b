"""The shape of a workload: what a closed-form prediction needs to know of a trace."""

from dataclasses import dataclass

from inferometer.units import Duration, Fraction, PerSecond
from inferometer.workload.trace import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """Rates and lengths of a workload, small enough to evaluate a million deployments against.

    Attributes:
        name: Where it came from, for reports.
        requests: Requests in all.
        span: Time they took to arrive.
        rate: Mean arrival rate.
        peak_rate: Arrival rate of the busiest minute (of the mean where the span is shorter).
        series: Arrival rate per bin of `bin_width`, whole span.
        bin_width: Width of those bins.
        burstiness: Squared coefficient of variation of inter-arrival times within bins; 1 is
            Poisson.
        inputs: Prompt lengths of equally likely points that stand for all requests, tokens.
        outputs: Output lengths of the same points, tokens.
        cached_fraction: Share of input tokens that a prefix cache of sufficient size would serve.
    """

    name: str = ""
    requests: float
    span: Duration
    rate: PerSecond
    peak_rate: PerSecond
    series: Floats  # [bin] 1/s
    bin_width: Duration
    burstiness: float
    inputs: Floats  # [point] tok
    outputs: Floats  # [point] tok
    cached_fraction: Fraction = 0.0

    @property
    def mean_input(self) -> float:
        """Mean prompt length, tokens."""
        return float(self.inputs.mean())

    @property
    def mean_output(self) -> float:
        """Mean output length, tokens."""
        return float(self.outputs.mean())
