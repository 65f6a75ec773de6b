"""What the same traffic would cost at an API, tier by tier."""

from dataclasses import dataclass

from inferometer.account.bill import check_billable
from inferometer.catalog.prices import TokenPrice
from inferometer.errors import LedgerError
from inferometer.outcome import Outcome
from inferometer.units import Usd, UsdPerSecond, UsdPerToken


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
