"""From the ideal price of a token to the actual one, step by step: where the money goes."""

from dataclasses import dataclass, replace

from inferometer.candidates import one
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.plan.replicas import Evaluate, meets
from inferometer.units import UsdPerSecond, UsdPerToken
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

HALVINGS = 30
"""Bisections of the rate that still meets the SLO: relative error 2^-30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the waterfall.

    Attributes:
        name: What it adds.
        price: Dollars per token (input and output) once it is counted in.
        added: What it adds over the step before.
        formula: How `price` is made.
        rests_on: Kinds of records that come in with this step, as `plan.provenance` names them,
            beside "workload" and "slo" of the scenario.
    """

    name: str
    price: UsdPerToken
    added: UsdPerToken
    formula: str
    rests_on: tuple[str, ...] = ()


NEEDS = (
    ("price", "accelerator", "node", "model", "number format"),
    ("efficiency", "engine"),
    ("slo", "workload"),
    ("workload",),
    ("workload",),
)
"""What each step adds to what the ones before rest on."""


def waterfall(
    deployment: Deployment,
    cost: UsdPerSecond,
    shape: Shape,
    slo: Slo,
    *,
    evaluate: Evaluate,
    ideal: Evaluate,
) -> tuple[Step, ...]:
    """Return the price of a token: ideal, with the engine, within the SLO, at the peak, actual.

    Args:
        deployment: What is explained.
        cost: Its rent.
        shape: The workload.
        slo: The targets.
        evaluate: What predicts.
        ideal: The same with peak rates reached and no overhead.

    Raises:
        ScenarioError: the deployment does not fit, or meets the SLO at no rate.
    """
    candidates = one(deployment)
    found = evaluate(candidates, shape)
    if not found.fits[0]:
        raise ScenarioError(f"{deployment}: does not fit in memory; nothing to explain")
    saturated = float(found.capacity[0])
    allowed = min(_rate_within(deployment, shape, slo, evaluate, saturated), saturated)
    served = min(shape.rate, saturated)
    rates = (
        ("ideal hardware", float(ideal(candidates, shape).capacity[0]),
         "rent / (capacity with every peak rate reached and no overhead)"),
        ("engine and kernels", saturated, "rent / (capacity with attainable rates and overheads)"),
        ("latency targets", allowed, "rent / (highest rate that meets the SLO)"),
        ("whole replicas", min(shape.peak_rate, allowed), "rent / (rate of the busiest minute)"),
        ("idle between peaks", served, "rent / (mean rate)"),
    )  # fmt: skip
    tokens = shape.mean_input + shape.mean_output
    prices = [cost / (rate * tokens) for _, rate, _ in rates]
    before = [0.0, *prices[:-1]]
    return tuple(
        Step(name=name, price=price, added=price - last, formula=formula, rests_on=needs)
        for (name, _, formula), price, last, needs in zip(rates, prices, before, NEEDS, strict=True)
    )


def _rate_within(
    deployment: Deployment, shape: Shape, slo: Slo, evaluate: Evaluate, capacity: float
) -> float:
    """Return the highest steady rate at which the SLO is met, requests per second."""
    candidates, low, high = one(deployment), 0.0, capacity
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        trial = replace(shape, rate=middle, peak_rate=middle)
        good = bool(meets(evaluate(candidates, trial), slo)[0])
        low, high = (middle, high) if good else (low, middle)
    if low == 0.0:
        raise ScenarioError(f"{deployment}: meets {slo} at no rate; relax the SLO to explain it")
    return low
