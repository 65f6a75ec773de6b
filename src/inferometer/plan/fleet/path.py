"""The cheapest way through the slots: few fleets per slot can be part of it, so all are tried.

A fleet n of slot t can only be part of the best if rent(n) - starts(n - x) <= z + starts(x), where
x is the cheapest of the slot alone and z its cost: else x in its place would save more than it
could add in starts on either side. Those fleets are listed, and the way through them found by
dynamic programming. Whether they carry the work is known by bounds (`carrying`) that start loose:
the way found costs no more than the best, so it bounds it; the fleets on it are checked, and bounds
that it breaks are added until it breaks none. Then it is the best.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from inferometer.candidates import Floats, Ints
from inferometer.plan.fleet.carrying import (
    TOLERANCE,
    Carried,
    Sharing,
    Work,
    least_work,
    work_of,
)
from inferometer.plan.fleet.pool import Load, Market, Pool
from inferometer.plan.fleet.program import Solution
from inferometer.plan.fleet.route import shortest, shortest_kept
from inferometer.units import Fraction, Usd

MOST_LISTED, MOST_FLEETS, MOST_PAIRED = 200_000, 3_000, 400
"""Fleets of one slot beyond which they are not listed, tried, or tried in pairs: the program of all
slots is solved instead."""
ROUNDS = 60
DIRECTIONS = 48
"""Prices of capacity to begin with."""


@dataclass(slots=True, kw_only=True, eq=False)
class Stage:
    """The fleets of one slot that may be part of the best way.

    Attributes:
        fleets: Replicas [fleet, pool].
        rent: What they cost while on [fleet].
        work: Least cost of sharing out the work on them, as far as bounds tell [fleet].
        floor: What the slot costs at least, alone.
    """

    fleets: Ints
    rent: Floats
    work: Floats
    floor: Usd

    @property
    def cost(self) -> Floats:
        """What each costs at least, USD [fleet]."""
        return np.maximum(self.rent + self.work, self.floor)

    def keep(self, kept: np.ndarray) -> None:
        """Drop the other fleets."""
        self.fleets, self.rent, self.work = self.fleets[kept], self.rent[kept], self.work[kept]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """What the ways through the slots are searched with.

    Attributes:
        rents: What a replica costs while on [pool, slot].
        starts: What starting one costs [pool, slot].
        most: Replicas on offer [pool].
        work: The work of all slots.
        least: What sharing it out costs at least, on any fleet [slot].
        alone: The cheapest fleet of each slot alone.
        programs: The program that shares out the work of each slot.
        bounds: Prices of capacity found so far, and whether they count the cost of the work.
        gap: Relative distance to the bound at which to stop.
    """

    rents: Floats
    starts: Floats
    most: Ints
    work: Work
    least: Floats
    alone: Sequence[Solution]
    programs: Sequence[Sharing]
    bounds: list[tuple[Floats, bool]]
    gap: Fraction


Route = Callable[[Sequence[Ints], Sequence[Floats], Floats], tuple[Ints, Usd]]
"""Finds a way among fleets of each slot, of given costs and costs of starting; with its bound."""


def search_of(
    pools: Sequence[Pool], load: Load, market: Market, alone: Sequence[Solution], gap: float
) -> Search:
    """Return the search for ways through the slots of `load`, `alone` solved one by one."""
    joule = np.zeros(load.slots) if market.energy is None else market.energy
    prices = np.array([[p.price + p.idle * e for e in joule] for p in pools])  # [pool, slot]
    work, rents = work_of(pools, load, market), prices * load.slot
    spread = np.random.default_rng(0).lognormal(0.0, 0.5, (DIRECTIONS, len(pools)))
    spread[0] = 1.0
    return Search(
        rents=rents,
        starts=np.array([pool.start for pool in pools])[:, None] * prices,
        most=np.array([pool.most for pool in pools]),
        work=work,
        least=least_work(work, np.zeros(len(pools)), costs=True),
        alone=alone,
        programs=[Sharing(work, slot, rents[:, slot]) for slot in range(load.slots)],
        bounds=[(one * rents.mean(axis=1), False) for one in spread],
        gap=gap,
    )


def cheapest_way(search: Search) -> Solution | None:
    """Return the cheapest fleet over all slots where replicas may stop at any time.

    Its `bound` holds for fleets that must keep theirs longer too. None where too many fleets would
    have to be tried.
    """
    return _searched(search, MOST_FLEETS, shortest)


def kept_way(search: Search, way: Solution) -> Solution | None:
    """Return a fleet that keeps every replica for two slots at least; None as above.

    The best among the fleets that may be part of ways whose replicas stop at any time, with those
    of `way` in the slots that close the ring. Its `bound` is that of `way`.
    """
    route = partial(shortest_kept, way=way.replicas)
    found = _searched(search, MOST_PAIRED, route)
    return None if found is None else replace(found, bound=min(way.bound, found.cost))


def _stage(search: Search, slot: int) -> Stage | None:
    """Return the fleets that may be worth their rent in one slot; None if they are too many."""
    alone, rents, starts = search.alone[slot], search.rents[:, slot], search.starts
    chosen = alone.replicas[:, 0]
    begin = np.maximum(starts[:, slot], starts[:, (slot + 1) % starts.shape[1]])
    spent = float(search.least[slot])  # on work, whatever the fleet
    net, budget = rents - begin, (alone.cost - spent + float(begin @ chosen)) * (1 + 1e-9)
    if (net <= 0).any():
        return None
    fleets, left = np.zeros((1, 0), np.int64), np.array([budget])
    for pool, each in enumerate(net):
        counts = np.minimum(left / each, search.most[pool]).astype(np.int64) + 1
        if counts.sum() > MOST_LISTED:
            return None
        before = np.repeat(np.arange(len(left)), counts)
        number = np.arange(len(before)) - np.repeat(np.cumsum(counts) - counts, counts)
        fleets = np.column_stack([fleets[before], number])
        left = left[before] - number * each
    rent = fleets @ rents
    kept = rent - np.maximum(fleets - chosen, 0) @ begin <= budget
    return Stage(fleets=fleets[kept], rent=rent[kept], work=np.full(int(kept.sum()), spent),
                 floor=alone.bound)  # fmt: skip


def _stages(search: Search) -> list[Stage] | None:
    """Return the fleets of every slot that keep to all bounds known; None if they are too many."""
    stages = list[Stage]()
    for slot in range(len(search.alone)):
        found = _stage(search, slot)
        if found is None:
            return None
        stages.append(found)
    for prices, costs in search.bounds:
        _bound(stages, search.work, prices, costs=costs)
    return stages


def _bound(stages: Sequence[Stage], work: Work, prices: Floats, *, costs: bool) -> None:
    """Add what prices of capacity [pool] say of the fleets of all slots."""
    least = least_work(work, prices, costs=costs)
    scale = TOLERANCE * max(float(prices.max()), 1e-300)
    for slot, stage in enumerate(stages):
        left = least[slot] - stage.fleets @ prices
        if costs:
            stage.work = np.maximum(stage.work, left)
        else:
            stage.keep(left <= scale)


def _searched(search: Search, most: int, route: Route) -> Solution | None:
    """Return the best way by `route`, bounds tightened until it breaks none."""
    stages = _stages(search)
    if stages is None or max(len(stage.fleets) for stage in stages) > most:
        return None
    best: Solution | None = None
    for _ in range(ROUNDS):
        way, bound = route([one.fleets for one in stages], [one.cost for one in stages],
                           search.starts)  # fmt: skip
        chosen = [stage.fleets[at] for stage, at in zip(stages, way, strict=True)]
        pairs = zip(search.programs, chosen, strict=True)
        found = [program.carried(fleet) for program, fleet in pairs]
        more = _tightened(search, stages, way, found)
        if route is shortest or not any(one.lacks for one in found):
            tried = _as_fleet(search, chosen, found)
            best = tried if best is None or tried.cost < best.cost else best
        if best is not None:
            best = replace(best, bound=min(bound, best.cost))
            if not more or best.cost - bound <= search.gap * best.cost:
                return best
    return best


def _tightened(search: Search, stages: list[Stage], way: Ints, found: Sequence[Carried]) -> bool:
    """Add the bounds that a way breaks; return whether there are any."""
    known, more = set[tuple[float, ...]](), False
    for stage, at, one in zip(stages, way, found, strict=True):
        dear = not one.lacks and one.cost > stage.work[at] + TOLERANCE * one.cost
        if one.lacks or dear:
            more = True
            mark = (*np.round(one.prices / max(float(one.prices.max()), 1e-300), 9), dear)
            if mark not in known:
                known.add(mark)
                search.bounds.append((one.prices, dear))
    for prices, costs in search.bounds[len(search.bounds) - len(known) :]:
        _bound(stages, search.work, prices, costs=costs)
    return more


def _as_fleet(search: Search, chosen: Sequence[Ints], found: Sequence[Carried]) -> Solution:
    """Return a way as a fleet; slots in which it lacks capacity take what is cheapest alone."""
    rents, pairs = search.rents, list(zip(chosen, found, search.alone, strict=True))
    on = np.stack([one.replicas[:, 0] if f.lacks else c for c, f, one in pairs], axis=1)
    begun = np.maximum(on - np.roll(on, 1, axis=1), 0)
    shares = np.stack([one.shares[:, :, 0] if f.lacks else f.shares for _, f, one in pairs], axis=2)
    worked = sum(
        one.cost - float(one.replicas[:, 0] @ rents[:, slot]) if f.lacks else f.cost
        for slot, (_, f, one) in enumerate(pairs)
    )
    return Solution(
        replicas=on,
        starts=begun.astype(np.float64),
        shares=shares,
        cost=float((rents * on).sum() + (search.starts * begun).sum() + worked),
        bound=0.0,
    )
