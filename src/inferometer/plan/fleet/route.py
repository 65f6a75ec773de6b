"""Ways through the slots at the least cost, by dynamic programming over the fleets of each."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from inferometer.candidates import Floats, Ints
from inferometer.units import Usd

MOST_STEPS = 4e8
"""Additions up to which the ring is closed exactly."""


def shortest(fleets: Sequence[Ints], costs: Sequence[Floats], starts: Floats) -> tuple[Ints, Usd]:
    """Return the cheapest way around the slots as places in `fleets`, and what it costs at least.

    The ring is closed by trying every fleet of the slot with the fewest. Where that takes too long
    the starts of the slot with the cheapest fleets are left out of the cost.

    Args:
        fleets: Fleets of each slot [fleet, pool].
        costs: What each costs while on [fleet].
        starts: What starting a replica costs [pool, slot].
    """
    sizes = np.array([len(one) for one in fleets])
    first = int(sizes.argmin())
    closed = float(sizes.min()) * float((sizes * np.roll(sizes, -1)).sum()) <= MOST_STEPS
    if not closed:
        first = int(np.argmin([one.min() for one in costs]))
    order = np.roll(np.arange(len(sizes)), -first)
    reached = np.full((sizes[first], sizes[first]), np.inf)
    np.fill_diagonal(reached, costs[first])
    reached = reached if closed else costs[first][None, :]
    back = list[Ints]()
    for before, slot in pairwise([*order.tolist(), first]):
        last = slot == first
        step = _begun(fleets[before], fleets[slot], starts[:, slot])
        step = step if closed or not last else np.zeros((sizes[before], 1))
        came, reached = _advanced(reached, step)
        back.append(came)
        reached = reached if last else reached + costs[slot]
    ends = np.diag(reached) if closed else reached[:, 0]
    start = int(ends.argmin())
    return _traced(back, start, order, closed=closed), float(ends[start])


def _begun(before: Ints, after: Ints, starts: Floats) -> Floats:
    """Return what starts cost from each fleet of one slot to each of the next [before, after]."""
    total = np.zeros((len(before), len(after)))
    for pool, price in enumerate(starts):
        if price:
            total += price * np.maximum(after[None, :, pool] - before[:, None, pool], 0)
    return total


def _advanced(reached: Floats, step: Floats) -> tuple[Ints, Floats]:
    """Return where the cheapest way to each fleet came from, and its cost [start, after]."""
    came = np.empty((len(reached), step.shape[1]), np.int64)
    cost = np.empty(came.shape)
    for row, so_far in enumerate(reached):
        whole = so_far[:, None] + step
        came[row] = whole.argmin(axis=0)
        cost[row] = whole[came[row], np.arange(step.shape[1])]
    return came, cost


def _traced(back: Sequence[Ints], start: int, order: Ints, *, closed: bool) -> Ints:
    """Return the places of the way that ends at `start`, by slot."""
    places = np.zeros(len(order), np.int64)
    row, at = (start, start) if closed else (0, 0)
    for came, slot in zip(reversed(back), reversed(order), strict=True):
        at = int(came[row, at])
        places[slot] = at
    return places


def shortest_kept(
    fleets: Sequence[Ints], costs: Sequence[Floats], starts: Floats, *, way: Ints
) -> tuple[Ints, Usd]:
    """Return the cheapest way whose replicas stay for two slots at least, as places in `fleets`.

    What slot t starts, (n_t - n_t-1)+, must be within n_t and n_t+1: states are pairs of fleets.
    The two slots that close the ring take the fleets of `way` [pool, slot], so what this costs is
    no bound.
    """
    sizes = np.array([len(one) for one in fleets])
    first = int(np.argmin([one.min() for one in costs]))
    fleets, costs = list(fleets), list(costs)
    lists = list(fleets)
    fixed = {at: _place(fleets[at], way[:, at]) for at in {first, (first - 1) % len(sizes)}}
    for at, place in fixed.items():
        lists[at], costs[at] = fleets[at][place : place + 1], costs[at][place : place + 1]
    order = np.roll(np.arange(len(sizes)), -first)
    reached = np.zeros((1, 1)) + costs[first][0]  # [before, now]
    back = list[Ints]()
    before = lists[order[-1]]
    reached = reached + _begun(before, lists[first], starts[:, first])
    for now, then in pairwise([*order.tolist(), first]):
        came, cost = _kept_on(before, lists[now], lists[then], reached)
        step = _begun(lists[now], lists[then], starts[:, then])
        reached, before = cost + (0.0 if then == first else step + costs[then]), lists[now]
        back.append(came)
    return _traced_kept(back, order, fixed), float(reached.min())


def _place(fleets: Ints, fleet: Ints) -> int:
    """Return where a fleet stands in a list that holds it."""
    return int(np.flatnonzero((fleets == fleet).all(axis=1))[0])


def _kept_on(before: Ints, now: Ints, then: Ints, reached: Floats) -> tuple[Ints, Floats]:
    """Return where the cheapest way to each pair [now, then] came from, and its cost."""
    came = np.zeros((len(now), len(then)), np.int64)
    cost = np.empty(came.shape)
    for place, fleet in enumerate(now):
        begun = np.maximum(fleet - before, 0)
        stays = (begun[:, None, :] <= np.minimum(then, fleet)[None, :, :]).all(axis=2)
        whole = np.where(stays, reached[:, place, None], np.inf)  # [before, then]
        came[place] = whole.argmin(axis=0)
        cost[place] = whole.min(axis=0)
    return came, cost


def _traced_kept(back: Sequence[Ints], order: Ints, fixed: Mapping[int, int]) -> Ints:
    """Return the places of the way that closes at the fixed slots, by slot."""
    places = np.zeros(len(order), np.int64)
    now, then = 0, 0
    for came, slot in zip(reversed(back), reversed(order), strict=True):
        places[slot] = now
        now, then = int(came[now, then]), now
    for slot, place in fixed.items():
        places[slot] = place
    return places
