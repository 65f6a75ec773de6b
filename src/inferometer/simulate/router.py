"""Routers: which lane gets a request, from what a real router sees of it and of the lanes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Visible(NamedTuple):
    """What a router sees of a request; its true output length is not among it.

    Attributes:
        number: Its place in the order of arrival.
        prompt: Prompt tokens.
        session: Session, -1 if it names none.
        draw: Uniform in [0, 1), the router's own coin.
    """

    number: int
    prompt: int
    session: int
    draw: float


Loads = NDArray[np.int64]
"""Requests that each lane holds, waiting ones included [lane]."""

Matches = NDArray[np.int64]
"""Prompt tokens that each lane has cached, 0 for routers that do not ask [lane]."""

Router = Callable[[Visible, Loads, Matches], int]


def round_robin(visible: Visible, loads: Loads, matches: Matches) -> int:
    """Take lanes in turn."""
    return visible.number % len(loads)


def least_loaded(visible: Visible, loads: Loads, matches: Matches) -> int:
    """Take the lane with the fewest requests, the first of equals."""
    return int(np.argmin(loads))


def power_of_two(visible: Visible, loads: Loads, matches: Matches) -> int:
    """Toss for two lanes and take the one with fewer requests (Mitzenmacher 2001)."""
    lanes = len(loads)
    if lanes == 1:
        return 0
    one = int(visible.draw * lanes)
    rest = visible.draw * lanes - one
    other = int(rest * (lanes - 1))
    other += 1 if other >= one else 0
    return other if loads[other] < loads[one] else one


def session_sticky(visible: Visible, loads: Loads, matches: Matches) -> int:
    """Take the lane that a session hashes to (Fibonacci hashing); the least loaded without one."""
    if visible.session < 0:
        return least_loaded(visible, loads, matches)
    return (visible.session * 2654435769 % 2**32) * len(loads) // 2**32


def prefix_affinity(visible: Visible, loads: Loads, matches: Matches) -> int:
    """Take the lane that has most of the prompt cached, unless loads differ too much.

    The rule and defaults of SGLang's cache-aware router: by load where the largest exceeds the
    smallest by `IMBALANCE` requests and `IMBALANCE_RATIO` times, or where no lane has
    `AFFINITY` of the prompt.
    """
    least, most = loads[np.argmin(loads)], loads[np.argmax(loads)]
    best = int(np.argmax(matches))
    uneven = most - least > IMBALANCE and most > IMBALANCE_RATIO * least
    if uneven or matches[best] <= AFFINITY * visible.prompt:
        return least_loaded(visible, loads, matches)
    return best


IMBALANCE, IMBALANCE_RATIO, AFFINITY = 64, 1.5, 0.3
"""SGLang router 0.1.9: balance_abs_threshold, balance_rel_threshold, cache_threshold."""

ROUTERS: dict[str, Router] = {
    "round-robin": round_robin,
    "least-loaded": least_loaded,
    "power-of-two": power_of_two,
    "session-sticky": session_sticky,
    "prefix-affinity": prefix_affinity,
}

AFFINE = 4
"""Place of the router that asks for matches."""


def choose(router: int, visible: Visible, loads: Loads, matches: Matches) -> int:
    """Ask the router at place `router` of `ROUTERS`; spelt out, since compiled code has no dict."""
    if router == 0:
        return round_robin(visible, loads, matches)
    if router == 1:
        return least_loaded(visible, loads, matches)
    if router == 2:
        return power_of_two(visible, loads, matches)
    if router == 3:
        return session_sticky(visible, loads, matches)
    return prefix_affinity(visible, loads, matches)
