"""When a deployment is cheaper than an API: the load, and the volume, at which both cost the same.

Two formulas are in use, and they answer differently; both are stated. *Pay for idle* (allocation):
the rent runs whether or not tokens do. *Perfect scale-down* (usage): capacity follows the load, so
that a token always costs what it costs at capacity.
"""

from dataclasses import dataclass
from typing import Annotated

from inferometer.account.api import ApiCost
from inferometer.account.breakeven import break_even_utilisation
from inferometer.plan.option import Option
from inferometer.units import Fraction, Unit, UsdPerSecond, UsdPerToken

PAY_FOR_IDLE = (
    "pay for idle (allocation): price of a token = rent / (utilisation x capacity); "
    "break-even utilisation = rent / (capacity x API price)"
)
SCALE_DOWN = (
    "perfect scale-down (usage): price of a token = rent / capacity at any utilisation; "
    "cheaper than the API at every volume or at none"
)

TokensPerDay = Annotated[float, Unit("tok/s", "mtok_per_day", "Mtok/day")]
RequestsPerDay = Annotated[float, Unit("1/s", "per_day", "1/day")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """One deployment against one API price, at the workload's mix of tokens.

    Attributes:
        provider: Provider of the API.
        model: Its name of the model.
        tier: Its tier of service.
        api: What it charges per token, input and output.
        utilisation: Mean load over capacity from which paying for idle is cheaper; None if never.
        tokens: Input and output tokens at that load, of the whole deployment.
        requests: Requests at that load.
        tokens_of_one_replica: The same of a single replica: the least volume that pays.
        never: Why there is no break-even; "" where there is one.
        now: Mean load at the workload as asked.
        saving: What the API costs more than the deployment at the workload as asked.
        scaled_down: Price of a token under perfect scale-down.
        pays_scaled_down: Whether that is below the API's.
    """

    provider: str
    model: str
    tier: str
    api: UsdPerToken
    utilisation: Fraction | None
    tokens: TokensPerDay | None
    requests: RequestsPerDay | None
    tokens_of_one_replica: TokensPerDay | None
    never: str
    now: Fraction
    saving: UsdPerSecond | None
    scaled_down: UsdPerToken | None
    pays_scaled_down: bool


def break_even(option: Option, offer: ApiCost) -> BreakEven:
    """Return when `option` is cheaper than `offer`.

    The load cannot exceed what the busiest minute leaves room for: mean over peak of the workload.
    """
    outcome, rent = option.outcome, option.cost
    per_request = (outcome.input_rate + outcome.output_rate) / outcome.request_rate
    capacity = outcome.capacity * per_request
    now = outcome.request_rate / outcome.capacity
    share, never = None, "unpriced: no rent is known"
    if rent is not None and offer.blended <= 0:
        never = "the API charges nothing for it"
    elif rent is not None:
        share = break_even_utilisation(rent, capacity, offer.blended)
        share, never = _reached(share, now / outcome.utilisation, rent / capacity, offer.blended)
    tokens = None if share is None else share * capacity
    return BreakEven(
        provider=offer.price.provider,
        model=offer.price.model,
        tier=offer.price.tier,
        api=offer.blended,
        utilisation=share,
        tokens=tokens,
        requests=None if share is None else share * outcome.capacity,
        tokens_of_one_replica=None if tokens is None else tokens / option.deployment.replicas,
        never=never,
        now=now,
        saving=None if rent is None else offer.rate - rent,
        scaled_down=None if rent is None else rent / capacity,
        pays_scaled_down=rent is not None and rent / capacity < offer.blended,
    )


def _reached(
    share: float | None, most: float, full: UsdPerToken, api: UsdPerToken
) -> tuple[float | None, str]:
    """Return the share if a load can reach it, and why not if none does."""
    if share is None:
        own, other = full * 1e6, api * 1e6
        return None, f"even at capacity it costs {own:.3g} USD/Mtok, the API {other:.3g}"
    if share > most:
        return None, (
            f"needs {share:.0%} mean load; peaks of this workload allow {most:.0%} at most"
        )
    return share, ""
