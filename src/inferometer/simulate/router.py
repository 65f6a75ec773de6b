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


class Offers(NamedTuple):
    """What a router sees of the lanes that would take the request, all [offer].

    Attributes:
        lanes: Their numbers, rising.
        loads: Requests that each holds, waiting ones included.
        matches: Prompt tokens that each has cached, 0 for routers that do not ask.
        costs: What the request is expected to cost on each, by its prompt (`Worth`); 0 for routers
            that do not ask.
        seats: Sequences that each runs at once.
    """

    lanes: NDArray[np.int64]
    loads: NDArray[np.int64]
    matches: NDArray[np.int64]
    costs: NDArray[np.float64]
    seats: NDArray[np.int64]


Router = Callable[[Visible, Offers], int]
"""Returns the place of an offer, from 0."""


def round_robin(visible: Visible, offers: Offers) -> int:
    """Take lanes in turn."""
    return visible.number % len(offers.lanes)


def least_loaded(visible: Visible, offers: Offers) -> int:
    """Take the lane with the fewest requests, the first of equals."""
    return int(np.argmin(offers.loads))


def power_of_two(visible: Visible, offers: Offers) -> int:
    """Toss for two lanes and take the one with fewer requests (Mitzenmacher 2001)."""
    lanes = len(offers.lanes)
    if lanes == 1:
        return 0
    one = int(visible.draw * lanes)
    rest = visible.draw * lanes - one
    other = int(rest * (lanes - 1))
    other += 1 if other >= one else 0
    return other if offers.loads[other] < offers.loads[one] else one


def session_sticky(visible: Visible, offers: Offers) -> int:
    """Take the lane that a session draws highest (rendezvous hashing, Thaler and Ravishankar 1998).

    A lane that goes moves only its own sessions. The least loaded lane without a session.
    """
    if visible.session < 0:
        return least_loaded(visible, offers)
    best, highest = 0, -1
    for place in range(len(offers.lanes)):
        drawn = mixed(visible.session, offers.lanes[place])
        if drawn > highest:
            best, highest = place, drawn
    return best


def mixed(session: int, lane: int) -> int:
    """Return 31 bits that depend on both numbers (xorshift-multiply, as in splitmix)."""
    value = (session % 2147483647 * 2654435761 + lane * 2246822519 + 374761393) % 2147483647
    value = ((value ^ (value >> 15)) * 739982445) % 2147483647
    value = ((value ^ (value >> 12)) * 695872825) % 2147483647
    return value ^ (value >> 15)


def prefix_affinity(visible: Visible, offers: Offers) -> int:
    """Take the lane that has most of the prompt cached, unless loads differ too much.

    The rule and defaults of SGLang's cache-aware router: by load where the largest exceeds the
    smallest by `IMBALANCE` requests and `IMBALANCE_RATIO` times, or where no lane has
    `AFFINITY` of the prompt.
    """
    loads, matches = offers.loads, offers.matches
    least, most = loads[np.argmin(loads)], loads[np.argmax(loads)]
    best = int(np.argmax(matches))
    uneven = most - least > IMBALANCE and most > IMBALANCE_RATIO * least
    if uneven or matches[best] <= AFFINITY * visible.prompt:
        return least_loaded(visible, offers)
    return best


IMBALANCE, IMBALANCE_RATIO, AFFINITY = 64, 1.5, 0.3
"""SGLang router 0.1.9: balance_abs_threshold, balance_rel_threshold, cache_threshold."""


def cost_aware(visible: Visible, offers: Offers) -> int:
    """Take the lane on which a request of this size is cheapest, among those with a free seat.

    Of equally cheap ones the least loaded; without a free seat the one with the least load per
    seat. Sizes sort requests onto accelerators as Melange's buckets do (Griggs et al. 2404.14527).
    """
    best, fullest = -1, 0
    for place in range(len(offers.lanes)):
        if (
            offers.loads[place] * offers.seats[fullest]
            < offers.loads[fullest] * offers.seats[place]
        ):
            fullest = place
        if offers.loads[place] >= offers.seats[place]:
            continue
        if best < 0 or (
            (offers.costs[place], offers.loads[place]) < (offers.costs[best], offers.loads[best])
        ):
            best = place
    return best if best >= 0 else fullest


ROUTERS: dict[str, Router] = {
    "round-robin": round_robin,
    "least-loaded": least_loaded,
    "power-of-two": power_of_two,
    "session-sticky": session_sticky,
    "prefix-affinity": prefix_affinity,
    "cost-aware": cost_aware,
}

AFFINE, THRIFTY = 4, 5
"""Places of the routers that ask for matches, and for costs."""


def choose(router: int, visible: Visible, offers: Offers) -> int:
    """Ask the router at place `router` of `ROUTERS`; spelt out, since compiled code has no dict."""
    if router == 1:
        return least_loaded(visible, offers)
    if router == 0:
        return round_robin(visible, offers)
    if router == 2:
        return power_of_two(visible, offers)
    if router == 3:
        return session_sticky(visible, offers)
    return prefix_affinity(visible, offers) if router == AFFINE else cost_aware(visible, offers)
