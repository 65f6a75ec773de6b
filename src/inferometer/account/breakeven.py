"""Where two ways of paying cost the same: hours, utilisation, tokens. None where they never do."""

import math

import numpy as np
from numpy.typing import NDArray

from inferometer.errors import ScenarioError

Floats = NDArray[np.float64]


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


def discounted_break_even_time(
    capital: float, alternative: float, own: float, *, discount_rate: float
) -> float | None:
    """Return the same with money later worth less: the discounted payback period.

    -ln(1 - r x capital / (alternative - own)) / ln(1 + r), savings at the end of each period.

    Args:
        capital: Purchase price, USD.
        alternative: What the alternative costs per period.
        own: What running one's own costs per period.
        discount_rate: Per period, above -1.

    Returns:
        Periods; None if the savings, for ever, are worth less than the capital.
    """
    _finite(discount_rate=discount_rate)
    if discount_rate <= -1:
        raise ScenarioError(f"discount rate is {discount_rate}; it must be above -1")
    plain = break_even_time(capital, alternative, own)
    if plain is None or abs(discount_rate) < 1e-12:
        return plain
    left = 1 - discount_rate * plain
    return None if left <= 0 else -math.log(left) / math.log1p(discount_rate)


def payback(upfront: Floats, own: Floats, alternative: Floats) -> Floats:
    """Return when purchases have first paid for themselves, in periods.

    Payments per period, so that growth, later purchases and falling prices may be in them.

    Args:
        upfront: Purchases at the start of each period [..., period], USD.
        own: What running one's own costs in each period, evenly paid [..., period].
        alternative: What the alternative costs in each period, evenly paid [..., period].

    Returns:
        Periods [...]; NaN where the sum of own payments stays above the alternative's to the end.
    """
    saved = alternative - own
    started = np.cumsum(upfront, -1) - (np.cumsum(saved, -1) - saved)  # at the start of each period
    ended = started - saved
    done = ended <= 0
    first = done.argmax(axis=-1)[..., None]
    before = np.take_along_axis(started, first, -1)[..., 0]
    after = np.take_along_axis(ended, first, -1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        within = np.where(before > 0, before / (before - after), 0.0)
    return np.where(done.any(axis=-1), first[..., 0] + within, np.nan)


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
