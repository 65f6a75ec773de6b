"""Play a workload to a deployment, request by request, and say what became of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.outcome import Counts
from inferometer.perf.roofline import Machine
from inferometer.simulate.control import Control, operate
from inferometer.simulate.fleet import HELD, Fleet, run
from inferometer.simulate.groups import Groups, groups_of
from inferometer.simulate.kinds import BLOCKS
from inferometer.simulate.play import Play
from inferometer.simulate.pools import Pool, fleet_of, pool_of
from inferometer.simulate.records import Records, conserved, records_of
from inferometer.simulate.replica import Life
from inferometer.simulate.serving import NOTHING, Serving, check_tenants, tenants_of
from inferometer.simulate.state import RELEASED, SAMPLED
from inferometer.simulate.supply import Watch
from inferometer.simulate.totals import Totals
from inferometer.simulate.world import column
from inferometer.units import Duration, UsdPerSecond
from inferometer.workload.trace import Floats, Ints, Trace

PLAIN = 10_000
"""Work (`work_of`) up to which the loop runs as it is: two seconds, while numba has to be imported
and, once per machine, to compile for a minute and a half."""

BLOCKS_PER_REQUEST = 20
"""Hashed blocks of prompts that take the plain loop as long as one request: 9 us each, looked up
and entered in the cache, beside 0.2 ms."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """The fleet over time, sampled at regular intervals.

    Attributes:
        interval: Time between samples.
        running: Sequences that decode [sample].
        waiting: Requests in the queues [sample].
        kv_fraction: KV blocks in use at the start of the running jump, over all [sample].
        replicas: Replicas that serve [sample].
    """

    interval: Duration
    running: Floats
    waiting: Floats
    kv_fraction: Floats
    replicas: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usage:
    """What one pool was used for.

    Attributes:
        pool: The pool.
        lives: Its replicas over time.
        spent: Time, arithmetic and traffic of plain and of mixed steps by clock level
            (`fleet.Fleet.spent`) [level, 6] s.
        block_share: Integral over time and lanes of the share of KV blocks in use.
    """

    pool: Pool
    lives: tuple[Life, ...]
    spent: Floats
    block_share: Duration

    @property
    def paid(self) -> float:
        """Replica-seconds paid: from asking for a replica to its stop."""
        return sum(life.off - life.asked for life in self.lives)

    @property
    def up(self) -> float:
        """Replica-seconds in which replicas served or drained."""
        return sum(max(life.off - life.up, 0.0) for life in self.lives)

    @property
    def accelerator_hours(self) -> float:
        """Hours of accelerators paid."""
        return self.paid * self.pool.deployment.parallelism.accelerators / 3600


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulation:
    """One run.

    Attributes:
        machine: The first deployment, compiled.
        deployment: The first deployment.
        play: How the workload was played.
        serving: How the engines served beyond their settings.
        records: Every request; in a stream (`stream`) those in flight at its end.
        totals: In a stream, sums over all others.
        series: The fleet over time.
        groups: Whose latencies are told apart.
        gaps: Gaps between tokens by bucket (`tally.bucket`) [group, bucket].
        counts: Where the requests ended.
        sums: Totals over all lanes by name of the field of `state.Lane`.
        usage: What each pool was used for.
        end: When the last event took place.
    """

    machine: Machine
    deployment: Deployment
    play: Play
    serving: Serving
    records: Records
    totals: Totals | None
    series: Series
    groups: Groups
    gaps: Ints
    counts: Counts
    sums: dict[str, float]
    usage: tuple[Usage, ...]
    end: Duration


SUMS = (
    "plain_time", "plain_compute", "plain_memory", "mixed_time", "mixed_compute", "mixed_memory",
    "sequence_time", "block_time", "preemptions", "steps",
)  # fmt: skip


def simulate(  # noqa: PLR0913 - what a run is told
    trace: Trace,
    deployment: Deployment | Sequence[Deployment],
    *,
    efficiencies: Efficiencies,
    play: Play | None = None,
    serving: Serving = NOTHING,
    prices: Sequence[UsdPerSecond] = (),
    compiled: bool | None = None,
    watch: Watch | None = None,
) -> Simulation:
    """Return what becomes of `trace` on a fleet; O(requests x log sequences).

    Args:
        trace: The requests.
        deployment: The fleet: one deployment, or several of one model behind one gateway.
        efficiencies: Parameters of the step time.
        play: Router, seed, open or closed loop, scaling, faults.
        serving: Host memory, prefill pool, static batches, classes.
        prices: Of an accelerator of each deployment, for the router that looks at it; without them
            all cost the same.
        compiled: Whether the loop is compiled; by `work_of` the trace if None.
        watch: Who wants to know how far it is.

    Raises:
        ScenarioError: settings that no engine would accept, or that the loop does not play.
        InfeasibleError: the weights do not fit.
        LedgerError: requests were lost, which is a defect of this program.
    """
    play = play or Play()
    check_tenants(serving, tenants_of(trace) if serving.batch_tenants else set())
    pools, groups = pools_of(deployment, efficiencies, play, prices), groups_of(trace, serving)
    caching = pools[0].deployment.settings.prefix_caching
    fast = work_of(trace, caching=caching) > PLAIN if compiled is None else compiled
    fleet = fleet_of(trace, pools, play, compiled=fast, efficiencies=efficiencies, serving=serving)
    control = operate(fleet, pools, play, loop_of(compiled=fast), watch=watch)
    return concluded(control, serving, groups, records_of(control.fleet.world))


def work_of(trace: Trace, *, caching: bool) -> float:
    """Return how much there is to play, in requests without prefix hashes.

    Args:
        trace: The requests.
        caching: Whether the engines look hashes up.
    """
    blocks = len(trace.prefixes.hashes) if caching and trace.prefixes is not None else 0
    return len(trace) + blocks / BLOCKS_PER_REQUEST


def pools_of(
    deployment: Deployment | Sequence[Deployment],
    efficiencies: Efficiencies,
    play: Play,
    prices: Sequence[UsdPerSecond],
) -> list[Pool]:
    """Return the pools of a fleet, each with the price of its accelerator if there are any."""
    several = [deployment] if isinstance(deployment, Deployment) else list(deployment)
    pools = [pool_of(one, efficiencies, play) for one in several]
    if not prices:
        return pools
    return [replace(pool, price=price) for pool, price in zip(pools, prices, strict=True)]


def concluded(
    control: Control,
    serving: Serving,
    groups: Groups,
    records: Records,
    totals: Totals | None = None,
) -> Simulation:
    """Return a run that has come to its end.

    Args:
        control: Its control plane.
        serving: How the engines served beyond their settings.
        groups: Whose latencies are told apart.
        records: Its requests, those apart that are in `totals`.
        totals: Sums over these.

    Raises:
        LedgerError: requests were lost.
    """
    fleet, pools, lives = control.fleet, control.pools, control.lives
    gone = None if totals is None else totals.ended.sum(axis=0)
    return Simulation(
        machine=pools[0].machines[0],
        deployment=pools[0].deployment,
        play=control.play,
        serving=serving,
        records=records,
        totals=totals,
        series=_series(fleet, pools, lives),
        groups=groups,
        gaps=fleet.world.gaps,
        counts=conserved(records, holding(fleet), gone),
        sums={name: float(column(fleet.world.lanes, name).sum()) for name in SUMS},
        usage=tuple(_usage(fleet, pools, lives)),
        end=float(fleet.clock[0]),
    )


def loop_of(*, compiled: bool) -> Callable[..., float]:
    """Return the loop, as it is or compiled."""
    if not compiled:
        return run
    from inferometer.simulate.compiled import compiled_run  # noqa: PLC0415 - imports numba

    return compiled_run()


def _usage(fleet: Fleet, pools: Sequence[Pool], lives: Sequence[Life]) -> Iterator[Usage]:
    lane, row = 0, 0
    blocks = column(fleet.world.lanes, "block_time")
    for number, pool in enumerate(pools):
        lanes = pool.most * pool.lanes_each
        used = float(blocks[lane : lane + lanes].sum())
        yield Usage(
            pool=pool,
            lives=tuple(life for life in lives if life.pool == number),
            spent=fleet.spent[row : row + len(pool.machines)],
            block_share=used / int(fleet.kinds.limits[number, BLOCKS]),
        )
        lane, row = lane + lanes, row + len(pool.machines)


def _series(fleet: Fleet, pools: Sequence[Pool], lives: Sequence[Life]) -> Series:
    world = fleet.world
    taken = world.series[: int(world.counters[SAMPLED])]
    times = np.arange(len(taken)) * world.interval
    replicas, blocks = np.zeros(len(taken)), np.zeros(len(taken))
    for life in lives:
        serves = (times >= life.up) & (times <= life.off)
        replicas += serves
        blocks += serves * int(fleet.kinds.limits[life.pool, BLOCKS]) * pools[life.pool].lanes_each
    return Series(
        interval=world.interval,
        running=taken[:, 0],
        waiting=taken[:, 1],
        kv_fraction=taken[:, 2] / np.maximum(blocks, 1),
        replicas=replicas,
    )


def holding(fleet: Fleet) -> int:
    """Return the requests that lanes and gateway hold, or that clients are about to send again."""
    world = fleet.world
    coming = world.released[: int(world.counters[RELEASED])]
    again = int((column(world.requests, "attempts")[coming] > 0).sum())
    return int(world.loads.sum()) + int(fleet.counters[HELD]) + again
