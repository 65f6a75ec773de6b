"""A run from its jobs to its figures: warm up, read counters, drive, read counters again."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inferometer.errors import EngineError, ScenarioError
from inferometer.loop.client import Endpoint, require_address
from inferometer.loop.drive import Run, drive
from inferometer.loop.jobs import Job
from inferometer.loop.readings import Spent, read, spent
from inferometer.loop.summary import Summary, summarise
from inferometer.units import PerSecond, Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How jobs are sent.

    Attributes:
        loop: "open", "closed" or "sessions".
        clients: Requests, or conversations, at a time; ignored by an open loop.
        warm: Requests sent before, one after another, and not counted.
        watts: Declared draw of a busy core, where the machine counts no energy; None for none.
    """

    loop: str = "closed"
    clients: int = 4
    warm: int = 1
    watts: Watts | None = None

    def __post_init__(self) -> None:
        if self.warm < 0:
            raise ScenarioError(f"warm is {self.warm}; at least 0 requests are wanted")
        if self.watts is not None and not 0 < self.watts < float("inf"):
            raise ScenarioError(f"watts is {self.watts:g}; more than 0 is wanted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A run and its figures.

    Attributes:
        run: Every request.
        summary: The figures.
        spent: Counters.
    """

    run: Run
    summary: Summary
    spent: Spent


def bench(endpoint: Endpoint, jobs: Sequence[Job], load: Load, *, engine: str = "") -> Bench:
    """Return a run of `jobs`.

    Args:
        endpoint: Where they go.
        jobs: Requests.
        load: How they are sent.
        engine: Address of the engine behind a gateway, whose counters are read; else the endpoint.

    Raises:
        EngineError: the endpoint went away, or answered nothing.
        ScenarioError: an engine's address that is none.
    """
    counted = engine or endpoint.url
    require_address(counted)
    if load.warm:
        short = [_other(job) for job in jobs[: load.warm]]
        with contextlib.suppress(EngineError):  # said once, by the run itself
            drive(endpoint, short, clients=1)
    first = read(counted)
    run = drive(endpoint, jobs, clients=load.clients, loop=load.loop)
    took = spent(first, read(counted), load.watts)
    offered = offered_rate(jobs) if load.loop == "open" else 0.0
    return Bench(run=run, summary=summarise(run, took, loop=load.loop, offered=offered), spent=took)


def _other(job: Job) -> Job:
    """Return a short job of the same length whose prompt leaves nothing useful in a cache."""
    words = " ".join(reversed(job.prompt.split()))
    return replace(job, at=0.0, output_tokens=2, prompt=words)


def offered_rate(jobs: Sequence[Job]) -> PerSecond:
    """Return the mean rate at which jobs are due, 1/s; 0 for a single one."""
    times = [job.at for job in jobs]
    span = max(times) - min(times)
    return (len(times) - 1) / span if span > 0 else 0.0
