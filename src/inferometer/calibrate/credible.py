"""Rows that no accelerator can have measured as stated: they must not teach."""

from collections.abc import Sequence

from inferometer.calibrate.measurement import Observation
from inferometer.perf.counts import parameters
from inferometer.perf.rates import peak

HIGHEST = 0.72
"""Share of the published dense peak above which a row counts as misstated. Assumed: serving has
attention, overheads and steps without prompts beside its matrix products. What lies above (ten
rows) has cached prompts, replicas or lengths that its source leaves out, or drafted tokens."""

CEILING = 0.85
"""The same for prompts alone, all of whose time is products: the ceiling of `linear_compute`."""


def credible(observations: Sequence[Observation]) -> list[Observation]:
    """Return the rows whose throughput their accelerators' peak allows.

    Prompt and output tokens count with two FLOP per active weight; attention, which only adds to
    that, is left out. Disaggregated rows are kept: their sources leave out workers.
    """
    return [
        one
        for one in observations
        if _share_of_peak(one) <= (CEILING if one.load.kind == "prompt" else HIGHEST)
    ]


def _share_of_peak(one: Observation) -> float:
    """Return the share of the peak that a row's throughput needs; 0 if it has none."""
    rate, load, subject = _output_rate(one), one.load, one.subject
    if not rate or subject.prefill is not None or subject.deployment.speculation is not None:
        return 0.0
    served = subject.deployment
    both = 1.0 if load.kind == "prompt" else 1 + load.inputs / load.outputs
    formats = (served.precision.linear, served.precision.experts)
    widest = max(peak(served.accelerator, one.compute) for one in formats)
    needed = 2 * parameters(served.model).active * rate * both
    return needed / (widest * served.accelerators)


def _output_rate(one: Observation) -> float:
    """Return output tokens per second, as stated or as a closed loop implies; 0 if neither."""
    metrics, load = one.row.metrics, one.load
    if metrics.get("tokens_per_s"):
        return metrics["tokens_per_s"]
    step = metrics.get("tpot_ms_p50") or metrics.get("itl_ms_p50") or 0.0
    if load.kind != "closed" or not step:
        return 0.0
    seconds = (metrics.get("ttft_ms_p50", 0.0) + step * max(load.outputs - 1, 1)) / 1000
    return load.clients * load.outputs / seconds
