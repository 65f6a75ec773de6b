"""The bill of an outcome: dollars by part and by class of token, energy and carbon.

Two bases, both in use by the field. *Allocation*: every dollar lands on a token, idle time
included, so that the sum is the bill. *Usage*: a token carries only the time it kept the deployment
busy; what is left is idle. The first is what tokens cost at the actual load, the second what they
would cost if capacity followed load perfectly.
"""

import math
from dataclasses import dataclass

from inferometer.account.energy import FacilityEnergy, facility_energy
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.deployment import Deployment
from inferometer.errors import LedgerError, ScenarioError
from inferometer.outcome import Outcome
from inferometer.units import Fraction, Grams, GramsPerJoule, Usd, UsdPerJoule, UsdPerToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What we pay for a deployment's time and power.

    Attributes:
        accelerator: Price of one accelerator; None if unpriced.
        power_included: Whether that price holds the electricity, as rent and all-in costs do.
        electricity: Price of energy where it is paid apart; None there leaves the bill unpriced.
        pue: Power usage effectiveness of the building.
        carbon: Grid intensity; None if unknown.
    """

    accelerator: AcceleratorPrice | None
    power_included: bool = True
    electricity: UsdPerJoule | None = None
    pue: float = 1.0
    carbon: GramsPerJoule | None = None

    def __post_init__(self) -> None:
        for name in ("electricity", "carbon"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ScenarioError(f"tariff.{name} is {value}; a finite number >= 0 is wanted")


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
        utilisation: Mean load over capacity, on which busy and idle are divided (the outcome's own
            is that of the busiest minute).
        allocation: Cost per token with idle time; None if unpriced or no output was served.
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

    Raises:
        LedgerError: rates, energies or capacity that no bill can be made of.
    """
    check_billable(outcome)
    host = deployment.node.host_power / deployment.node.accelerators
    energy = facility_energy(
        outcome, accelerators=deployment.accelerators, host_power=host, pue=tariff.pue
    )
    utilisation = min(outcome.request_rate / outcome.capacity, 1.0)
    carbon = None if tariff.carbon is None else energy.total * tariff.carbon
    rent = None
    if tariff.accelerator is not None:
        rent = tariff.accelerator.price * deployment.accelerators * outcome.span
    power = 0.0 if tariff.power_included else None
    if not tariff.power_included and tariff.electricity is not None:
        power = energy.total * tariff.electricity
    return _bill(rent, power, utilisation, outcome, energy, carbon)


def check_billable(outcome: Outcome) -> None:
    """Refuse an outcome that cannot be billed.

    Raises:
        LedgerError: a span or capacity that is not positive, a rate or energy that is negative or
            not finite, or more cached tokens than input tokens.
    """
    for name in ("span", "capacity"):
        value = getattr(outcome, name)
        if not value > 0:
            raise LedgerError(f"outcome.{name} is {value}; it must be positive to be billed")
    energy = {name: getattr(outcome.energy, name) for name in ("prefill", "decode", "idle")}
    rates = {name: getattr(outcome, name) for name in _RATES}
    for name, value in (rates | energy).items():
        if not (math.isfinite(value) and value >= 0):
            raise LedgerError(f"outcome.{name} is {value}; a finite number >= 0 is wanted")
    if outcome.cached_rate > outcome.input_rate * (1 + 1e-12):
        raise LedgerError(
            f"outcome.cached_rate {outcome.cached_rate} is above input_rate {outcome.input_rate}: "
            "cached tokens are part of the input"
        )


_RATES = ("span", "request_rate", "input_rate", "cached_rate", "output_rate")


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
    idle = None if total is None or busy is None else total - busy
    return Bill(
        rent=rent,
        power=power,
        busy=busy,
        idle=idle,
        utilisation=utilisation,
        allocation=token_costs(total, outcome),
        usage=token_costs(busy, outcome),
        energy=energy,
        carbon=carbon,
    )


def prefill_share(outcome: Outcome) -> float:
    """Return the share of the work that went into prompts: of the energy above idle."""
    work = outcome.energy.prefill + outcome.energy.decode
    return outcome.energy.prefill / work if work > 0 else 0.0


def token_costs(amount: Usd | None, outcome: Outcome) -> TokenCosts | None:
    """Return `amount` per token, prompts and output by the work that each took.

    None for an amount of None (unpriced), or where no output was served to carry it.

    Raises:
        LedgerError: the classes do not add up to `amount`.
    """
    fresh = max(outcome.input_rate - outcome.cached_rate, 0.0) * outcome.span
    output = outcome.output_rate * outcome.span
    if amount is None or output <= 0:
        return None
    share = prefill_share(outcome) if fresh > 0 else 0.0
    costs = TokenCosts(
        input=amount * share / fresh if fresh > 0 else 0.0,
        cached=0.0,
        output=amount * (1 - share) / output,
        blended=amount / (outcome.input_rate + outcome.output_rate) / outcome.span,
    )
    summed = costs.input * fresh + costs.output * output
    if not abs(summed - amount) <= 1e-9 * amount:
        raise LedgerError(f"token classes add up to {summed} USD, the bill is {amount} USD")
    return costs


def rent_per_token(rate: float, tokens_per_second: float) -> UsdPerToken:
    """Return a price per second over a token rate, (USD/s) / (tok/s).

    Raises:
        ScenarioError: a token rate that is not positive, or a price that is negative.
    """
    if not (tokens_per_second > 0 and rate >= 0):
        raise ScenarioError(f"price {rate} USD/s over {tokens_per_second} tok/s is no unit cost")
    return rate / tokens_per_second
