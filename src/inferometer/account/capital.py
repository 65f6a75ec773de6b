"""Capital cost of things that are bought once and used for years."""

import math

from inferometer.errors import ScenarioError


def annuity(discount_rate: float, years: float) -> float:
    """Return the yearly payment per dollar borrowed, r / (1 - (1 + r)^-n); 1 / n at r = 0.

    Args:
        discount_rate: Cost of capital per year, a fraction above -1.
        years: Life, positive.

    Raises:
        ScenarioError: a life that is not positive, or a rate of -100 % or less.
    """
    if not (math.isfinite(years) and years > 0):
        raise ScenarioError(f"life is {years} years; it must be positive")
    if not (math.isfinite(discount_rate) and discount_rate > -1):
        raise ScenarioError(f"discount rate is {discount_rate}; it must be above -1")
    if abs(discount_rate) < 1e-12:
        return 1 / years
    return discount_rate / -math.expm1(-years * math.log1p(discount_rate))


def yearly_capital(
    price: float, *, residual: float, years: float, discount_rate: float = 0.0
) -> float:
    """Return what an asset costs per year, USD: its price less what it sells for at the end.

    Straight line at a discount rate of zero; else the annuity on the price less the present value
    of the residual.

    Args:
        price: Purchase price, USD.
        residual: Resale value at the end of life over price, 0 to 1.
        years: Life.
        discount_rate: Cost of capital per year.

    Raises:
        ScenarioError: a negative price, a residual outside 0..1, or a life or rate out of range.
    """
    if not (math.isfinite(price) and price >= 0):
        raise ScenarioError(f"price is {price} USD; it cannot be negative")
    if not 0 <= residual <= 1:
        raise ScenarioError(f"residual is {residual}; it is a fraction of the price, 0 to 1")
    factor = annuity(discount_rate, years)
    return price * (1 - residual * (1 + discount_rate) ** -years) * factor
