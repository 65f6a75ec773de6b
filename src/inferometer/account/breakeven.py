"""Where two ways of paying cost the same: hours, utilisation, tokens. None where they never do."""

import math

from inferometer.errors import ScenarioError


def break_even_time(capital: float, alternative: float, own: float) -> float | None:
    """Return the time after which buying has paid for itself, capital / (alternative - own).

    Args:
        capital: Purchase price, USD.
        alternative: What the alternative costs per unit of time.
        own: What running one's own costs per unit of time.

    Returns:
        In the unit of time of the rates; None if the alternative is not dearer to run.
    """
    _finite(capital=capital, alternative=alternative, own=own)
    if capital < 0:
        raise ScenarioError(f"capital is {capital} USD; it cannot be negative")
    return capital / (alternative - own) if alternative > own else None


def break_even_utilisation(cost: float, capacity: float, alternative: float) -> float | None:
    """Return the utilisation at which a fixed cost equals paying per use.

    cost / (capacity x alternative): with tokens, USD/s over tok/s x USD/tok; with hours, USD per
    year over hours per year x USD per hour.

    Args:
        cost: Fixed cost per unit of time, paid idle or busy.
        capacity: Units served in that time at full use.
        alternative: Price of one unit elsewhere.

    Returns:
        A fraction, or None if even full use is dearer than the alternative.
    """
    _finite(cost=cost, capacity=capacity, alternative=alternative)
    if cost <= 0 or capacity <= 0 or alternative <= 0:
        raise ScenarioError(
            f"cost {cost}, capacity {capacity} and alternative {alternative} must be positive"
        )
    share = cost / (capacity * alternative)
    return share if share <= 1 else None


def _finite(**values: float) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise ScenarioError(f"{name} is {value}; a finite number is wanted")
