"""Play a workload to a deployment, request by request, and say what became of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.errors import LedgerError
from inferometer.outcome import Counts
from inferometer.perf.roofline import Machine
from inferometer.simulate.control import Life, operate
from inferometer.simulate.fleet import HELD, Fleet, run
from inferometer.simulate.kinds import BLOCKS
from inferometer.simulate.play import Play
from inferometer.simulate.pools import Pool, fleet_of, pool_of
from inferometer.simulate.serving import NOTHING, Serving
from inferometer.simulate.state import (
    FINISHED,
    LOST,
    REJECTED,
    RELEASED,
    SAMPLED,
    TIMED_OUT,
    WAITING,
    World,
)  # fmt: skip
from inferometer.simulate.world import column
from inferometer.units import Duration, UsdPerSecond
from inferometer.workload.trace import Floats, Ints, Trace

PLAIN = 10_000
"""Requests up to which the loop runs as it is: importing numba takes as long as playing them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """What became of every request, in the order of the trace; -1 s where it did not happen.

    Attributes:
        asked: When its user began to wait; endless if it was never sent [request] s.
        arrival: When it reached the router, or will, the last time it was sent [request] s.
        admitted: When its first prompt token was scheduled [request] s.
        first_token: When its first output token left the engine [request] s.
        finished: When its last one did [request] s.
        prompt: Prompt tokens [request].
        output: Output tokens [request].
        lane: Lane that served it, -1 if rejected [request].
        status: `state.WAITING` (in flight), `FINISHED`, `REJECTED`, `TIMED_OUT` or `LOST`
            [request].
        preemptions: How often it was preempted [request].
        cached: Prompt tokens served from the prefix cache [request].
        attempts: How often it was sent [request].
    """

    asked: Floats
    arrival: Floats
    admitted: Floats
    first_token: Floats
    finished: Floats
    prompt: Ints
    output: Ints
    lane: Ints
    status: Ints
    preemptions: Ints
    cached: Ints
    attempts: Ints

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def done(self) -> Any:
        """Whether a request was answered in full [request]."""
        return self.status == FINISHED


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
        records: Every request.
        series: The fleet over time.
        gaps: Gaps between tokens by bucket (`tally.bucket`) [bucket].
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
    series: Series
    gaps: Ints
    counts: Counts
    sums: dict[str, float]
    usage: tuple[Usage, ...]
    end: Duration


SUMS = (
    "plain_time", "plain_compute", "plain_memory", "mixed_time", "mixed_compute", "mixed_memory",
    "sequence_time", "block_time", "preemptions", "steps",
)  # fmt: skip


def simulate(
    trace: Trace,
    deployment: Deployment | Sequence[Deployment],
    *,
    efficiencies: Efficiencies,
    play: Play | None = None,
    serving: Serving = NOTHING,
    prices: Sequence[UsdPerSecond] = (),
    compiled: bool | None = None,
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
        compiled: Whether the loop is compiled; by the number of requests if None.

    Raises:
        ScenarioError: settings that no engine would accept, or that the loop does not play.
        InfeasibleError: the weights do not fit.
        LedgerError: requests were lost, which is a defect of this program.
    """
    play = play or Play()
    several = [deployment] if isinstance(deployment, Deployment) else list(deployment)
    fast = len(trace) > PLAIN if compiled is None else compiled
    pools = [pool_of(one, efficiencies, play) for one in several]
    pools = (
        [replace(pool, price=price) for pool, price in zip(pools, prices, strict=True)]
        if prices
        else pools
    )
    fleet = fleet_of(trace, pools, play, compiled=fast, efficiencies=efficiencies, serving=serving)
    lives = operate(fleet, pools, play, _loop(compiled=fast))
    records, end = _records(fleet.world), float(fleet.clock[0])
    return Simulation(
        machine=pools[0].machines[0],
        deployment=several[0],
        play=play,
        serving=serving,
        records=records,
        series=_series(fleet, pools, lives),
        gaps=fleet.world.gaps,
        counts=conserved(records, holding(fleet)),
        sums={name: float(column(fleet.world.lanes, name).sum()) for name in SUMS},
        usage=tuple(_usage(fleet, pools, lives)),
        end=end,
    )


def _loop(*, compiled: bool) -> Callable[..., float]:
    if not compiled:
        return run
    from inferometer.simulate.compiled import compiled_run  # noqa: PLC0415 - imports numba

    return compiled_run()


def _records(world: World) -> Records:
    fields: dict[str, Any] = {
        name: column(world.requests, name) for name in Records.__dataclass_fields__
    }
    return Records(**fields)


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


def conserved(records: Records, held: int) -> Counts:
    """Return where the requests ended, having checked that none is lost or out of order.

    Those that a failed replica took with it, and that nobody sent again, count as rejected.

    Args:
        records: Every request.
        held: What the fleet holds then (`holding`).

    Raises:
        LedgerError: arrived != finished + rejected + timed out + in flight, more or fewer in flight
            than are held, or an effect before its cause.
    """
    arrived, done = records.attempts > 0, records.done
    counts = Counts(
        arrived=float(arrived.sum()),
        finished=float(done.sum()),
        rejected=float(np.isin(records.status, (REJECTED, LOST)).sum()),
        timed_out=float((records.status == TIMED_OUT).sum()),
        in_flight=float(held),
    )
    ended = counts.finished + counts.rejected + counts.timed_out
    flying = ((records.status == WAITING) & (records.attempts > 0)).sum()
    if counts.arrived != ended + counts.in_flight or flying != held:
        raise LedgerError(f"requests were lost: {counts}, {flying} not answered")
    times = np.stack(
        [
            getattr(records, name)[done]
            for name in ("asked", "arrival", "admitted", "first_token", "finished")
        ]
    )
    if (np.diff(times, axis=0) < 0).any():
        raise LedgerError("a request was answered before it was admitted")
    return counts
