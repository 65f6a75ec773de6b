"""Energy and emissions of a token, a request and a task, at the accelerator and at the meter.

All energy of the span lands on a token, idle time included, as the bill's allocation does it: on
uncached prompts and output by the work that each took. Manufacture lands the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from inferometer.account.bill import token_costs
from inferometer.account.carbon import carbon_cost
from inferometer.account.energy import FacilityEnergy
from inferometer.outcome import Outcome
from inferometer.units import Grams, Joules, Usd, UsdPerGram

WATT_HOUR = 3600.0
"""Joules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFootprint:
    """What one unit (a token, a request, a task) takes.

    Attributes:
        accelerators: Energy of the accelerators alone.
        facility: Energy at the facility's meter.
        use: Emissions of that energy; None if the grid is unknown.
        embodied: Its share of the manufacture of the hardware.
        price: What its emissions cost, use and manufacture; None where either is not known.
    """

    accelerators: Joules
    facility: Joules
    use: Grams | None
    embodied: Grams
    price: Usd | None

    @property
    def emissions(self) -> float | None:
        """Use and manufacture, g; None if the grid is unknown."""
        return None if self.use is None else self.use + self.embodied

    def times(self, count: float) -> "UnitFootprint":
        """Return what so many units take."""
        return UnitFootprint(
            accelerators=self.accelerators * count,
            facility=self.facility * count,
            use=None if self.use is None else self.use * count,
            embodied=self.embodied * count,
            price=None if self.price is None else self.price * count,
        )

    def plus(self, other: "UnitFootprint") -> "UnitFootprint":
        """Return both together; what is unknown of one is unknown of both."""
        use = None if self.use is None or other.use is None else self.use + other.use
        price = None if self.price is None or other.price is None else self.price + other.price
        return UnitFootprint(
            accelerators=self.accelerators + other.accelerators,
            facility=self.facility + other.facility,
            use=use,
            embodied=self.embodied + other.embodied,
            price=price,
        )


def whole_footprint(
    energy: FacilityEnergy, *, use: Grams | None, embodied: Grams, price: UsdPerGram | None
) -> UnitFootprint:
    """Return the footprint of a whole span.

    Args:
        energy: Energy by boundary.
        use: Emissions of it; None if the grid is unknown.
        embodied: Emissions of manufacture that fall on the span.
        price: Price of emissions; None where none is stated.
    """
    cost = None if use is None or price is None else carbon_cost(use + embodied, price)
    return UnitFootprint(
        accelerators=energy.accelerators,
        facility=energy.total,
        use=use,
        embodied=embodied,
        price=cost,
    )


def by_unit(whole: UnitFootprint, outcome: Outcome) -> Mapping[str, UnitFootprint]:
    """Return the footprint of each unit of an outcome, by name; empty without output.

    Input and output tokens times their counts add up to the whole, and so do requests.

    Raises:
        LedgerError: the classes do not add up.
    """
    shares = token_costs(1.0, outcome)  # of one unit of anything: here energy and emissions
    if shares is None:
        return {}
    requests = outcome.request_rate * outcome.span
    return {
        "input token, computed": whole.times(shares.input),
        "input token, cached": whole.times(shares.cached),
        "output token": whole.times(shares.output),
        "token, all": whole.times(shares.blended),
        "request": whole.times(1 / requests),
    }
