"""Runs of coding agents with their sub-agents: Weka's traces, which AgentX replays.

One JSON document is one run: calls of the agent in order of time, and sub-agents among them with
calls of their own. The file says when calls began and how long they took, not what waited for what,
so that follows from the times. A call waits for the agent's call before it and for the sub-agents
that had ended when it began; a sub-agent's first call waits for the agent's call before it. The
time left between the two is of tools or thought, and stays.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Required, TypedDict

import msgspec

from inferometer.errors import WorkloadError
from inferometer.units import Duration
from inferometer.workload.formats.columns import Columns
from inferometer.workload.formats.lines import lines, whole

Count = Annotated[int, msgspec.Meta(ge=0)]
Time = Annotated[float, msgspec.Meta(ge=0)]
SUBAGENT = "subagent"
SCOPE = "local"


Entry = TypedDict(
    "Entry",
    {
        "t": Required[Time],
        "type": str,
        "in": Count,
        "out": Count,
        "hash_ids": list[Count] | None,
        "api_time": Time | None,
        "requests": "list[Entry]",
    },
    total=False,
)
"""A call ("n", or "s" if streamed), or a sub-agent with `requests` of its own. Times in s, `t` from
the start of the run; `in` and `out` are tokens, `hash_ids` the run's own names of its blocks."""


@dataclass(slots=True)
class Run:
    """One document."""

    block_size: Annotated[int, msgspec.Meta(gt=0)]
    requests: list[Entry]
    hash_id_scope: str = SCOPE


@dataclass(slots=True)
class Gathering:
    """The columns so far, and how the hashes of the run at hand are numbered anew."""

    columns: Columns
    run: int = 0
    line: int = 0
    numbers: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])


@dataclass(frozen=True, slots=True)
class Done:
    """A call of an agent: its row, and when it had ended."""

    row: int
    end: Duration


def read_weka(path: Path) -> Columns:
    """Return the calls of a file with one run, or with one run a line.

    Raises:
        WorkloadError: not such a run; a negative or endless time; calls out of order; sizes of
            blocks that differ; the line is named.
    """
    gathering = Gathering(Columns(path=path))
    for number, (line, run) in enumerate(_runs(path)):
        gathering.run, gathering.line = number, line
        size = gathering.columns.block_size or run.block_size
        if run.hash_id_scope != SCOPE or run.block_size != size:
            raise WorkloadError(
                f"{path}:{line}: blocks of {run.block_size} with ids of scope "
                f"{run.hash_id_scope!r}; {size} and {SCOPE!r} are wanted"
            )
        gathering.columns.block_size = size
        _agent(gathering, run.requests, None)
    return gathering.columns


def _runs(path: Path) -> Iterator[tuple[int, Run]]:
    rows = [(number, line) for number, line in lines(path) if line.strip()]
    if rows and not _complete(rows[0][1]):
        rows = [(1, whole(path))]  # one document over several lines
    for number, line in rows:
        try:
            yield number, msgspec.json.decode(line, type=Run)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WorkloadError(f"{path}:{number}: {error}") from None


def _complete(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _agent(gathering: Gathering, entries: list[Entry], before: Done | None) -> Done | None:
    """Add the calls of an agent, and of the sub-agents among them; return its last call."""
    spawned = list[Done]()
    for place, entry in enumerate(entries):
        _check(gathering, entry, entries[place - 1] if place else entry)
        if entry.get("type") == SUBAGENT:
            last = _agent(gathering, _absolute(entry), before)
            spawned += [last] if last is not None and last is not before else []
            continue
        joined = [one for one in spawned if one.end <= entry["t"]]
        spawned = [one for one in spawned if one.end > entry["t"]]
        before = _call(gathering, entry, [*([before] if before else []), *joined])
    return before


def _absolute(agent: Entry) -> list[Entry]:
    """Return a sub-agent's calls; if they begin before it, their times count from its beginning."""
    calls = agent.get("requests", [])
    shift = agent["t"] if calls and calls[0]["t"] < agent["t"] else 0.0
    for call in calls:
        call["t"] += shift
    return calls


def _check(gathering: Gathering, entry: Entry, ahead: Entry) -> None:
    where = f"{gathering.columns.path}:{gathering.line}"
    if not all(math.isfinite(time) for time in (entry["t"], entry.get("api_time") or 0.0)):
        raise WorkloadError(f"{where}: a call at {entry['t']} s has no end")
    if entry["t"] < ahead["t"]:
        raise WorkloadError(
            f"{where}: a call at {entry['t']} s follows one at {ahead['t']} s; sort them by t"
        )


def _call(gathering: Gathering, entry: Entry, awaited: list[Done]) -> Done:
    columns, row, begin = gathering.columns, len(gathering.columns.inputs), entry["t"]
    columns.add(gathering.line, begin, entry.get("in", 0), entry.get("out", 0))
    columns.earliest.append(0.0 if awaited else begin)
    columns.task.append(gathering.run)
    for one in awaited:
        columns.edges.append((one.row, row, max(begin - one.end, 0.0), False))
    known, names = gathering.numbers, entry.get("hash_ids") or []
    hashes = [known.setdefault((gathering.run, name), len(known)) for name in names]
    columns.add_hashes(gathering.line, hashes)
    return Done(row, begin + (entry.get("api_time") or 0.0))
