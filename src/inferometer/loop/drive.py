"""How load is put on an endpoint: an open loop, a closed loop, or conversations."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from inferometer.errors import EngineError, ScenarioError
from inferometer.loop.client import Endpoint, Shot, shoot
from inferometer.loop.jobs import Job

LEAD = 0.05
"""Seconds between the start of a run and its first request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was sent, and how it went.

    Attributes:
        shots: Every request, in order of sending.
        began: Monotonic seconds at the start.
        exhausted: When the last request was sent: until then a closed loop is full.
        ended: When the last answer was complete.
        clients: Requests in flight at most; 0 for an open loop.
    """

    shots: tuple[Shot, ...]
    began: float
    exhausted: float
    ended: float
    clients: int

    @property
    def good(self) -> tuple[Shot, ...]:
        """Requests that were answered."""
        return tuple(shot for shot in self.shots if not shot.error)


def drive(endpoint: Endpoint, jobs: Sequence[Job], *, clients: int, loop: str = "closed") -> Run:
    """Return a run of `jobs` against an endpoint.

    An open loop sends each request when it is due, however many are in flight, and counts latency
    from when it was due: a stall of the server shows in all that should have been sent meanwhile.

    Args:
        endpoint: Where to.
        jobs: What to send.
        clients: Requests in flight, for "closed"; conversations at a time, for "sessions".
        loop: "open", "closed" or "sessions".

    Raises:
        EngineError: the endpoint went away, or answered nothing.
        ScenarioError: an unknown kind of loop, no jobs, or no clients.
    """
    if loop not in LOOPS:
        raise ScenarioError(f"loop {loop!r}: not one of {', '.join(LOOPS)}")
    if not jobs or (loop != "open" and clients < 1):
        raise ScenarioError("a run needs at least one request and one client")
    found = asyncio.run(_driven(endpoint, jobs, clients, LOOPS[loop]))
    if not found.good:
        raise EngineError(f"{endpoint.url}: none of {len(found.shots)} requests was answered: "
                          f"{found.shots[0].error}")  # fmt: skip
    return found


Queue = deque[Sequence[Job]]
Send = Callable[[Job, float], Coroutine[None, None, None]]
Loop = Callable[[Sequence[Job], int, float, Send], Coroutine[None, None, None]]


async def _driven(endpoint: Endpoint, jobs: Sequence[Job], clients: int, loop: Loop) -> Run:
    shots = list[Shot]()
    began = time.monotonic() + LEAD

    async def send(job: Job, due: float) -> None:
        shots.append(await shoot(endpoint, job, due))

    try:
        await loop(jobs, clients, began, send)
    except ExceptionGroup as group:
        first = _engine_error(group)
        good = sum(not shot.error for shot in shots)
        raise EngineError(f"{first}; {good} of {len(jobs)} requests had been answered") from first
    shots.sort(key=lambda shot: shot.sent)
    return Run(
        shots=tuple(shots),
        began=began,
        exhausted=shots[-1].sent,
        ended=max(shot.ended for shot in shots),
        clients=0 if loop is _open else clients,
    )


def _engine_error(group: "ExceptionGroup[Exception]") -> EngineError:
    """Return the first of a group's errors, which says that the endpoint is gone; re-raise else."""
    gone, rest = group.split(EngineError)
    if gone is None or rest is not None:
        raise group
    first = gone.exceptions[0]
    return first if isinstance(first, EngineError) else _engine_error(first)


async def _open(jobs: Sequence[Job], clients: int, began: float, send: Send) -> None:
    del clients
    async with asyncio.TaskGroup() as group:
        for job in sorted(jobs, key=lambda one: one.at):
            await asyncio.sleep(began + job.at - time.monotonic())
            group.create_task(send(job, began + job.at))


async def _closed(jobs: Sequence[Job], clients: int, began: float, send: Send) -> None:
    await _workers(deque((job,) for job in jobs), clients, began, send)


async def _sessions(jobs: Sequence[Job], clients: int, began: float, send: Send) -> None:
    """Play conversations turn by turn, with the pauses of the trace between a turn and the next."""
    turns: dict[int, list[Job]] = {}
    for place, job in enumerate(jobs):
        turns.setdefault(job.session if job.session >= 0 else -1 - place, []).append(job)
    await _workers(deque(turns.values()), clients, began, send)


async def _workers(queue: Queue, clients: int, began: float, send: Send) -> None:
    async def worker() -> None:
        while queue:
            last = None
            for job in queue.popleft():
                if last is not None:
                    await asyncio.sleep(max(job.at - last, 0.0))
                await send(job, time.monotonic())
                last = job.at

    await asyncio.sleep(began - time.monotonic())
    async with asyncio.TaskGroup() as group:
        for _ in range(min(clients, len(queue))):
            group.create_task(worker())


LOOPS: Mapping[str, Loop] = {"open": _open, "closed": _closed, "sessions": _sessions}
"""Kinds of load by name."""
