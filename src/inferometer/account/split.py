"""Sharing an amount of money exactly: integers in, integers out, kept to the nano-dollar."""

import math
from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import TypeVar

from inferometer.errors import LedgerError

K = TypeVar("K", bound=Hashable)
NANO = 1_000_000_000
"""Nano-dollars in a dollar."""


def nanodollars(amount: float) -> int:
    """Return dollars as a whole number of nano-dollars: where planning's floats become accounts.

    Raises:
        LedgerError: the amount is negative or not finite.
    """
    if not (math.isfinite(amount) and amount >= 0):
        raise LedgerError(f"amount is {amount} USD; a finite amount of at least 0 is wanted")
    return round(Fraction(amount) * NANO)


def split(total: int, weights: Mapping[K, float]) -> dict[K, int]:
    """Return `total` shared in proportion to `weights`, by largest remainder.

    Each share is rounded down, and the nano-dollars left over go one each to the largest
    remainders, ties to the earlier key: the shares add up to `total` exactly.

    Raises:
        LedgerError: a negative total, a negative or infinite weight, or no positive weight.
    """
    if total < 0:
        raise LedgerError(f"total is {total} nano-dollars; it cannot be negative")
    for key, weight in weights.items():
        if not (math.isfinite(weight) and weight >= 0):
            raise LedgerError(f"weight of {key!r} is {weight}; a finite number >= 0 is wanted")
    parts = {key: Fraction(weight) for key, weight in weights.items()}
    whole = sum(parts.values())
    if not whole:
        raise LedgerError("no positive weight: nothing says who pays")
    exact = {key: total * part / whole for key, part in parts.items()}
    shares = {key: math.floor(share) for key, share in exact.items()}
    by_remainder = sorted(exact, key=lambda key: shares[key] - exact[key])
    for key in by_remainder[: total - sum(shares.values())]:
        shares[key] += 1
    return shares
