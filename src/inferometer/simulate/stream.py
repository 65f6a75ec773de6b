"""Play a trace part by part: memory grows with the requests in flight, not with the trace.

Between two parts the loop stands still. Requests that have ended are summed and forgotten, those in
flight are numbered anew, in the same order, and the next part follows them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError, WorkloadError
from inferometer.simulate.control import operate
from inferometer.simulate.edges import edges_of
from inferometer.simulate.fleet import EXPIRED, FIRST, LAST, LOGGED, PLACE, Fleet, run
from inferometer.simulate.groups import groups_of, members
from inferometer.simulate.play import Play
from inferometer.simulate.pools import fleet_of
from inferometer.simulate.records import Records, records_of
from inferometer.simulate.serving import NOTHING, Serving, check_tenants, priorities, tenants_of
from inferometer.simulate.simulation import Simulation, concluded, loop_of, pools_of
from inferometer.simulate.state import NEVER, RELEASED, SAMPLED, WAITING, Lane, Request, World
from inferometer.simulate.supply import Watch
from inferometer.simulate.totals import Totals, add
from inferometer.simulate.world import coins, column, columns_of, requests_of
from inferometer.units import UsdPerSecond
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Ints, Trace

PART = 200_000
"""Requests of a part: 45 MiB, and a tenth of a second between two of them."""

Sink = Callable[[Records, Ints], None]
"""Takes requests that have ended, and their places in the trace [request]."""


def stream(  # noqa: PLR0913 - what a run is told
    parts: Iterator[Trace],
    deployment: Deployment | Sequence[Deployment],
    *,
    efficiencies: Efficiencies,
    play: Play | None = None,
    serving: Serving = NOTHING,
    prices: Sequence[UsdPerSecond] = (),
    slo: Slo | None = None,
    sink: Sink | None = None,
    compiled: bool = True,
    watch: Watch | None = None,
) -> Simulation:
    """Return what becomes of a trace that comes part by part, in order of time.

    Equal, request by request, to `simulation.simulate` of the whole. The tenants with the most
    requests in the first part are told apart.

    Args:
        parts: The requests.
        deployment: The fleet, as `simulation.simulate`.
        efficiencies: Parameters of the step time.
        play: Router, seed, scaling, faults.
        serving: Host memory, prefill pool, static batches, classes.
        prices: Of an accelerator of each deployment.
        slo: Targets by which requests are counted as good.
        sink: Takes the requests as they end, part by part.
        compiled: Whether the loop is compiled.
        watch: Who wants to know how far it is.

    Raises:
        ScenarioError: a way to play that needs the whole trace.
        WorkloadError: parts that are not in order.
        LedgerError: requests were lost, which is a defect of this program.
    """
    play = play or Play()
    first = next(parts)
    _check(first, play)
    pools, groups = pools_of(deployment, efficiencies, play, prices), groups_of(first, serving)
    fleet = fleet_of(first, pools, play, compiled=True, efficiencies=efficiencies, serving=serving)
    outside = float(pools[0].machines[0].rates.request_overhead[0])
    supply = Parts(
        parts=parts,
        play=play,
        serving=serving,
        totals=Totals(groups=groups, slo=slo or Slo(), outside=outside),
        sink=sink,
        start=float(first.arrival[0]),
        last=float(first.arrival[-1]),
        count=len(first),
        numbers=np.arange(len(first)),
        tenants=tenants_of(first) if serving.batch_tenants else set(),
    )
    supply.random.random(len(first))  # the coins that `fleet_of` has given out
    loop = loop_of(compiled=True) if compiled else _plainly
    control = operate(fleet, pools, play, loop, supply=supply, watch=watch)
    check_tenants(serving, supply.tenants)
    records = supply.retire(control.fleet.world)
    return concluded(control, serving, groups, records, supply.totals)


def _plainly(fleet: Fleet, until: float) -> float:
    """Play by the plain loop what arrays hold."""
    world = fleet.world
    lanes = [Lane(*row) for row in world.lanes.tolist()]  # type: ignore[attr-defined]
    requests = [Request(*row) for row in world.requests.tolist()]  # type: ignore[attr-defined]
    due = run(fleet._replace(world=world._replace(lanes=lanes, requests=requests)), until)
    for record, rows, played in ((Lane, world.lanes, lanes), (Request, world.requests, requests)):
        for known in fields(record):
            rows[known.name] = column(played, known.name)  # type: ignore[call-overload]
    return due


def _check(trace: Trace, play: Play) -> None:
    for name, wrong in (
        ("prefix hashes", trace.prefixes is not None),
        ("calls of agents", trace.calls is not None and not play.timestamps),
        ("think times", play.think is not None),
        ("a closed loop", play.clients > 0),
    ):
        if wrong:
            raise ScenarioError(f"a stream plays no {name}: they need the whole trace at once")


@dataclass(slots=True, kw_only=True)
class Parts:
    """The parts of a trace, and what became of those before (a `control.Supply`).

    Attributes:
        parts: Parts to come.
        play: How they are played.
        serving: Which requests yield to others.
        totals: Sums over the requests that have ended.
        sink: Takes these, if anybody wants them.
        start: Arrival of the first request, in the time of the trace.
        last: Arrival of the last one so far.
        count: Requests so far.
        numbers: Place in the trace of each of the fleet's requests [request].
        tenants: Tenants so far, where some yield to others.
        random: Where coins come from.
        coming: The next part.
    """

    parts: Iterator[Trace]
    play: Play
    serving: Serving
    totals: Totals
    sink: Sink | None
    start: float
    last: float
    count: int
    numbers: Ints
    tenants: set[str]
    random: np.random.Generator = field(init=False)
    coming: Trace | None = field(init=False)

    def __post_init__(self) -> None:
        self.random = coins(self.play)
        self.coming = next(self.parts, None)

    def due(self) -> float:
        """Return the last instant before the next part begins, s; inf after the last part."""
        if self.coming is None:
            return NEVER
        first = float(self.coming.arrival[0])
        if first < self.last:
            raise WorkloadError(
                f"{self.coming.name or 'trace'}: request {self.count} comes before the one ahead "
                "of it; sort the trace by arrival"
            )
        return max(float(np.nextafter(first - self.start, -NEVER)), 0.0)

    def refill(self, fleet: Fleet) -> Fleet:
        """Return the fleet with the next part, and without the requests that have ended."""
        part = self.coming
        assert part is not None  # noqa: S101 - `due` was not inf
        _check(part, self.play)
        world = fleet.world
        kept = np.flatnonzero(world.requests["status"] == WAITING)  # type: ignore[call-overload]
        self.retire(world)
        new = self._rows(part)
        self.numbers = np.concatenate([self.numbers, self.count + np.arange(len(part))])
        self.count += len(part)
        self.last = float(part.arrival[-1])
        if self.serving.batch_tenants:
            self.tenants |= tenants_of(part)
        self.coming = next(self.parts, None)
        return joined(fleet, kept, new, self.play)

    def retire(self, world: World) -> Records:
        """Sum and hand on the requests that have ended; return the others."""
        waits = np.asarray(world.requests["status"] == WAITING)  # type: ignore[call-overload]
        gone = records_of(world, ~waits)
        add(self.totals, gone)
        if self.sink is not None:
            self.sink(gone, self.numbers[~waits])
        self.numbers = self.numbers[waits]
        return records_of(world, waits)

    def _rows(self, part: Trace) -> Any:
        edges = edges_of(part, self.play)
        columns = columns_of(part, self.play, edges, self.random, self.start)
        columns["priority"] = priorities(self.serving, part)
        columns["group"] = members(self.totals.groups, part, columns["priority"])
        return requests_of(columns, len(part), compiled=True)


def joined(fleet: Fleet, kept: Ints, new: Any, play: Play) -> Fleet:
    """Return a fleet that goes on with the `kept` of its requests and `new` ones.

    Args:
        fleet: The fleet between two events.
        kept: Requests that have not ended, rising [request].
        new: Rows of requests that come after all of them.
        play: How they are played.
    """
    world, counters = fleet.world, fleet.counters
    moved = np.full(len(world.requests) + 1, -1)  # -1, for none, stays -1
    moved[kept] = np.arange(len(kept))
    old = world.requests[kept]  # type: ignore[call-overload]
    old["follower"] = moved[old["follower"]]
    requests: Any = np.concatenate([old, new])
    for name in ("head", "tail", "urgent", "partial"):
        world.lanes[name] = moved[world.lanes[name]]  # type: ignore[call-overload]
    for table in (world.heap, world.ready):
        table[:] = moved[table]
    size, waiting = len(requests), int(world.counters[RELEASED])
    released, due = (np.zeros(max(size, 1), kind) for kind in (np.int64, float))
    released[:waiting], due[:waiting] = moved[world.released[:waiting]], world.due[:waiting]
    counters[[FIRST, LAST]] = moved[counters[[FIRST, LAST]]]
    unsent = moved[fleet.order[int(counters[PLACE]) :]]
    counters[PLACE] = 0
    deadlines, sent = _deadlines(fleet, moved, size * (play.gateway.retries + 1))
    return fleet._replace(
        world=_thinned(
            world._replace(
                requests=requests,
                released=released,
                due=due,
                offsets=np.zeros(size + 1, np.int64),
                starts=np.zeros(size + 1, np.int64),
            ),
            float(fleet.clock[0]),
            float(new["arrival"][-1]),
        ),
        order=np.concatenate([unsent, len(kept) + np.arange(len(new))]),
        deadlines=deadlines,
        sent=sent,
    )


def _deadlines(fleet: Fleet, moved: Ints, more: int) -> tuple[Ints, Any]:
    """Return the deadlines to come, with room for `more`, and when each of them was noted."""
    counters = fleet.counters
    ahead = slice(int(counters[EXPIRED]), int(counters[LOGGED]))
    number, when = moved[fleet.deadlines[ahead]], fleet.sent[ahead]
    number, when = number[number >= 0], when[number >= 0]
    counters[EXPIRED], counters[LOGGED] = 0, len(number)
    room = np.zeros(more)
    return np.concatenate([number, room.astype(np.int64)]), np.concatenate([when, room])


def _thinned(world: World, now: float, until: float) -> World:
    """Return the world with room in its series up to `until`: every other sample goes, as often.

    Args:
        world: The world at `now`.
        now: The latest event, s.
        until: When the last request comes, s.
    """
    taken, interval, series = int(world.counters[SAMPLED]), world.interval, world.series
    while taken + (until - now) / interval > len(series) / 2:
        kept = (taken + 1) // 2
        series[:kept] = series[: 2 * kept : 2]
        series[kept:] = 0
        taken, interval = kept, 2 * interval
    world.counters[SAMPLED] = taken
    return world._replace(interval=interval)
