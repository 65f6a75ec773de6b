"""The shape of a workload: what a closed-form prediction needs to know of a trace."""

from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np

from inferometer.errors import WorkloadError
from inferometer.units import Duration, Fraction, PerSecond
from inferometer.workload.trace import Floats, Ints, Trace

LONGEST = 10 * 8760 * 3600.0
"""Span, s, beyond which times are taken for those of another unit; bins of minutes still fit."""

FEWEST_GAPS = 16
"""Gaps in a bin below which their variance says little."""

LEVELS = (0.5, 0.9, 0.99)
"""Quantile levels of lengths and latencies."""

SCORES = tuple(NormalDist().inv_cdf(level) for level in LEVELS)
"""Standard normal scores of `LEVELS`."""


def _none() -> Floats:
    return np.empty(0)


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
        all_inputs: Prompt lengths of all requests, tokens; empty where the points are all there is.
        all_outputs: Output lengths of the same requests, tokens.
        input_quantiles: Prompt lengths at `LEVELS`, of all requests; empty as above.
        output_quantiles: Output lengths at `LEVELS`, of all requests; empty as above.
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
    all_inputs: Floats = field(default_factory=_none)  # [request] tok
    all_outputs: Floats = field(default_factory=_none)  # [request] tok
    input_quantiles: Floats = field(default_factory=_none)  # [level] tok
    output_quantiles: Floats = field(default_factory=_none)  # [level] tok

    @property
    def totals(self) -> Floats:
        """Prompt and output of every request, or of every point where these are all, tokens."""
        if len(self.all_inputs):
            return self.all_inputs + self.all_outputs
        return self.inputs + self.outputs

    @property
    def longest(self) -> float:
        """Prompt and output of the longest request, tokens."""
        return float(self.totals.max())

    @property
    def mean_input(self) -> float:
        """Mean prompt length, tokens."""
        return float(self.inputs.mean())

    @property
    def mean_output(self) -> float:
        """Mean output length, tokens."""
        return float(self.outputs.mean())


def shape_of(trace: Trace, *, points: int = 64, bin_width: float = 60.0) -> Shape:
    """Return the shape of a trace.

    Args:
        trace: The requests.
        points: Equally likely (input, output) points that stand for all requests.
        bin_width: Wanted width of the bins of `series`, s; stretched so that they fill the span.

    Raises:
        WorkloadError: all requests arrive at once, so that there is no rate, or over decades.
    """
    if trace.span <= 0:
        raise WorkloadError(
            f"{trace.name or 'trace'}: all {len(trace)} requests arrive at once, which gives no"
            " rate; give a longer trace, or lengths and a rate"
        )
    if trace.span > LONGEST:
        raise WorkloadError(
            f"{trace.name or 'trace'}: lasts {trace.span:.3g} s; ten years, {LONGEST:.3g} s, are"
            " the most: are its times in seconds?"
        )
    series, minutes = (_rates(trace, width) for width in (bin_width, 60.0))
    return Shape(
        name=trace.name,
        requests=len(trace),
        span=trace.span,
        rate=len(trace) / trace.span,
        peak_rate=float(minutes.max()),
        series=series,
        bin_width=trace.span / len(series),
        burstiness=burstiness(trace),
        cached_fraction=cached_fraction(trace),
        **_lengths(trace.input_tokens, trace.output_tokens, points),
    )


def shape_of_lengths(  # noqa: PLR0913 - what a trace would have told
    inputs: Ints,
    outputs: Ints,
    rate: PerSecond,
    *,
    span: Duration = 3600.0,
    burstiness: float = 1.0,
    cached_fraction: Fraction = 0.0,
    points: int = 64,
    name: str = "",
) -> Shape:
    """Return the shape of requests of given lengths that arrive at a steady rate.

    Args:
        inputs: Prompt lengths, [request], tok.
        outputs: Output lengths of the same requests, [request], tok.
        rate: Arrival rate.
        span: How long the load lasts.
        burstiness: Squared coefficient of variation of inter-arrival times.
        cached_fraction: Share of input tokens that a prefix cache would serve.
        points: Points that stand for all requests.
        name: For reports.

    Raises:
        WorkloadError: no lengths, not one output per input, or a rate or span <= 0.
    """
    if len(inputs) == 0 or len(inputs) != len(outputs):
        raise WorkloadError(f"{name or 'lengths'}: {len(inputs)} inputs, {len(outputs)} outputs")
    if not (0 < rate < np.inf and 0 < span < np.inf):
        raise WorkloadError(f"{name or 'lengths'}: rate {rate} and span {span} must be positive")
    return Shape(
        name=name,
        requests=rate * span,
        span=span,
        rate=rate,
        peak_rate=rate,
        series=np.array([rate]),
        bin_width=span,
        burstiness=burstiness,
        cached_fraction=cached_fraction,
        **_lengths(inputs, outputs, points),
    )


def with_rate(shape: Shape, factor: float) -> Shape:
    """Return `shape` with `factor` as many requests in the same time."""
    return replace(
        shape,
        requests=shape.requests * factor,
        rate=shape.rate * factor,
        peak_rate=shape.peak_rate * factor,
        series=shape.series * factor,
    )


