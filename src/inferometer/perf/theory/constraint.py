"""What an optimum is for: "max_speed", "min_cost@>=20tok/s", "argmax_speed^3/price;total<=X"."""

import re
from dataclasses import dataclass

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.perf.theory.collectives import Array
from inferometer.perf.theory.search import Points
from inferometer.units import TokensPerSecond

_NUMBER = r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"
_FORM = re.compile(
    rf"(?:(max_speed)|(min_cost)(?:@>={_NUMBER}\s*tok/s)?|argmax_speed\^{_NUMBER}/price)"
    rf"(?:;\s*total<={_NUMBER}\s*tok/s)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """An objective and its limits.

    Attributes:
        alpha: Weight of speed against price: infinite for speed alone, 0 for price alone.
        least_speed: Least tokens per second and user.
        demand: Most tokens per second of one instance.
    """

    alpha: float
    least_speed: TokensPerSecond = 0.0
    demand: TokensPerSecond = np.inf

    def score(self, points: Points) -> Array:
        """Return the logarithm of what is maximised; minus infinity outside the limits."""
        with np.errstate(divide="ignore"):
            speed, price = -np.log(points.latency), np.log(points.price)
        inside = np.isfinite(points.latency) & (points.speed >= self.least_speed)
        inside &= points.system <= self.demand
        with np.errstate(invalid="ignore"):
            score = speed if np.isinf(self.alpha) else self.alpha * speed - price
        return np.where(inside, score, -np.inf)


def parse_constraint(text: str) -> Constraint:
    """Return the constraint that a cell of `reference.csv` spells.

    Raises:
        ScenarioError: it is not of a known form.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ScenarioError(
            f"constraint {text!r} is not known; write max_speed, min_cost, min_cost@>=20tok/s or "
            "argmax_speed^3/price, with ;total<=10000tok/s behind it for a demand cap"
        )
    speed, _, least, alpha, demand = match.groups()
    return Constraint(
        alpha=np.inf if speed else float(alpha or 0),
        least_speed=float(least or 0),
        demand=float(demand) if demand else np.inf,
    )
