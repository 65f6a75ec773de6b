"""A request trace as numpy columns: who asked when, for how many tokens, sharing which prefix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferometer.errors import WorkloadError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefixes:
    """Content hashes of prompt blocks, ragged: request i owns hashes[offsets[i]:offsets[i + 1]].

    Attributes:
        hashes: Hash ids; equal ids mean equal content of the block and all before it.
        offsets: Start of each request's hashes, length requests + 1.
        block_size: Tokens per block.
    """

    hashes: Ints  # [hash]
    offsets: Ints  # [request + 1]
    block_size: int

    def of(self, request: int) -> list[int]:
        """Return the hashes of one request."""
        start, end = self.offsets[request : request + 2]
        return self.hashes[start:end].tolist()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calls:
    """Which requests wait for which: the calls of agents as a graph without cycles.

    A request is sent at the latest of its predecessors' ends (or dispatches) and delays, and not
    before `earliest`.

    Attributes:
        before: Request that is waited for, by its place in the trace.
        after: Request that waits; always later in the trace, so there is no cycle.
        delay: Tool or think time between the two.
        dispatched: Whether the predecessor's dispatch counts, not its end.
        earliest: Earliest time of each request that has predecessors; 0 for none.
        task: Agent run of each request.
    """

    before: Ints  # [edge]
    after: Ints  # [edge]
    delay: Floats  # [edge] s
    dispatched: Flags  # [edge]
    earliest: Floats  # [request] s
    task: Ints  # [request]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Requests in order of arrival.

    Attributes:
        arrival: Seconds since the first request, never decreasing.
        input_tokens: Prompt length.
        output_tokens: Generated length, reasoning included.
        session: Session or chat id of each request; None if the trace names none.
        tenant: Tenant of each request; None if the trace names none.
        prefixes: Prefix structure; None if the trace has none.
        calls: Which requests wait for which; None if all come by their times.
        prepared: Time of stages before the model, retrieval say, which its user waits for too; None
            for none.
        name: Where it came from, for reports.
    """

    arrival: Floats  # [request] s
    input_tokens: Ints  # [request] tok
    output_tokens: Ints  # [request] tok
    session: Ints | None = None  # [request]
    tenant: NDArray[np.str_] | None = None  # [request]
    prefixes: Prefixes | None = None
    calls: Calls | None = None
    prepared: Floats | None = None  # [request] s
    name: str = ""

    def __post_init__(self) -> None:
        size = len(self.arrival)
        if size == 0:
            raise WorkloadError(f"{self.name or 'trace'}: no requests")
        for column in ("input_tokens", "output_tokens"):
            values = getattr(self, column)
            if len(values) != size:
                raise WorkloadError(f"{self.name or 'trace'}: {column} has {len(values)} of {size}")
            if values.min() < 0:
                row = int(values.argmin())
                raise WorkloadError(f"{self.name or 'trace'}: {column}[{row}] is negative")
        if not np.isfinite(self.arrival).all():
            raise WorkloadError(f"{self.name or 'trace'}: arrival is not finite")
        if (np.diff(self.arrival) < 0).any():
            raise WorkloadError(f"{self.name or 'trace'}: arrivals are not in order; sort them")
        for fault in (*_faulty_calls(self.calls, size), *_faulty_stages(self.prepared, size)):
            raise WorkloadError(f"{self.name or 'trace'}: {fault}")

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def span(self) -> float:
        """Seconds between the first and the last arrival."""
        return float(self.arrival[-1] - self.arrival[0])


def _faulty_calls(calls: Calls | None, size: int) -> list[str]:
    if calls is None:
        return []
    ends = np.concatenate([calls.before, calls.after])
    faults = [
        (len(calls.task) != size or len(calls.earliest) != size, "calls: not one task per request"),
        (
            len(ends) > 0 and not 0 <= ends.min() <= ends.max() < size,
            "calls: an edge names a request that is not there",
        ),
        (
            bool((calls.before >= calls.after).any()),
            "calls: a request waits for a later one, or for itself",
        ),
        (
            not (np.isfinite(calls.delay) & (calls.delay >= 0)).all(),
            "calls: a delay is negative or not finite",
        ),
        (
            not (np.isfinite(calls.earliest) & (calls.earliest >= 0)).all(),
            "calls: an earliest time is negative or not finite",
        ),
    ]
    return [text for bad, text in faults if bad]


def _faulty_stages(prepared: Floats | None, size: int) -> list[str]:
    if prepared is None:
        return []
    sound = len(prepared) == size and (np.isfinite(prepared) & (prepared >= 0)).all()
    return [] if sound else ["prepared: one time of at least 0 s per request is wanted"]
