"""One replica over time: the state it is in, and what it is paid for."""

from dataclasses import dataclass

import numpy as np

from inferometer.simulate.state import NEVER
from inferometer.units import Duration

OFF, STARTING, READY, DRAINING = "off", "starting", "ready", "draining"
"""States of a replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One replica, from asking for it to its stop.

    Attributes:
        pool: Its pool.
        asked: When it was asked for; it is paid from then on.
        up: When it began to serve; endless if it never did.
        closed: When it took no more requests.
        off: When it stopped; it is paid until then.
    """

    pool: int
    asked: Duration
    up: Duration
    closed: Duration
    off: Duration


@dataclass(slots=True)
class Slot:
    """A place for one replica: its lanes and the state it is in."""

    pool: int
    lanes: range
    chance: np.random.Generator
    state: str = OFF
    asked: float = 0.0
    up: float = NEVER
    closed: float = NEVER
    turn: int = 0
