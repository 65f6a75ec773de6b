"""Classes of request of a trace, and what each asks in every slot of its period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inferometer.candidates import Floats, Ints
from inferometer.errors import ScenarioError
from inferometer.plan.fleet.pool import Load
from inferometer.units import Duration, Fraction
from inferometer.workload.shape import cached_fraction
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Trace

MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestClass:
    """Requests that are alike to a router: it knows the tenant and the prompt, not the answer.

    Attributes:
        name: Tenant and range of prompt lengths.
        slo: What they must meet.
        inputs: Prompt lengths, tokens.
        outputs: Output lengths of the same requests, tokens.
        cached_fraction: Share of prompt tokens served by a prefix cache.
    """

    name: str
    slo: Slo
    inputs: Ints  # [request]
    outputs: Ints  # [request]
    cached_fraction: Fraction


def classify(trace: Trace, prompt_classes: int) -> tuple[Ints, list[tuple[str, str]]]:
    """Return the class of every request, and tenant and prompt range of every class.

    Prompt lengths are cut at quantiles of the prompt *tokens*, so that classes carry like work.

    Raises:
        ScenarioError: fewer than one class.
    """
    if prompt_classes < 1:
        raise ScenarioError(f"prompt_classes is {prompt_classes}; at least 1 is wanted")
    ordered = np.sort(trace.input_tokens)
    carried = np.cumsum(ordered) / max(int(ordered.sum()), 1)
    levels = np.arange(1, prompt_classes) / prompt_classes
    places = np.minimum(np.searchsorted(carried, levels), len(ordered) - 1)
    edges = np.unique(ordered[places])
    part = np.searchsorted(edges, trace.input_tokens, side="right")
    ranges = _ranges(edges)
    none: NDArray[np.str_] = np.full(len(trace), "")
    tenants, owner = np.unique(none if trace.tenant is None else trace.tenant, return_inverse=True)
    code = owner * len(ranges) + part
    used, kind = np.unique(code, return_inverse=True)
    names = [(str(tenants[c // len(ranges)]), ranges[c % len(ranges)]) for c in used.tolist()]
    return kind, names


def _ranges(edges: Ints) -> list[str]:
    if not len(edges):
        return ["all prompts"]
    middle = [f"prompts {low}..{high - 1}" for low, high in pairwise(edges)]
    return [f"prompts < {edges[0]}", *middle, f"prompts >= {edges[-1]}"]


def classes_of(
    trace: Trace, kind: Ints, names: Sequence[tuple[str, str]], slo: Slo, tenants: Mapping[str, Slo]
) -> tuple[RequestClass, ...]:
    """Return the classes of a trace, each with the SLO of its tenant, or `slo`.

    Raises:
        ScenarioError: an SLO of a tenant that the trace does not name.
    """
    unknown = sorted(tenants.keys() - {tenant for tenant, _ in names})
    if unknown:
        known = ", ".join(sorted({tenant for tenant, _ in names} - {""})) or "none"
        raise ScenarioError(f"fleet.slo: no tenant {unknown[0]!r} in the trace; it has: {known}")
    cached = cached_fraction(trace)
    return tuple(
        RequestClass(
            name=f"{tenant}: {prompts}" if tenant else prompts,
            slo=tenants.get(tenant, slo),
            inputs=trace.input_tokens[kind == place],
            outputs=trace.output_tokens[kind == place],
            cached_fraction=cached,
        )
        for place, (tenant, prompts) in enumerate(names)
    )


def load_of(
    trace: Trace,
    kind: Ints,
    classes: Sequence[RequestClass],
    slot: Duration,
    spot_share: Fraction = 0.0,
) -> Load:
    """Return the rates of every class in every slot.

    A slot's busiest minute is that of all classes together, shared out as the slot's mean is: the
    busiest minutes of many thin classes do not coincide.

    Args:
        trace: The requests.
        kind: Class of each.
        classes: The classes.
        slot: Wanted length of a slot; stretched so that slots fill the trace.
        spot_share: Largest share of every class on spot replicas.

    Raises:
        ScenarioError: a slot shorter than a minute.
    """
    if slot < MINUTE:
        raise ScenarioError(f"fleet.slot is {slot:g} s; a minute at least is wanted")
    span = max(trace.span, MINUTE)
    count = max(1, round(span / slot))
    width = span / count
    at = np.minimum((trace.arrival / width).astype(np.int64), count - 1)
    mean = np.zeros((len(classes), count))
    np.add.at(mean, (kind, at), 1 / width)
    burst = _busiest(trace.arrival, width, count) / np.maximum(mean.sum(axis=0), 1e-300)
    return Load(
        names=tuple(one.name for one in classes),
        peak=mean * np.maximum(burst, 1.0),
        mean=mean,
        slot=width,
        spot_share=(spot_share,) * len(classes),
    )


def _busiest(arrival: Floats, width: float, count: int) -> Floats:
    """Return the rate of the busiest minute of every slot [slot], 1/s."""
    minutes = max(1, round(width / MINUTE))
    bins = np.minimum((arrival / width * minutes).astype(np.int64), count * minutes - 1)
    counts = np.bincount(bins, minlength=count * minutes).reshape(count, minutes)
    return counts.max(axis=1) * (minutes / width)
