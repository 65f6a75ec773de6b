"""Capacity over a week: what is provided, what is used, and where the rest goes.

Every replica-hour paid for ends in exactly one bucket: work, what the latency targets leave free,
idle (whole replicas, peaks within the hour, hours between peaks), spares, cold starts.
"""

import math
from dataclasses import dataclass

import numpy as np

from inferometer.errors import LedgerError, ScenarioError
from inferometer.units import Duration, Fraction, PerSecond
from inferometer.workload.shape import Shape
from inferometer.workload.trace import Floats
from inferometer.workload.week import week_of

SCALING = ("fixed", "hourly")
"""Fleet policies: replicas for the busiest minute all week, or as many as each hour needs."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """How a fleet is run.

    Attributes:
        scaling: "fixed" or "hourly".
        spares: Replicas kept beyond what the load needs, for failures and maintenance.
        cold_start: Time from the decision to start a replica to its first answer, paid.
        restarts: Restarts of a replica for other reasons than the load: failures, new versions.
        wasted: Share of requests that bring nothing: retried, aborted, failed.
    """

    scaling: str = "fixed"
    spares: int = 0
    cold_start: Duration = 0.0
    restarts: PerSecond = 0.0
    wasted: Fraction = 0.0

    def __post_init__(self) -> None:
        if self.scaling not in SCALING:
            raise ScenarioError(f"scaling {self.scaling!r} is not one of {', '.join(SCALING)}")
        if self.spares < 0:
            raise ScenarioError(f"spares is {self.spares}; it cannot be negative")
        for name in ("cold_start", "restarts"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ScenarioError(f"{name} is {value}; a finite number >= 0 is wanted")
        if not 0 <= self.wasted < 1:
            raise ScenarioError(f"wasted is {self.wasted}; it is a share of requests below 1")
        if self.cold_start * self.restarts >= 1:
            raise ScenarioError("restarts: replicas would only ever start")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Week:
    """Load of a service over a week, and what one replica carries.

    Attributes:
        rates: Mean rate of each hour.
        burst: Rate of the busiest minute over that of its hour.
        within: Highest rate of one replica that meets the latency targets.
        capacity: Rate at which it saturates.
    """

    rates: Floats  # [hour] 1/s
    burst: float
    within: PerSecond
    capacity: PerSecond

    def __post_init__(self) -> None:
        if not (0 < self.within <= self.capacity < math.inf):
            raise ScenarioError(
                f"a replica carries {self.within} requests/s within the SLO, {self.capacity} at "
                "most; positive rates in that order are wanted"
            )
        if not (len(self.rates) and np.isfinite(self.rates).all() and self.rates.min() >= 0):
            raise ScenarioError("rates of a week: finite numbers >= 0 are wanted")
        if not self.burst >= 1:
            raise ScenarioError(f"burst is {self.burst}; the busiest minute is no below its hour")


def week_at(
    shape: Shape, start: Duration, *, within: PerSecond, capacity: PerSecond, replicas: int
) -> tuple[Week, str]:
    """Return the load of a week and what a replica carries of it, and what that was made from.

    Args:
        shape: The workload.
        start: Time of the week at which it starts.
        within: Highest rate of all replicas that meets the latency targets.
        capacity: Rate at which they saturate.
        replicas: Their number.
    """
    rates, made_from = week_of(shape, start)
    burst = max(shape.peak_rate / float(rates.max()), 1.0)
    week = Week(rates=rates, burst=burst, within=within / replicas, capacity=capacity / replicas)
    return week, made_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """Mean replicas over the week by what becomes of them; the buckets add up to `paid`.

    Attributes:
        peak: Replicas of the busiest minute, without spares.
        paid: Mean number of replicas paid for.
        work: Kept busy: what perfect scale-down would pay for.
        targets: Left free so that latencies stay within their targets.
        idle: Whole replicas, peaks within the hour, hours between peaks; negative where there are
            too few replicas for the targets.
        spares: Kept for failures.
        cold: Paid while they start.
        starts: Starts that the load asks for, per week.
    """

    peak: int
    paid: float
    work: float
    targets: float
    idle: float
    spares: float
    cold: float
    starts: float

    @property
    def over(self) -> float:
        """Over-provisioning: replicas paid for over those kept busy."""
        return self.paid / self.work if self.work else math.inf


def provision(week: Week, operating: Operating, *, most: int = 0) -> Provision:
    """Return what a week's capacity is used for.

    Args:
        week: The load.
        operating: How the fleet is run.
        most: Replicas that there are, of which a fixed fleet keeps all and an hourly one at most
            so many; 0 for as many as the busiest minute needs.

    Raises:
        LedgerError: the buckets do not add up to what is paid.
    """
    needed = replicas_needed(week)
    peak = float(most or needed.max())
    count = np.full_like(needed, peak) if operating.scaling == "fixed" else needed.clip(max=peak)
    rising = np.maximum(np.roll(count, -1) - count, 0)
    starts = float(rising.sum())
    serving = float(count.mean())
    kept = serving + operating.spares
    cold = starts * operating.cold_start / (len(count) * HOUR)
    cold += kept * operating.restarts * operating.cold_start
    work = float(week.rates.mean()) / week.capacity
    within = float(week.rates.mean()) / week.within
    found = Provision(
        peak=int(peak),
        paid=kept + cold,
        work=work,
        targets=within - work,
        idle=serving - within,
        spares=float(operating.spares),
        cold=cold,
        starts=starts,
    )
    summed = found.work + found.targets + found.idle + found.spares + found.cold
    if not abs(summed - found.paid) <= 1e-9 * found.paid:
        raise LedgerError(f"buckets add up to {summed} replicas, {found.paid} are paid for")
    return found


def replicas_needed(week: Week) -> Floats:
    """Return the replicas of each hour [hour]: ceil(rate x burst / rate within the SLO), 1 or more.

    At least one, so that the first request of a quiet hour is answered.
    """
    return np.maximum(np.ceil(week.rates * week.burst / week.within - 1e-9), 1.0)
