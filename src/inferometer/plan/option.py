"""One deployment that was evaluated: what it does and what it costs."""

from dataclasses import dataclass

from inferometer.catalog.prices import AcceleratorPrice
from inferometer.deployment import Deployment
from inferometer.outcome import Outcome
from inferometer.perf.prediction import Prediction
from inferometer.plan.replicas import excess
from inferometer.plan.space import Space
from inferometer.units import (
    Fraction,
    JoulesPerToken,
    TokensPerSecond,
    UsdPerSecond,
    UsdPerToken,
)
from inferometer.workload.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A deployment with its outcome and price.

    Attributes:
        deployment: The deployment.
        outcome: What it does under the workload.
        price: Price of one accelerator, with its source; None if unpriced.
        cost: Price of all accelerators; None if unpriced.
        speed: Output tokens per second that one user sees, 1 / mean TPOT.
        tightest: Target nearest to its limit, "" without an SLO.
        headroom: Share of that limit left; below zero it is missed.
        by_allocation: Whole rent over the tokens served at the actual load, input and output.
        by_usage: Rent over the tokens served if run at capacity.
        energy_per_output: Energy of the accelerators per output token.
    """

    deployment: Deployment
    outcome: Outcome
    price: AcceleratorPrice | None
    cost: UsdPerSecond | None
    speed: TokensPerSecond
    tightest: str
    headroom: Fraction
    by_allocation: UsdPerToken | None
    by_usage: UsdPerToken | None
    energy_per_output: JoulesPerToken


def option(
    row: int, space: Space, prediction: Prediction, slo: Slo, *, place: int | None = None
) -> Option:
    """Return row `row` of `space`, found at `place` (same row by default) in `prediction`."""
    at = row if place is None else place
    deployment = space.candidates.deployment(row)
    price = space.prices[int(space.candidates.accelerator[row])]
    return stated(deployment, price, prediction, slo, place=at)


def stated(
    deployment: Deployment,
    price: AcceleratorPrice | None,
    prediction: Prediction,
    slo: Slo,
    *,
    place: int = 0,
) -> Option:
    """Return a deployment with row `place` of its prediction and its price."""
    outcome = prediction.outcome(place)
    ratios = excess(prediction, slo)[:, place]
    worst = int(ratios.argmax()) if len(ratios) else -1
    cost = None if price is None else price.price * deployment.accelerators
    tokens = outcome.input_rate + outcome.output_rate
    full = outcome.capacity / outcome.request_rate
    return Option(
        deployment=deployment,
        outcome=outcome,
        price=price,
        cost=cost,
        speed=1 / outcome.tpot.mean,
        tightest=str(slo.targets[worst]) if worst >= 0 else "",
        headroom=1 - float(ratios[worst]) if worst >= 0 else 1.0,
        by_allocation=None if cost is None else cost / tokens,
        by_usage=None if cost is None else cost / (tokens * full),
        energy_per_output=outcome.energy.total / (outcome.output_rate * outcome.span),
    )