def with_longer_outputs(shape: Shape, factor: float, context: int) -> Shape:
    """Return `shape` with outputs `factor` as long, at least 1, cut where `context` is full."""
    points = np.minimum(np.maximum(shape.outputs * factor, 1.0), context - shape.inputs)
    if not len(shape.all_inputs):
        return replace(shape, outputs=points)
    room = context - shape.all_inputs
    everyone = np.minimum(np.maximum(shape.all_outputs * factor, 1.0), room)
    quantiles = np.quantile(everyone, LEVELS)
    return replace(shape, outputs=points, all_outputs=everyone, output_quantiles=quantiles)


def _lengths(inputs: Ints, outputs: Ints, points: int) -> dict[str, Floats]:
    """Return the fields of a shape that tell how long requests are."""
    some_inputs, some_outputs = representative(inputs, outputs, points)
    return {
        "inputs": some_inputs,
        "outputs": some_outputs,
        "all_inputs": inputs.astype(np.float64),
        "all_outputs": outputs.astype(np.float64),
        "input_quantiles": np.quantile(inputs, LEVELS),
        "output_quantiles": np.quantile(outputs, LEVELS),
    }


def _rates(trace: Trace, width: float) -> Floats:
    bins = max(1, round(trace.span / width))
    counts = np.histogram(trace.arrival, bins)[0].astype(np.float64)
    return counts * (bins / trace.span)


def representative(inputs: Ints, outputs: Ints, points: int) -> tuple[Floats, Floats]:
    """Return equally likely points that stand for all (input, output) pairs.

    Each marginal is cut into `points` equal shares whose means are kept, which keeps both means
    exactly and the quantiles nearly; then the pairing starts from the joint ranks and swaps
    outputs until the mean of input * output is kept as well as swaps can.
    """
    some_inputs, some_outputs = strata(inputs, points), strata(outputs, points)
    by_input = outputs[np.argsort(inputs, kind="stable")]
    picked = by_input[((np.arange(points) + 0.5) * len(by_input) / points).astype(np.int64)]
    paired = np.empty(points)
    paired[np.argsort(picked, kind="stable")] = some_outputs
    target = float(np.dot(inputs.astype(np.float64), outputs)) / len(inputs) * points
    return some_inputs, _swapped(some_inputs, paired, target)


def strata(values: Ints, points: int) -> Floats:
    """Return the means of `points` equal shares of the sorted values; a value may be split."""
    total = np.concatenate(([0.0], np.cumsum(np.sort(values), dtype=np.float64)))
    cuts = np.arange(points + 1) * len(values) / points
    return np.diff(np.interp(cuts, np.arange(len(total)), total)) * points / len(values)


def _swapped(inputs: Floats, outputs: Floats, target: float) -> Floats:
    """Return the outputs after the swaps that bring sum(inputs * outputs) towards the target."""
    outputs, across = outputs.copy(), np.subtract.outer(inputs, inputs)
    for _ in range(4 * len(inputs)):
        missing = target - float(inputs @ outputs)
        left = np.abs(missing + across * np.subtract.outer(outputs, outputs))
        best = int(left.argmin())
        if left.flat[best] >= abs(missing) * (1 - 1e-9):
            break
        one, other = divmod(best, len(inputs))
        outputs[[one, other]] = outputs[[other, one]]
    return outputs


def burstiness(trace: Trace) -> float:
    """Return the squared coefficient of variation of gaps within the minutes, 1 if unknown.

    Within minutes, so that a load that moves through the day does not count as bursts.
    """
    gaps, minute = np.diff(trace.arrival), (trace.arrival // 60).astype(np.int64)
    _, group = np.unique(minute[:-1], return_inverse=True)
    inside = minute[1:] == minute[:-1]
    gaps, group = gaps[inside], group[inside]
    count = np.bincount(group)
    chosen = count >= FEWEST_GAPS
    if not chosen.any():  # too thin to see within minutes
        gaps, group = np.diff(trace.arrival), np.zeros(len(trace) - 1, np.int64)
        count = np.bincount(group)
        chosen = count >= FEWEST_GAPS
    if not chosen.any():
        return 1.0
    mean = (np.bincount(group, gaps)[chosen]) / count[chosen]
    square = np.bincount(group, gaps**2)[chosen] / count[chosen]
    weight = count[chosen] * (mean > 0)
    spread = square / np.where(mean > 0, mean, 1) ** 2 - 1
    return float((spread * weight).sum() / weight.sum()) if weight.any() else 1.0


def cached_fraction(trace: Trace) -> float:
    """Return the share of input tokens that a prefix cache without limit would serve.

    A block is served if an earlier request held it; the last token of a prompt is always computed.
    """
    if trace.prefixes is None or not len(trace.prefixes.hashes):
        return 0.0
    ids = np.unique(trace.prefixes.hashes, return_inverse=True)[1]
    offsets = trace.prefixes.offsets
    count = np.diff(offsets)
    owner = np.repeat(np.arange(len(trace)), count)
    first = np.empty(int(ids.max()) + 1, np.int64)
    first[ids[::-1]] = owner[::-1]  # the last to write, here the earliest request, stays
    place = np.arange(len(ids)) - offsets[owner]
    held = np.where(count > 0, count, 0)
    missed = first[ids] == owner
    np.minimum.at(held, owner[missed], place[missed])
    served = np.minimum(held * trace.prefixes.block_size, trace.input_tokens - 1)
    return float(served.sum() / trace.input_tokens.sum())
