"""Replicas that fail, and spot replicas that are taken back with a warning."""

import math
from dataclasses import dataclass

from inferometer.errors import ScenarioError
from inferometer.units import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One replica that goes at a stated time.

    Attributes:
        at: When it stops.
        replica: Its place among the replicas that all pools start with, from 0.
        warning: How long before it takes no more requests; from the start if that is longer.
    """

    at: Duration
    replica: int
    warning: Duration = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What takes replicas away; each is replaced, and starts up anew.

    Attributes:
        between: Mean time in which one replica fails, exponential; endless for never.
        spot: Mean time in which one replica is preempted, exponential; endless for never.
        warning: Notice of a preemption: 2 minutes with AWS, 30 s with GCP (their documentation of
            spot instances and spot VMs).
        outages: Replicas that go at stated times.
    """

    between: Duration = math.inf
    spot: Duration = math.inf
    warning: Duration = 120.0
    outages: tuple[Outage, ...] = ()

    def __post_init__(self) -> None:
        for name in ("between", "spot"):
            if not getattr(self, name) > 0:
                raise ScenarioError(f"faults.{name} is {getattr(self, name)}; above 0 is wanted")
        if not 0 <= self.warning < math.inf:
            raise ScenarioError(f"faults.warning is {self.warning}; at least 0 s is wanted")
        for outage in self.outages:
            if not (0 <= outage.at < math.inf and outage.warning >= 0 and outage.replica >= 0):
                raise ScenarioError(f"faults.outages: {outage} has a negative time or replica")
