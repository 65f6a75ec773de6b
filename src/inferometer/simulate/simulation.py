"""Play a workload to a deployment, request by request, and say what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.errors import LedgerError
from inferometer.outcome import Counts
from inferometer.perf.roofline import Machine
from inferometer.simulate import fleet
from inferometer.simulate.state import FINISHED, REJECTED, SAMPLED, World
from inferometer.simulate.world import Play, column, machine_of, opening, world_of
from inferometer.units import Duration
from inferometer.workload.trace import Floats, Ints, Trace

PLAIN = 10_000
"""Requests up to which the loop runs as it is: importing numba takes as long as playing them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """What became of every request, in the order of the trace; -1 s where it did not happen.

    Attributes:
        arrival: When it reached the router [request] s.
        admitted: When its first prompt token was scheduled [request] s.
        first_token: When its first output token left the engine [request] s.
        finished: When its last one did [request] s.
        prompt: Prompt tokens [request].
        output: Output tokens [request].
        lane: Lane that served it, -1 if rejected [request].
        status: `state.WAITING` (in flight), `FINISHED` or `REJECTED` [request].
        preemptions: How often it was preempted [request].
        cached: Prompt tokens served from the prefix cache [request].
    """

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
    """

    interval: Duration
    running: Floats
    waiting: Floats
    kv_fraction: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulation:
    """One run.

    Attributes:
        machine: The deployment, compiled.
        deployment: The deployment.
        play: How the workload was played.
        records: Every request.
        series: The fleet over time.
        gaps: Gaps between tokens by bucket (`tally.bucket`) [bucket].
        counts: Where the requests ended.
        sums: Totals over all lanes by name of the field of `state.Lane`.
        lanes: Lanes.
        blocks: KV blocks of a lane.
        end: When the last event took place.
    """

    machine: Machine
    deployment: Deployment
    play: Play
    records: Records
    series: Series
    gaps: Ints
    counts: Counts
    sums: dict[str, float]
    lanes: int
    blocks: int
    end: Duration


SUMS = (
    "plain_time", "plain_compute", "plain_memory", "mixed_time", "mixed_compute", "mixed_memory",
    "sequence_time", "block_time", "preemptions", "steps",
)  # fmt: skip


def simulate(
    trace: Trace,
    deployment: Deployment,
    *,
    efficiencies: Efficiencies,
    play: Play | None = None,
    compiled: bool | None = None,
) -> Simulation:
    """Return what becomes of `trace` on `deployment`; O(requests x log sequences).

    Args:
        trace: The requests.
        deployment: The fleet.
        efficiencies: Parameters of the step time.
        play: Router, seed, open or closed loop.
        compiled: Whether the loop is compiled; by the number of requests if None.

    Raises:
        ScenarioError: settings that no engine would accept, or that the loop does not play.
        InfeasibleError: the weights do not fit.
        LedgerError: requests were lost, which is a defect of this program.
    """
    play = play or Play()
    fast = len(trace) > PLAIN if compiled is None else compiled
    machine = machine_of(deployment, efficiencies)
    world = world_of(trace, deployment, machine, play, compiled=fast)
    end = _loop(compiled=fast)(world, opening(world.requests), play.horizon)
    records = _records(world)
    return Simulation(
        machine=machine,
        deployment=deployment,
        play=play,
        records=records,
        series=_series(world),
        gaps=world.gaps,
        counts=conserved(records, end),
        sums={name: float(column(world.lanes, name).sum()) for name in SUMS},
        lanes=len(world.lanes),
        blocks=world.limits.blocks,
        end=float(end),
    )


def _loop(*, compiled: bool) -> Callable[..., float]:
    if not compiled:
        return fleet.run
    from inferometer.simulate.compiled import compiled_run  # noqa: PLC0415 - imports numba

    return compiled_run()


def _records(world: World) -> Records:
    fields: dict[str, Any] = {
        name: column(world.requests, name) for name in Records.__dataclass_fields__
    }
    return Records(**fields)


def _series(world: World) -> Series:
    taken = world.series[: int(world.counters[SAMPLED])]
    total = world.limits.blocks * len(world.lanes)
    return Series(
        interval=world.interval,
        running=taken[:, 0],
        waiting=taken[:, 1],
        kv_fraction=taken[:, 2] / total,
    )


def conserved(records: Records, end: Duration) -> Counts:
    """Return where the requests ended, having checked that none is lost or out of order.

    Raises:
        LedgerError: arrived != finished + rejected + in flight, or an effect before its cause.
    """
    arrived = records.arrival <= end
    done, gone = records.done, records.status == REJECTED
    routed = (records.lane >= 0) & ~done
    counts = Counts(
        arrived=float(arrived.sum()),
        finished=float(done.sum()),
        rejected=float(gone.sum()),
        in_flight=float(routed.sum()),
    )
    if counts.arrived != counts.finished + counts.rejected + counts.in_flight:
        raise LedgerError(f"requests were lost: {counts}")
    first, last = records.first_token[done], records.finished[done]
    times = np.stack([records.arrival[done], records.admitted[done], first, last])
    if (np.diff(times, axis=0) < 0).any():
        raise LedgerError("a request was answered before it was admitted")
    return counts
