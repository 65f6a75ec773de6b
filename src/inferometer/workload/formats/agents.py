"""Runs of agents as graphs of calls: Agentic Mooncake v2 files.

A call waits for others; when it comes follows from them, so that slow service delays it. The times
of the trace are those of service that takes no time.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any

import msgspec

from inferometer.errors import WorkloadError
from inferometer.workload.formats.columns import Columns
from inferometer.workload.formats.lines import lines
from inferometer.workload.trace import Trace

Count = Annotated[int, msgspec.Meta(ge=0)]
NO_BLOCK = 64
"""Block size that a file states whose calls have no hashes; the source's own."""

SCHEMA, VERSION = "dynamo.agentic_mooncake", 2
TRIGGERS = {"completion": False, "dispatch": True}


@dataclass(slots=True)
class Header:
    """First line of an Agentic Mooncake file."""

    schema: str
    version: int
    block_size: Annotated[int, msgspec.Meta(gt=0)]


@dataclass(slots=True)
class Dependency:
    """What a call waits for; `delay` in ms, as the file's other times."""

    predecessor: str
    trigger: str
    delay: float = 0.0


@dataclass(slots=True)
class Call:
    """One row of an Agentic Mooncake file; `not_before_ms` counts from the start of the file."""

    request_id: str
    play_id: str
    input_length: Count
    output_length: Count
    not_before_ms: float = 0.0
    hash_ids: list[Count] | None = None
    dependencies: list[Dependency] = field(default_factory=list[Dependency])


def read_agentic_mooncake(path: Path) -> Columns:
    """Return the calls of an Agentic Mooncake v2 file, each after all that it waits for.

    Raises:
        WorkloadError: another version, an unknown predecessor or trigger, a cycle, a negative or
            endless time, a name used twice; the line is named.
    """
    rows = iter((number, line) for number, line in lines(path) if line.strip())
    header = _decoded(path, next(rows, (1, b"")), Header)
    if (header.schema, header.version) != (SCHEMA, VERSION):
        raise WorkloadError(
            f"{path}:1: {header.schema!r} version {header.version}; {SCHEMA!r} {VERSION} is wanted"
        )
    calls = dict[str, tuple[int, Call]]()
    for number, line in rows:
        call = _decoded(path, (number, line), Call)
        if call.request_id in calls:
            raise WorkloadError(f"{path}:{number}: request_id {call.request_id!r} occurs twice")
        calls[call.request_id] = (number, call)
    return _gathered(path, header.block_size, calls)


def agentic_rows(trace: Trace) -> Iterator[dict[str, object]]:
    """Yield the header and the calls of a trace as an Agentic Mooncake v2 file has them.

    Raises:
        WorkloadError: requests that are no calls of agents, or what the format cannot hold.
    """
    calls = trace.calls
    if calls is None or trace.tenant is not None or trace.prepared is not None:
        raise WorkloadError(
            "Agentic Mooncake files hold calls of agents, and neither tenants nor stages; write"
            " .jsonl or .parquet for other requests"
        )
    block = trace.prefixes.block_size if trace.prefixes is not None else NO_BLOCK
    source = {"format": "inferometer"}
    yield {"schema": SCHEMA, "version": VERSION, "block_size": block, "hash_id_scope": "local",
           "source": source}  # fmt: skip
    needs: list[list[dict[str, object]]] = [[] for _ in range(len(trace))]
    edges = zip(calls.before, calls.after, calls.delay, calls.dispatched, strict=True)
    for before, after, delay, dispatched in edges:
        needs[after].append({
            "predecessor": str(before), "trigger": "dispatch" if dispatched else "completion",
            "delay": float(delay) * 1e3,
        })  # fmt: skip
    for row in range(len(trace)):
        first = float(calls.earliest[row]) if needs[row] else float(trace.arrival[row])
        line: dict[str, object] = {
            "request_id": str(row),
            "play_id": str(calls.task[row]),
            "input_length": int(trace.input_tokens[row]),
            "output_length": int(trace.output_tokens[row]),
            "not_before_ms": first * 1e3,
            "dependencies": needs[row],
        }
        if trace.prefixes is not None:
            line["hash_ids"] = trace.prefixes.of(row)
        yield line


def _decoded(path: Path, line: tuple[int, bytes], kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(line[1], type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorkloadError(f"{path}:{line[0]}: {error}") from None


def _gathered(path: Path, block_size: int, calls: dict[str, tuple[int, Call]]) -> Columns:
    columns = Columns(path=path, block_size=block_size)
    place, task, due = dict[str, int](), dict[str, int](), dict[str, float]()
    for name in _order(path, calls):
        line, call = calls[name]
        place[name] = len(columns.inputs)
        due[name] = max(
            [call.not_before_ms, *(due[d.predecessor] + d.delay for d in call.dependencies)]
        )
        columns.add(line, due[name] / 1e3, call.input_length, call.output_length)
        columns.earliest.append(call.not_before_ms / 1e3)
        columns.task.append(task.setdefault(call.play_id, len(task)))
        for needed in call.dependencies:
            columns.edges.append(
                (place[needed.predecessor], place[name], needed.delay / 1e3,
                 TRIGGERS[needed.trigger])
            )  # fmt: skip
        if call.hash_ids is not None:
            columns.add_hashes(line, call.hash_ids)
    return columns


def _order(path: Path, calls: dict[str, tuple[int, Call]]) -> Iterator[str]:
    """Return the calls so that each comes after what it waits for, having checked them."""
    for line, call in calls.values():
        for needed in call.dependencies:
            if needed.predecessor not in calls:
                raise WorkloadError(
                    f"{path}:{line}: predecessor {needed.predecessor!r} is not in the file"
                )
            if needed.trigger not in TRIGGERS:
                known = ", ".join(TRIGGERS)
                raise WorkloadError(f"{path}:{line}: trigger {needed.trigger!r} is none of {known}")
        times = [call.not_before_ms, *(needed.delay for needed in call.dependencies)]
        _check_times(path, line, times)
    graph = {
        name: [needed.predecessor for needed in call.dependencies]
        for name, (_, call) in calls.items()
    }
    try:
        return iter(list(TopologicalSorter(graph).static_order()))
    except CycleError as error:
        first = str(error.args[1][0])
        raise WorkloadError(
            f"{path}:{calls[first][0]}: request {first!r} waits for itself through others"
        ) from None


def _check_times(path: Path, line: int, times: Sequence[float]) -> None:
    for time in times:
        if not 0 <= time < math.inf:
            raise WorkloadError(f"{path}:{line}: {time} is a negative or endless time")
