"""A fleet played on the requests that it was planned for: do its classes keep their SLO?

The plan adds up loads as if classes did not disturb each other, at rates that are means. Played,
they share queues and batches. A router knows the class of a request; it is taken to deal each class
out to the pools evenly, in the shares of the plan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from inferometer.candidates import Floats, Ints
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.plan.fleet.classes import RequestClass
from inferometer.plan.fleet.plan import Fleet
from inferometer.plan.fleet.pool import Load
from inferometer.plan.fleet.profile import Offer
from inferometer.simulate import latency, measures
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import simulate
from inferometer.units import Duration, Fraction, Usd
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Prefixes, Trace

WARM: Duration = 300.0
"""Time before a slot that is played too, so that queues and batches are not empty at its start."""
MOST = 2
"""Times the planned replicas up to which more are tried."""
GOLDEN = (5**0.5 - 1) / 2
LEVELS = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
PLAYED = ("ttft", "tpot", "e2e")
"""Metrics that are known of each request; gaps between tokens are not kept by class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPlayed:
    """One class on one pool in one slot.

    Attributes:
        slot: The slot.
        pool: The pool.
        name: The class.
        replicas: Replicas of the pool in the plan.
        requests: Requests of the class that arrived in the slot and went there.
        unanswered: Those of them that were not finished when the last was dealt with.
        ratio: Largest of (latency quantile / what the headroom leaves of its limit); above one a
            target is missed.
        target: That target, "" without one.
        beyond: Share of the requests beyond that of any target.
        needed: Fewest replicas of the pool at which all its classes keep their SLO; the plan's
            where they do, None if twice as many do not.
    """

    slot: int
    pool: str
    name: str
    replicas: int
    requests: int
    unanswered: int
    ratio: Fraction
    target: str
    beyond: Fraction
    needed: int | None

    @property
    def kept(self) -> bool:
        """Whether every target is met."""
        return self.ratio <= 1 and not self.unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The slots that were played.

    Attributes:
        slots: Them, the busiest first.
        classes: Every class on every pool that serves it.
        missed: Share of the requests played that belong to a class that misses, on that pool.
        extra: What the replicas that are missing cost over those slots; None if it is not known how
            many are.
    """

    slots: tuple[int, ...]
    classes: tuple[ClassPlayed, ...]
    missed: Fraction
    extra: Usd | None


def busiest(load: Load, count: int) -> tuple[int, ...]:
    """Return the `count` slots of the highest load, the busiest first.

    Raises:
        ScenarioError: more slots than there are, or fewer than one.
    """
    if not 1 <= count <= load.slots:
        raise ScenarioError(f"--confirm is {count} slots; 1 to {load.slots} can be played")
    order = np.argsort(-load.peak.sum(axis=0), kind="stable")
    return tuple(int(slot) for slot in order[:count])


def replay(
    fleet: Fleet,
    found: Sequence[Offer],
    load: Load,
    classes: Sequence[RequestClass],
    requests: tuple[Trace, Ints],
    slots: Sequence[int],
    efficiencies: Efficiencies,
) -> Replay:
    """Return how the classes of `fleet` fare in some of its slots.

    Args:
        fleet: The fleet.
        found: Offers, among them all of its pools.
        load: What it was planned for.
        classes: The classes, with their SLOs.
        requests: The trace, and the class of each request.
        slots: Slots to play.
        efficiencies: Parameters of the step time.

    Raises:
        ScenarioError: a pool at a lower clock, or agents' calls that wait for each other: neither
            can be played apart.
    """
    trace, kind = requests
    if trace.calls is not None:
        raise ScenarioError(
            "--confirm: calls that wait for each other cannot be dealt out to pools"
        )
    offers = {offer.pool.name: offer for offer in found}
    played = list[ClassPlayed]()
    extra: float | None = 0.0
    for slot in slots:
        begin = slot * load.slot
        near = np.flatnonzero((trace.arrival >= begin - WARM) & (trace.arrival < begin + load.slot))
        dealt = dealt_out(kind[near], fleet.shares[:, :, slot])
        for place, pool in enumerate(fleet.pools):
            chosen = near[dealt == place]
            if not len(chosen) or not fleet.replicas[place, slot]:
                continue
            player = _player(offers[pool.name], trace, chosen, begin, kind, classes, efficiencies)
            rows, more = _tried(player, slot, pool.name, int(fleet.replicas[place, slot]))
            played += rows
            extra = None if extra is None or more is None else extra + more * pool.price * load.slot
    whole = sum(one.requests for one in played)
    lost = sum(one.requests for one in played if not one.kept)
    return Replay(slots=tuple(slots), classes=tuple(played), missed=lost / max(whole, 1),
                  extra=extra)  # fmt: skip


def dealt_out(kind: Ints, shares: Floats) -> Ints:
    """Return the pool of every request: each class in the shares of its column [pool, class].

    The n-th of a class takes the pool in whose part of its shares n times the golden ratio falls,
    which spreads every pool's requests evenly over time.
    """
    places = np.zeros(len(kind), np.int64)
    for one in np.unique(kind):
        mine = np.flatnonzero(kind == one)
        edges = np.cumsum(shares[:, one])
        drawn = (np.arange(len(mine)) * GOLDEN + 0.5) % 1 * edges[-1]
        places[mine] = np.minimum(np.searchsorted(edges, drawn, side="right"), len(edges) - 1)
    return places


class Fared(NamedTuple):
    """How one class fared on a pool; the fields are those of `ClassPlayed`."""

    name: str
    requests: int
    unanswered: int
    ratio: float
    target: str
    beyond: float

    @property
    def kept(self) -> bool:
        """Whether every target is met and every request answered."""
        return self.ratio <= 1 and not self.unanswered


Player = Callable[[int], list[Fared]]
"""Plays a pool with so many replicas."""


def _player(
    offer: Offer,
    trace: Trace,
    chosen: Ints,
    begin: Duration,
    kind: Ints,
    classes: Sequence[RequestClass],
    efficiencies: Efficiencies,
) -> Player:
    if offer.clock != 1:
        raise ScenarioError(f"--confirm: {offer.pool.name}: lower clocks cannot be played")
    part, counted = part_of(trace, chosen), trace.arrival[chosen] >= begin
    kinds = kind[chosen]

    def play(replicas: int) -> list[Fared]:
        built: Deployment = replace(offer.deployment, replicas=replicas)
        run = simulate(part, built, efficiencies=efficiencies, play=Play())
        records, outside = run.records, measures.outside(run)
        known = {name: np.full(len(part), np.nan) for name in PLAYED}
        known["ttft"][records.done] = latency.ttft(records, outside)
        known["e2e"][records.done] = latency.e2e(records, outside)
        known["tpot"][records.done & (records.output > 1)] = latency.tpot(records)
        rows = []
        for one in np.unique(kinds[counted]):
            mine = counted & (kinds == one)
            lost = int((mine & ~records.done).sum())
            judged = _judged({name: values[mine] for name, values in known.items()},
                             classes[one].slo)  # fmt: skip
            rows.append(Fared(classes[one].name, int(mine.sum()), lost, *judged))
        return rows

    return play


def _judged(known: dict[str, Floats], slo: Slo) -> tuple[float, str, float]:
    """Return the largest ratio to a limit, its target, and the share of requests beyond any.

    Of each limit the headroom stays free, as in the plan.
    """
    worst, named = 0.0, ""
    beyond = np.zeros(len(known["ttft"]), np.bool_)
    for target in (one for one in slo.targets if one.metric in known):
        values, limit = known[target.metric], target.limit * (1 - slo.headroom)
        there = values[np.isfinite(values)]
        beyond |= values > limit
        if not len(there):
            continue
        level = LEVELS.get(target.quantile)
        value = float(there.mean() if level is None else np.quantile(there, level))
        if value / limit > worst:
            worst, named = value / limit, str(target)
    good = 1 - float(beyond.mean())
    if slo.goodput is not None and (1 - good) / (1 - slo.goodput) > worst:
        worst, named = (1 - good) / (1 - slo.goodput), f"goodput >= {slo.goodput:g}"
    return worst, named, 1 - good


def _tried(
    play: Player, slot: int, pool: str, replicas: int
) -> tuple[list[ClassPlayed], int | None]:
    """Return the classes of a pool as planned, and the replicas missing, None if not known."""
    planned = play(replicas)
    rows, count = planned, replicas
    while not all(row.kept for row in rows) and count < MOST * replicas:
        count += 1
        rows = play(count)
    enough = all(row.kept for row in rows)
    found = [
        ClassPlayed(
            slot=slot, pool=pool, replicas=replicas, needed=count if enough else None,
            **row._asdict(),
        )
        for row in planned
    ]  # fmt: skip
    return found, count - replicas if enough else None


def part_of(trace: Trace, chosen: Ints) -> Trace:
    """Return some requests of a trace, their prefixes and sessions with them; first at time 0."""
    prefixes = trace.prefixes
    if prefixes is not None:
        count = np.diff(prefixes.offsets)[chosen]
        ends = np.cumsum(count)
        inside = np.arange(int(count.sum())) - np.repeat(ends - count, count)
        at = np.repeat(prefixes.offsets[chosen], count) + inside
        prefixes = Prefixes(
            hashes=prefixes.hashes[at], offsets=np.append(0, ends), block_size=prefixes.block_size
        )
    return Trace(
        arrival=trace.arrival[chosen] - trace.arrival[chosen[0]],
        input_tokens=trace.input_tokens[chosen],
        output_tokens=trace.output_tokens[chosen],
        session=None if trace.session is None else trace.session[chosen],
        tenant=None if trace.tenant is None else trace.tenant[chosen],
        prefixes=prefixes,
        prepared=None if trace.prepared is None else trace.prepared[chosen],
        name=trace.name,
    )
