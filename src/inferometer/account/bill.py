"""The bill of an outcome: dollars by part and by class of token, energy and carbon.

Two bases, both in use by the field. *Allocation*: every dollar lands on a token, idle time
included, so that the sum is the bill. *Usage*: a token carries only the time it kept the deployment
busy; what is left is idle. The first is what tokens cost at the actual load, the second what they
would cost if capacity followed load perfectly.
"""

from dataclasses import dataclass

from inferometer.account.energy import FacilityEnergy, facility_energy, use_carbon
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.deployment import Deployment
from inferometer.errors import LedgerError
from inferometer.outcome import Outcome
from inferometer.units import Fraction, Grams, GramsPerJoule, Usd, UsdPerJoule, UsdPerToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What we pay for a deployment's time and power.

    Attributes:
        accelerator: Price of one accelerator; None if unpriced.
        electricity: Price of energy where it is paid apart; None where the price includes it.
        pue: Power usage effectiveness of the building.
        carbon: Grid intensity; None if unknown.
    """

    accelerator: AcceleratorPrice | None
    electricity: UsdPerJoule | None = None
    pue: float = 1.0
    carbon: GramsPerJoule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCosts:
    """Cost per token by class, on one basis.

    Attributes:
        input: Uncached input tokens.
        cached: Cached input tokens: no compute, so nothing beyond the cache they sit in.
        output: Output tokens.
        blended: All tokens, input and output.
    """

    input: UsdPerToken
    cached: UsdPerToken
    output: UsdPerToken
    blended: UsdPerToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Money, energy and carbon of one outcome over its span.

    Attributes:
        rent: Accelerator hours; None if unpriced.
        power: Electricity paid apart, 0 where the price includes it; None if unpriced.
        busy: Part of the total for time in use.
        idle: The rest of the total.
        utilisation: Mean load over capacity, on which busy and idle are divided.
        allocation: Cost per token with idle time; None if unpriced or no token was served.
        usage: Cost per token without idle time.
        energy: Energy at each boundary.
        carbon: Emissions of that energy; None if the grid is unknown.
    """

    rent: Usd | None
    power: Usd | None
    busy: Usd | None
    idle: Usd | None
    utilisation: Fraction
    allocation: TokenCosts | None
    usage: TokenCosts | None
    energy: FacilityEnergy
    carbon: Grams | None

    @property
    def total(self) -> float | None:
        """Rent and power, USD; None if unpriced."""
        return None if self.rent is None or self.power is None else self.rent + self.power


def bill(outcome: Outcome, deployment: Deployment, tariff: Tariff) -> Bill:
    """Return the bill of `outcome`: all accelerators for its whole span, idle or not.

    Unpriced stays unpriced: every amount is None then, never 0.
    """
    host = deployment.node.host_power / deployment.node.accelerators
    energy = facility_energy(
        outcome, accelerators=deployment.accelerators, host_power=host, pue=tariff.pue
    )
    utilisation = min(outcome.request_rate / outcome.capacity, 1.0)
    carbon = None if tariff.carbon is None else use_carbon(energy.total, tariff.carbon)
    if tariff.accelerator is None:
        return _bill(None, None, utilisation, outcome, energy, carbon)
    rent = tariff.accelerator.price * deployment.accelerators * outcome.span
    power = energy.total * (tariff.electricity or 0.0)
    return _bill(rent, power, utilisation, outcome, energy, carbon)


def _bill(
    rent: float | None,
    power: float | None,
    utilisation: float,
    outcome: Outcome,
    energy: FacilityEnergy,
    carbon: float | None,
) -> Bill:
    total = None if rent is None or power is None else rent + power
    busy = None if total is None else total * utilisation
    return Bill(
        rent=rent,
        power=power,
        busy=busy,
        idle=None if total is None or busy is None else total - busy,
        utilisation=utilisation,
        allocation=None if total is None else token_costs(total, outcome),
        usage=None if busy is None else token_costs(busy, outcome),
        energy=energy,
        carbon=carbon,
    )


def prefill_share(outcome: Outcome) -> float:
    """Return the share of the work that went into prompts: of the energy above idle."""
    work = outcome.energy.prefill + outcome.energy.decode
    return outcome.energy.prefill / work if work > 0 else 0.0


def token_costs(amount: Usd, outcome: Outcome) -> TokenCosts:
    """Return `amount` per token, prompts and output by the work that each took.

    Raises:
        LedgerError: the classes do not add up to `amount`.
    """
    share = prefill_share(outcome)
    fresh = (outcome.input_rate - outcome.cached_rate) * outcome.span
    output = outcome.output_rate * outcome.span
    share = share if fresh > 0 else 0.0
    costs = TokenCosts(
        input=amount * share / fresh if fresh > 0 else 0.0,
        cached=0.0,
        output=amount * (1 - share) / output,
        blended=amount / (outcome.input_rate + outcome.output_rate) / outcome.span,
    )
    summed = costs.input * fresh + costs.output * output
    if abs(summed - amount) > 1e-9 * amount:
        raise LedgerError(f"token classes add up to {summed} USD, the bill is {amount} USD")
    return costs


def rent_per_token(rate: float, tokens_per_second: float) -> UsdPerToken:
    """Return the price of an accelerator over its tokens, (USD/s) / (tok/s), elementwise."""
    return rate / tokens_per_second
