"""Where one way of paying overtakes another: utilisation, tokens per day, months."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inferometer.account.api import ApiCost
from inferometer.account.breakeven import break_even_utilisation
from inferometer.plan.break_even import BreakEven, TokensPerDay, break_even
from inferometer.plan.option import Option
from inferometer.plan.tco import Months
from inferometer.units import Fraction, UsdPerSecond

CACHED = (
    "cached tokens: an API charges them at its cached price; serving them oneself takes no "
    "computation, so that they lower the price only by leaving capacity for others"
)
BOUGHT = (
    "months: purchases / (what the alternative costs - what running one's own costs), month by "
    "month, with growth, later purchases and moving prices"
)
RENTED_BY_USE = (
    "against rent: one's own cost / (all hours x rent): the share of the hours in which rented "
    "accelerators would be paid for"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One way of having accelerators against one alternative.

    Attributes:
        one: The way whose cost is fixed: owning, or renting all hours.
        other: The alternative.
        utilisation: Mean load from which `one` is cheaper; None if never.
        now: Mean load at the workload as asked.
        tokens: Input and output tokens at that load.
        tokens_of_one_replica: The same of a single replica, the least volume that pays.
        months: When purchases are paid back; None where nothing is bought or never.
        saving: What the alternative costs more at the workload as asked.
        scaled_down: Whether `one` is cheaper under perfect scale-down.
        never: Why there is no break-even; "" where there is one.
    """

    one: str
    other: str
    utilisation: Fraction | None
    now: Fraction
    tokens: TokensPerDay | None
    tokens_of_one_replica: TokensPerDay | None
    months: Months | None
    saving: UsdPerSecond | None
    scaled_down: bool
    never: str


def against_api(
    name: str, option: Option, cost: UsdPerSecond, offer: ApiCost, months: Months | None = None
) -> Flip:
    """Return a way that costs `cost` whatever the load against an API.

    Args:
        name: The way.
        option: The deployment, for its capacity and its tokens.
        cost: What all of it costs.
        offer: The API's cost of the same traffic.
        months: When purchases are paid back.
    """
    found: BreakEven = break_even(replace(option, cost=cost), offer)
    return Flip(
        one=name,
        other=f"API {found.provider} {found.model} {found.tier}",
        utilisation=found.utilisation,
        now=found.now,
        tokens=found.tokens,
        tokens_of_one_replica=found.tokens_of_one_replica,
        months=months,
        saving=found.saving,
        scaled_down=found.pays_scaled_down,
        never=found.never,
    )


def against_rent(
    option: Option,
    names: Sequence[str],
    cost: UsdPerSecond,
    rent: UsdPerSecond,
    months: Months | None = None,
) -> Flip:
    """Return owning against renting accelerators for the hours in which they work.

    Args:
        option: The deployment.
        names: The way and the alternative.
        cost: What all accelerators of the deployment cost to own.
        rent: What one of them costs to rent.
        months: When purchases are paid back against the rent of the fleet.
    """
    outcome, count = option.outcome, option.deployment.accelerators
    tokens = (outcome.input_rate + outcome.output_rate) / outcome.request_rate
    share = break_even_utilisation(cost, count, rent)
    volume = None if share is None else share * outcome.capacity * tokens
    never = "" if share is not None else "even in use all the time, owning costs more than the rent"
    now = outcome.request_rate / outcome.capacity
    return Flip(
        one=names[0],
        other=names[1],
        utilisation=share,
        now=now,
        tokens=volume,
        tokens_of_one_replica=None if volume is None else volume / option.deployment.replicas,
        months=months,
        saving=rent * count * now - cost,
        scaled_down=cost < rent * count,
        never=never,
    )
