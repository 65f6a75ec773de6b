"""What a fleet is chosen from and what it serves: kinds of replica, classes of request, slots."""

import math
from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Floats
from inferometer.errors import ScenarioError
from inferometer.units import Duration, Fraction, PerSecond, UsdPerSecond, Watts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """One kind of replica that can be rented: accelerator, size, clock and commitment.

    Attributes:
        name: Name for people, unique in a fleet.
        kind: Accelerator; pools of one kind make a single-type fleet.
        price: Price of one replica that is on, power included or not (see `Market`).
        most: Replicas on offer.
        throughput: Requests per second of each class that one replica serves within the class's
            SLO when it serves nothing else; 0 where it cannot.
        start: Time from renting a replica to its first request; paid, and ahead of need.
        spot: Whether the provider may take it back.
        interruptions: How often it does, per replica and second of time on.
        idle: Draw of one replica at the facility's meter with nothing to do.
        energy: Energy per request of each class above idle, at the same meter.
    """

    name: str
    kind: str
    price: UsdPerSecond
    most: int
    throughput: Floats  # [class] 1/s
    start: Duration = 0.0
    spot: bool = False
    interruptions: PerSecond = 0.0
    idle: Watts = 0.0
    energy: Floats | None = None  # [class] J

    def __post_init__(self) -> None:
        for name in ("price", "start", "interruptions", "idle"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ScenarioError(f"pool {self.name}: {name} is {value}; at least 0 is wanted")
        if self.most < 0 or not np.all(np.isfinite(self.throughput) & (self.throughput >= 0)):
            raise ScenarioError(f"pool {self.name}: most and throughput cannot be negative")

    @property
    def available(self) -> float:
        """Share of the paid time in which a replica serves: each interruption costs a start."""
        return 1 / (1 + self.interruptions * self.start)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Load:
    """Requests by class over the slots of a period that repeats.

    Attributes:
        names: Class names.
        peak: Requests per second of each class in the busiest minute of each slot.
        mean: The same on average over the slot.
        slot: Length of a slot.
        spot_share: Largest share of each class that may be on spot replicas at a time.
    """

    names: tuple[str, ...]
    peak: Floats  # [class, slot] 1/s
    mean: Floats  # [class, slot] 1/s
    slot: Duration
    spot_share: tuple[Fraction, ...] = ()  # [class]; empty takes 1 for all

    def __post_init__(self) -> None:
        if self.peak.shape != self.mean.shape or len(self.names) != len(self.peak):
            raise ScenarioError(f"load: {len(self.names)} classes, rates of {self.peak.shape}")
        if not np.all(np.isfinite(self.peak) & (self.mean >= 0) & (self.peak >= self.mean)):
            raise ScenarioError("load: rates must be finite, and no mean above its peak")
        if not self.slot > 0:
            raise ScenarioError(f"load: slot is {self.slot} s; it must be positive")
        if any(not 0 <= share <= 1 for share in self.spot_share):
            raise ScenarioError(f"load: spot_share {self.spot_share} holds a value outside 0..1")

    @property
    def slots(self) -> int:
        """Slots of the period."""
        return self.peak.shape[1]

    @property
    def most_spot(self) -> Floats:
        """Largest spot share of each class [class]."""
        return np.array(self.spot_share) if self.spot_share else np.ones(len(self.names))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Market:
    """What time and energy cost beyond a replica's price.

    Attributes:
        energy: Price of a joule at the facility's meter in each slot, carbon price included; None
            where the replica's price holds the power.
        min_on: Slots that a replica stays on at least, once started.
    """

    energy: Floats | None = None  # [slot] USD/J
    min_on: int = 1

    def __post_init__(self) -> None:
        if self.min_on < 1:
            raise ScenarioError(f"market: min_on is {self.min_on} slots; at least 1 is wanted")
