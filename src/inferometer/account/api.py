"""What the same traffic would cost at an API, tier by tier."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inferometer.account.bill import check_billable
from inferometer.catalog.prices import TokenPrice
from inferometer.errors import LedgerError, ScenarioError
from inferometer.outcome import Outcome
from inferometer.units import Fraction, Usd, UsdPerSecond, UsdPerToken


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCost:
    """Cost of an outcome's traffic at one API price.

    Attributes:
        price: The price row, with provider, model, tier, date and source.
        input: Uncached input tokens.
        cached: Cached input tokens; at the input price where the provider has no cached one.
        output: Output tokens.
        rate: All three per second.
        blended: All three per token, input and output.
    """

    price: TokenPrice
    input: Usd
    cached: Usd
    output: Usd
    rate: UsdPerSecond
    blended: UsdPerToken

    @property
    def total(self) -> float:
        """Cost over the outcome's span, USD."""
        return self.input + self.cached + self.output


def api_cost(outcome: Outcome, price: TokenPrice) -> ApiCost:
    """Return what the tokens of `outcome` cost at `price` over its span.

    A cached token lowers an API's bill by price; it lowers a self-hosted bill only through
    throughput, which the outcome already holds. So the two sides treat it differently.

    Raises:
        LedgerError: an outcome that cannot be billed, or one without a token.
    """
    check_billable(outcome)
    if outcome.input_rate + outcome.output_rate <= 0:
        raise LedgerError("outcome holds no token: there is nothing to price")
    cached_price = price.input if price.cached is None else price.cached
    rates = {
        "input": (outcome.input_rate - outcome.cached_rate) * price.input,
        "cached": outcome.cached_rate * cached_price,
        "output": outcome.output_rate * price.output,
    }
    rate = sum(rates.values())
    return ApiCost(
        price=price,
        **{name: value * outcome.span for name, value in rates.items()},
        rate=rate,
        blended=rate / (outcome.input_rate + outcome.output_rate),
    )


def at_lengths(
    price: TokenPrice, inputs: NDArray[np.float64], outputs: NDArray[np.float64]
) -> TokenPrice:
    """Return a price as requests of given lengths pay it on average, by class of token.

    A request whose prompt is longer than a limit pays the rate beyond it for all of its tokens.
    Cached tokens are taken to be the same share of every prompt.

    Args:
        price: The price row.
        inputs: Prompt tokens, cached ones included [request].
        outputs: Output tokens of the same requests [request].
    """
    if not price.longer or not (inputs.sum() > 0 and outputs.sum() > 0):
        return price
    band = np.searchsorted([one.above for one in price.longer], inputs, side="left")
    bands = (price, *price.longer)

    def mean(rates: list[float], tokens: NDArray[np.float64]) -> float:
        return float(np.array(rates)[band] @ tokens / tokens.sum())

    cached = [one.input if one.cached is None else one.cached for one in bands]
    return replace(
        price,
        input=mean([one.input for one in bands], inputs),
        cached=None if price.cached is None else mean(cached, inputs),
        output=mean([one.output for one in bands], outputs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredCost:
    """One provider's price of traffic that may partly wait for a cheaper tier.

    Attributes:
        rate: Cost per second.
        blended: The same per token, input and output.
        by_tier: Cost per second of the part of each tier; the parts add up to `rate`.
        saved: Cost per second less than at the standard tier throughout.
    """

    rate: UsdPerSecond
    blended: UsdPerToken
    by_tier: Mapping[str, float]
    saved: UsdPerSecond


def tiered_cost(offers: Iterable[ApiCost], shares: Mapping[str, Fraction]) -> TieredCost:
    """Return the cost of traffic of which `shares` may go to other tiers of one provider.

    Args:
        offers: The same traffic at each tier of the provider.
        shares: Share of the traffic by tier ("batch", "flex"); what is left is standard.

    Raises:
        ScenarioError: a share outside 0..1, shares above 1 in all, or a tier that is not offered.
    """
    known = {offer.price.tier: offer for offer in offers}
    rest = check_shares(shares)
    wanted = {name: share for name, share in shares.items() if share} | {"standard": rest}
    missing = sorted(wanted.keys() - known.keys())
    if missing:
        raise ScenarioError(
            f"no offer at tier {', '.join(missing)}; offered: {', '.join(sorted(known))}"
        )
    parts = {name: share * known[name].rate for name, share in wanted.items()}
    rate, standard = math.fsum(parts.values()), known["standard"]
    return TieredCost(
        rate=rate,
        blended=rate * standard.blended / standard.rate,
        by_tier=parts,
        saved=standard.rate - rate,
    )


def check_shares(shares: Mapping[str, Fraction]) -> Fraction:
    """Return the share of the traffic that is left for the standard tier.

    Raises:
        ScenarioError: a share outside 0..1, or shares above 1 in all.
    """
    rest = 1 - math.fsum(shares.values())
    if not all(0 <= share <= 1 for share in shares.values()) or rest < -1e-12:
        raise ScenarioError(f"tiers {dict(shares)}: shares from 0 to 1, at most 1 in all")
    return max(rest, 0.0)
