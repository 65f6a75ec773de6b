"""Income tax on what is owned: depreciation shields, resale is taxed, expenses are deducted."""

import math

from inferometer.account.capital import annuity
from inferometer.errors import ScenarioError


def depreciation_value(shares: tuple[float, ...], discount_rate: float, years: float) -> float:
    """Return the present value of writing off one dollar by `shares`, within `years`.

    Sum of share_k / (1 + r)^k, year k at its end; what is not yet written off when the thing is
    sold is deducted then, at the end of the last year of life.

    Raises:
        ScenarioError: a life that is not a positive whole number of years.
    """
    life = _whole(years)
    used = shares[:life]
    left = 1 - math.fsum(used) if len(shares) > life else 0.0
    values = [share / (1 + discount_rate) ** year for year, share in enumerate(used, start=1)]
    return math.fsum(values) + left / (1 + discount_rate) ** life


def yearly_tax_relief(
    price: float,
    *,
    residual: float,
    years: float,
    discount_rate: float,
    tax_rate: float,
    shares: tuple[float, ...],
) -> float:
    """Return what owning something saves in income tax per year, USD: an annuity.

    tax rate x (price x value of depreciation - residual x price / (1 + r)^n) x annuity(r, n): the
    whole of the resale is a gain, since the whole price has been written off by then.

    Raises:
        ScenarioError: a tax rate outside 0..1, or a life or discount rate out of range.
    """
    if not 0 <= tax_rate < 1:
        raise ScenarioError(f"income_tax is {tax_rate}; it is a fraction, at least 0, below 1")
    gained = residual * (1 + discount_rate) ** -years
    kept = depreciation_value(shares, discount_rate, years) - gained
    return tax_rate * price * kept * annuity(discount_rate, years)


def _whole(years: float) -> int:
    if years < 1 or years != int(years):
        raise ScenarioError(f"life is {years} years; taxes are reckoned in whole years, at least 1")
    return int(years)
