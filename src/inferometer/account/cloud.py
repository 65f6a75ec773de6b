"""Renting accelerators: on demand, under a commitment, on spot; and traffic out of the cloud."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.errors import ScenarioError
from inferometer.units import Bytes, Duration, Fraction, PerSecond, UsdPerByte, UsdPerSecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Preemption:
    """How a spot instance is lost and replaced.

    Attributes:
        rate: Preemptions per instance and second of running.
        restart: Time that is paid from one instance's loss to the next one's first answer.
        lost: Work of the lost instance that has to be done again.
        fallback: Share of the time without a spot instance to be had: on-demand ones serve then.
    """

    rate: PerSecond
    restart: Duration
    lost: Duration = 0.0
    fallback: Fraction = 0.0

    def __post_init__(self) -> None:
        for name in ("rate", "restart", "lost"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ScenarioError(f"spot.{name} is {value}; a finite number >= 0 is wanted")
        if not 0 <= self.fallback <= 1:
            raise ScenarioError(f"spot.fallback is {self.fallback}; it is a fraction, 0 to 1")
        if self.rate * self.lost >= 1:
            raise ScenarioError(
                f"spot: an instance is lost every {1 / self.rate:.4g} s and {self.lost:.4g} s of "
                "work with it: it never gets anywhere"
            )


def spot_factor(preemption: Preemption) -> float:
    """Return paid over useful time of spot instances, (1 + rate x restart) / (1 - rate x lost).

    A renewal cycle runs 1 / rate, loses `lost` of it and pays `restart` before the next begins.
    """
    paid = 1 + preemption.rate * preemption.restart
    return paid / (1 - preemption.rate * preemption.lost)


def spot_rate(spot: UsdPerSecond, on_demand: UsdPerSecond, preemption: Preemption) -> UsdPerSecond:
    """Return what a second of useful time costs on spot with on-demand as fallback.

    (1 - fallback) x spot x (paid over useful time) + fallback x on-demand.
    """
    _positive(spot=spot, on_demand=on_demand)
    served = (1 - preemption.fallback) * spot * spot_factor(preemption)
    return served + preemption.fallback * on_demand


def committed_rate(price: UsdPerSecond, term: Duration, horizon: Duration) -> UsdPerSecond:
    """Return a committed price over a horizon that is no multiple of its term.

    price x term x ceil(horizon / term) / horizon: the last term is paid to its end.
    """
    _positive(price=price, horizon=horizon)
    if term <= 0:
        return price
    return price * term * math.ceil(horizon / term - 1e-9) / horizon


def break_point(committed: UsdPerSecond, on_demand: UsdPerSecond) -> float:
    """Return the share of the time from which a commitment is cheaper than on-demand.

    committed / on-demand: a commitment is paid all the time, on-demand only while in use. Above 1
    it never pays.
    """
    _positive(committed=committed, on_demand=on_demand)
    return committed / on_demand


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedUse:
    """The cheapest mix of committed and on-demand accelerators for a demand over time.

    Attributes:
        committed: Accelerators under the commitment.
        on_demand: Mean number rented on demand beside them.
        rate: Cost of both.
        break_point: Share of the time from which the next one is worth committing.
    """

    committed: int
    on_demand: float
    rate: UsdPerSecond
    break_point: Fraction


def committed_use(
    needed: Sequence[int], committed: UsdPerSecond, on_demand: UsdPerSecond
) -> CommittedUse:
    """Return how many accelerators to commit to, given how many are needed in each hour.

    The k-th is worth it if the share of hours that need k or more is above the break-point: the
    newsvendor's critical ratio.

    Args:
        needed: Accelerators needed, one count per hour or any other equal bin.
        committed: Price of one under the commitment.
        on_demand: Price of one without.

    Raises:
        ScenarioError: no hours, a negative count, or a price that is not positive.
    """
    if not needed or min(needed) < 0:
        raise ScenarioError("committed use: counts >= 0 of one hour at least are wanted")
    point = break_point(committed, on_demand)
    hours = len(needed)
    ranked = sorted(needed, reverse=True)  # the k-th is needed in as many hours as exceed k - 1
    allowed = math.floor(point * hours + 1e-9)  # hours up to which on-demand is as cheap
    count = ranked[allowed] if allowed < hours else 0
    extra = math.fsum(max(n - count, 0) for n in needed) / hours
    return CommittedUse(
        committed=count,
        on_demand=extra,
        rate=count * committed + extra * on_demand,
        break_point=point,
    )


def egress_rate(tokens: float, per_token: Bytes, price: UsdPerByte) -> UsdPerSecond:
    """Return what the traffic of so many output tokens per second costs to send out."""
    for name, value in (("tokens", tokens), ("per_token", per_token), ("price", price)):
        if not (math.isfinite(value) and value >= 0):
            raise ScenarioError(f"egress.{name} is {value}; a finite number >= 0 is wanted")
    return tokens * per_token * price


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ScenarioError(f"{name} is {value}; a positive number is wanted")
