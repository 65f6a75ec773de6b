"""One deployment that was evaluated: what it does and what it costs."""

from dataclasses import dataclass, replace

from inferometer.account.bill import Bill, Tariff, bill
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.deployment import Deployment
from inferometer.outcome import Outcome
from inferometer.perf.prediction import Prediction
from inferometer.plan.replicas import excess
from inferometer.plan.space import Space
from inferometer.units import (
    Fraction,
    GramsPerToken,
    JoulesPerToken,
    TokensPerSecond,
    UsdPerSecond,
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
        headroom: Share of that limit left (of goodput: of the error budget); below zero it is
            missed.
        bill: Money, energy and carbon over the workload's span, per class of token on both bases.
        energy_per_output: Energy at the facility's meter per output token.
        carbon_per_output: Emissions of that energy per output token; None if the grid is unknown.
        probability: Probability that it keeps the SLO, given how far predictions were off; None
            where that was not asked.
    """

    deployment: Deployment
    outcome: Outcome
    price: AcceleratorPrice | None
    cost: UsdPerSecond | None
    speed: TokensPerSecond
    tightest: str
    headroom: Fraction
    bill: Bill
    energy_per_output: JoulesPerToken
    carbon_per_output: GramsPerToken | None
    probability: Fraction | None = None

    @property
    def by_allocation(self) -> float | None:
        """The whole bill over the tokens served, input and output, USD/tok; None if unpriced."""
        return None if self.bill.allocation is None else self.bill.allocation.blended

    @property
    def by_usage(self) -> float | None:
        """What the same tokens cost without idle time, USD/tok; None if unpriced."""
        return None if self.bill.usage is None else self.bill.usage.blended


RENTED = Tariff(accelerator=None)
"""A tariff of rent alone: power in the price, no building, grid unknown."""


def option(
    row: int,
    space: Space,
    prediction: Prediction,
    slo: Slo,
    site: Tariff = RENTED,
    *,
    place: int | None = None,
) -> Option:
    """Return row `row` of `space`, found at `place` (same row by default) in `prediction`."""
    at = row if place is None else place
    deployment = space.candidates.deployment(row)
    price = space.prices[int(space.candidates.accelerator[row])]
    return stated(deployment, price, prediction, slo, site, place=at)


def stated(
    deployment: Deployment,
    price: AcceleratorPrice | None,
    prediction: Prediction,
    slo: Slo,
    site: Tariff = RENTED,
    *,
    place: int = 0,
) -> Option:
    """Return a deployment with row `place` of its prediction and its bill.

    `site` holds the building and the grid; its own accelerator price is not read.
    """
    outcome = prediction.outcome(place)
    ratios = excess(prediction, slo)[:, place]
    worst = int(ratios.argmax()) if len(ratios) else -1
    cost = None if price is None else price.price * deployment.accelerators
    charged = bill(outcome, deployment, replace(site, accelerator=price))
    produced = outcome.output_rate * outcome.span
    return Option(
        deployment=deployment,
        outcome=outcome,
        price=price,
        cost=cost,
        speed=1 / outcome.tpot.mean,
        tightest=slo.terms[worst] if worst >= 0 else "",
        headroom=1 - float(ratios[worst]) if worst >= 0 else 1.0,
        bill=charged,
        energy_per_output=charged.energy.total / produced,
        carbon_per_output=None if charged.carbon is None else charged.carbon / produced,
    )
