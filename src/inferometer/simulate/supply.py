"""Requests that reach a fleet part by part, and how plain Python reads them."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from inferometer.simulate.fleet import Fleet

Watch = Callable[[float], None]
"""Is told now and then up to when a run has been played, s."""


class Supply(Protocol):
    """Requests that come part by part."""

    def due(self) -> float:
        """Return when the fleet needs the next part, inf after the last."""
        ...

    def refill(self, fleet: Fleet) -> Fleet:
        """Return the fleet with the next part, and without the requests that have ended."""
        ...


def with_records(fleet: Fleet) -> Fleet:
    """Return `fleet` with lanes and requests that plain Python can read and write by field."""
    world = fleet.world
    if not isinstance(world.requests, np.ndarray):
        return fleet
    lanes, requests = world.lanes, world.requests
    return fleet._replace(
        world=world._replace(
            lanes=lanes.view(np.recarray),  # type: ignore[attr-defined]
            requests=requests.view(np.recarray),  # type: ignore[arg-type]
        )
    )
