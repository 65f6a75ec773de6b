"""Disaggregation: prompts on replicas of one pool, output on those of another.

The closed form of each pool on its part of the work: the first answers one token per request, the
second finds every prompt in its cache. The cache travels between them over the scale-out network.
"""

from dataclasses import replace

import numpy as np

from inferometer.errors import InfeasibleError
from inferometer.outcome import Latency
from inferometer.perf.counts import kv_bytes_per_token
from inferometer.plan.option import Option
from inferometer.plan.whatif.case import Case, sized
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo


def split(case: Case) -> tuple[Option, Option]:
    """Return the prefill and the decode pool of `case`, each with the fewest replicas that serve.

    Targets of TTFT go to the first, less the handover; those of TPOT and ITL to the second. E2E
    targets are held by neither alone and are left out: the caller says so.

    Raises:
        InfeasibleError: a pool that does not serve.
    """
    delay = handover(case)
    targets = case.slo.targets
    early = [replace(t, limit=t.limit - delay) for t in targets if t.metric == "ttft"]
    late = tuple(t for t in targets if t.metric in {"tpot", "itl"})
    headroom = case.slo.headroom
    if any(target.limit <= 0 for target in early):
        raise InfeasibleError(f"the handover alone takes {delay * 1e3:.3g} ms")
    first = sized(replace(
        case, shape=_prompts(case.shape), slo=Slo(targets=tuple(early), headroom=headroom)
    ))  # fmt: skip
    cached = replace(
        case.deployment, settings=replace(case.deployment.settings, prefix_caching=True)
    )
    second = sized(replace(
        case, deployment=cached, shape=_outputs(case.shape),
        slo=Slo(targets=late, headroom=headroom),
    ))  # fmt: skip
    return _later(first, delay), second


def handover(case: Case) -> float:
    """Return the time from the last prompt token to the first decode step, s.

    A fixed part, and the cache of a mean prompt over the network of the replica's accelerators.
    """
    built = case.deployment
    width = built.precision.kv.bytes_per_element
    moved = kv_bytes_per_token(built.model, width) * case.shape.mean_input
    speed = built.accelerator.network_bandwidth * built.parallelism.accelerators
    return (case.handover or 0.0) + moved / speed


def _prompts(shape: Shape) -> Shape:
    one = np.ones_like
    return replace(
        shape, outputs=one(shape.outputs), all_outputs=one(shape.all_outputs),
        output_quantiles=one(shape.output_quantiles),
    )  # fmt: skip


def _outputs(shape: Shape) -> Shape:
    return replace(shape, cached_fraction=1.0)


def _later(option: Option, delay: float) -> Option:
    before = option.outcome.ttft
    after = Latency(**{
        name: getattr(before, name) + delay for name in ("mean", "p50", "p90", "p99")
    })  # fmt: skip
    return replace(option, outcome=replace(option.outcome, ttft=after))
