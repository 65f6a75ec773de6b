"""Energy at the facility's meter: accelerators, the host around them, the building around both."""

import math
from dataclasses import dataclass

from inferometer.errors import ScenarioError
from inferometer.outcome import Outcome
from inferometer.units import Joules, PerSecond, Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityEnergy:
    """Energy over the span of an outcome, by boundary; the parts add up to `total`.

    Attributes:
        accelerators: The accelerators' own.
        host: The servers around them.
        building: Cooling and distribution, (PUE - 1) of the two above.
    """

    accelerators: Joules
    host: Joules
    building: Joules

    @property
    def total(self) -> float:
        """Energy at the facility's meter, J."""
        return self.accelerators + self.host + self.building


def facility_energy(
    outcome: Outcome, *, accelerators: int, host_power: Watts, pue: float
) -> FacilityEnergy:
    """Return the energy of `outcome` at the facility's meter.

    Args:
        outcome: What the deployment did.
        accelerators: Accelerators of the deployment.
        host_power: Host power per accelerator, W.
        pue: Power usage effectiveness, at least 1.

    Raises:
        ScenarioError: a PUE below 1 or a negative host power.
    """
    if not 1 <= pue < math.inf:
        raise ScenarioError(f"pue is {pue}; it is a ratio of at least 1")
    if not 0 <= host_power < math.inf:
        raise ScenarioError(f"host power is {host_power} W; it cannot be negative")
    own = outcome.energy.total
    host = accelerators * host_power * outcome.span
    return FacilityEnergy(accelerators=own, host=host, building=(pue - 1) * (own + host))


def mean_power(energy: Joules, requests: PerSecond) -> Watts:
    """Return the mean draw of so many requests per second of so much energy each, W.

    Raises:
        ScenarioError: a negative or infinite energy or rate.
    """
    if not (0 <= energy < math.inf and 0 <= requests < math.inf):
        raise ScenarioError(f"{energy} J at {requests} requests/s is no draw")
    return energy * requests
