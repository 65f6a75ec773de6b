"""Rows of any format, gathered as columns, checked as a whole and sealed into a trace."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inferometer.errors import WorkloadError
from inferometer.workload.trace import Calls, Floats, Ints, Prefixes, Trace

if TYPE_CHECKING:
    Reals = array[float]
    Wholes = array[int]
else:  # Python 3.11 cannot subscript it
    Reals = Wholes = array

LONGEST = 10**9
"""Tokens of one request beyond which a figure is taken for a fault (largest context: 10^7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Where the rows of a file went: rows = kept + failed + empty.

    Attributes:
        rows: Requests in the file.
        kept: Requests in the trace.
        failed: Set aside: the file says that they failed.
        empty: Set aside: no input or no output tokens.
        reordered: Of the kept, those that came before their predecessor; the trace is sorted.
        orphans: Of the kept, those whose parent is not in the file; each starts a session.
    """

    rows: int
    kept: int
    failed: int = 0
    empty: int = 0
    reordered: int = 0
    orphans: int = 0

    def __post_init__(self) -> None:
        if self.rows != self.kept + self.failed + self.empty:
            raise WorkloadError(f"rows do not add up: {self}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Read:
    """A trace and what became of the rows that it was read from.

    Attributes:
        trace: The requests.
        counts: Rows kept and set aside.
        format: Name of the format.
    """

    trace: Trace
    counts: Tally
    format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lengths:
    """Token counts of requests without their arrival times.

    Attributes:
        inputs: Prompt lengths.
        outputs: Output lengths of the same requests.
        counts: Rows kept and set aside.
        format: Name of the format.
    """

    inputs: Ints  # [request] tok
    outputs: Ints  # [request] tok
    counts: Tally
    format: str = ""


def _floats() -> Reals:
    return array("d")


def _ints() -> Wholes:
    return array("q")


LARGEST_BLOCK = 2**31
"""Tokens of a block of hashes; more is a fault of the file. Our own choice."""


@dataclass(slots=True, kw_only=True, eq=False)
class Columns:
    """Requests gathered so far; `arrival` stays empty for a format without times."""

    path: Path
    arrival: Reals = field(default_factory=_floats)
    inputs: Wholes = field(default_factory=_ints)
    outputs: Wholes = field(default_factory=_ints)
    lines: Wholes = field(default_factory=_ints)  # line, or row for a binary format
    session: Wholes = field(default_factory=_ints)
    tenant: list[str] = field(default_factory=list[str])
    hashes: Wholes = field(default_factory=_ints)
    blocks: Wholes = field(default_factory=_ints)  # hashes of each request
    block_size: int = 0
    task: Wholes = field(default_factory=_ints)  # agent run of each request
    earliest: Reals = field(default_factory=_floats)
    edges: list[tuple[int, int, float, bool]] = field(default_factory=list)  # as `Calls`, by row
    failed: int = 0
    orphans: int = 0

    def add(self, line: int, arrival: float, inputs: int, outputs: int) -> None:
        """Append one request that arrived at `arrival`, s from any origin."""
        self.arrival.append(arrival)
        self.add_lengths(line, inputs, outputs)

    def add_lengths(self, line: int, inputs: int, outputs: int) -> None:
        """Append one request of unknown arrival.

        Raises:
            WorkloadError: a count that is not a signed 64-bit number.
        """
        self.lines.append(line)
        try:
            self.inputs.append(inputs)
            self.outputs.append(outputs)
        except OverflowError:
            raise WorkloadError(f"{self.path}:{line}: tokens exceed 63 bits") from None

    def add_session(self, line: int, session: int) -> None:
        """Append the session of the request added last.

        Raises:
            WorkloadError: a session that is not a signed 64-bit number.
        """
        try:
            self.session.append(session)
        except OverflowError:
            raise WorkloadError(f"{self.path}:{line}: session exceeds 63 bits; renumber") from None

    def add_hashes(self, line: int, hashes: Sequence[int]) -> None:
        """Append the block hashes of the request added last.

        Raises:
            WorkloadError: a hash that is not a signed 64-bit number.
        """
        try:
            self.hashes.extend(hashes)
        except OverflowError:
            raise WorkloadError(f"{self.path}:{line}: hash_ids exceed 63 bits; renumber") from None
        self.blocks.append(len(hashes))


def trace_of(columns: Columns, *, absolute: bool = False) -> Read:
    """Return the requests in order of arrival, the first at 0 s.

    Args:
        columns: The requests.
        absolute: Whether arrivals stay as they are: this is part of a longer trace.

    Raises:
        WorkloadError: no arrival times, no usable request, or prefixes that contradict lengths.
    """
    path, size = columns.path, len(columns.inputs)
    if size and not len(columns.arrival):
        raise WorkloadError(
            f"{path}: lengths without arrival times; sample them at a rate of your own with"
            " `trace synth` (lengths.file in the spec)"
        )
    inputs, outputs, usable = _lengths(columns)
    arrival: Floats = np.frombuffer(columns.arrival)
    if not np.isfinite(arrival).all():
        line = columns.lines[int(np.argmin(np.isfinite(arrival)))]
        raise WorkloadError(f"{path}:{line}: the arrival time is not finite")
    kept = np.flatnonzero(usable)
    order = kept[np.argsort(arrival[kept], kind="stable")]
    origin = 0.0 if absolute else arrival[order[0]]
    trace = Trace(
        arrival=arrival[order] - origin,
        input_tokens=inputs[order],
        output_tokens=outputs[order],
        session=_column(columns, "session", columns.session)[order] if columns.session else None,
        tenant=np.array(columns.tenant)[order] if columns.tenant else None,
        prefixes=_prefixes(columns, inputs, order),
        calls=_calls(columns, usable, order, float(origin)),
        name=path.name,
    )
    reordered = int((np.diff(arrival[kept]) < 0).sum())
    return Read(trace=trace, counts=_tally(columns, len(order), reordered))


def _calls(columns: Columns, usable: np.ndarray, order: np.ndarray, origin: float) -> Calls | None:
    """Return what waits for what, by place in the trace, in times from `origin` on.

    Raises:
        WorkloadError: a call without tokens, which others may wait for.
    """
    if not len(columns.task):
        return None
    if not usable.all():
        line = columns.lines[int(np.argmin(usable))]
        raise WorkloadError(f"{columns.path}:{line}: a call without input or output tokens")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    edges = columns.edges
    return Calls(
        before=place[np.array([edge[0] for edge in edges], np.int64)],
        after=place[np.array([edge[1] for edge in edges], np.int64)],
        delay=np.array([edge[2] for edge in edges], np.float64),
        dispatched=np.array([edge[3] for edge in edges], np.bool_),
        earliest=np.maximum(np.frombuffer(columns.earliest)[order] - origin, 0.0),
        task=_column(columns, "play_id", columns.task)[order],
    )


def lengths_of(columns: Columns) -> Lengths:
    """Return the lengths alone, in the order of the file.

    Raises:
        WorkloadError: no usable request.
    """
    inputs, outputs, usable = _lengths(columns)
    counts = _tally(columns, int(usable.sum()), 0)
    return Lengths(inputs=inputs[usable], outputs=outputs[usable], counts=counts)


def _lengths(columns: Columns) -> tuple[Ints, Ints, np.ndarray]:
    """Return prompt lengths, output lengths, and which requests have both."""
    inputs: Ints = np.frombuffer(columns.inputs, np.int64)
    outputs: Ints = np.frombuffer(columns.outputs, np.int64)
    for name, values in (("input", inputs), ("output", outputs)):
        wrong = np.flatnonzero((values < 0) | (values > LONGEST))
        if len(wrong):
            raise WorkloadError(
                f"{columns.path}:{columns.lines[wrong[0]]}: {values[wrong[0]]} {name} tokens;"
                f" 0 to {LONGEST:,} are believable"
            )
    usable = (inputs > 0) & (outputs > 0)
    if not usable.any():
        found = f"{columns.failed} failed, {len(inputs)} empty"
        raise WorkloadError(f"{columns.path}: no usable requests ({found}); give another file")
    return inputs, outputs, usable


def _tally(columns: Columns, kept: int, reordered: int) -> Tally:
    return Tally(
        rows=len(columns.inputs) + columns.failed,
        kept=kept,
        failed=columns.failed,
        empty=len(columns.inputs) - kept,
        reordered=reordered,
        orphans=columns.orphans,
    )


def _column(columns: Columns, name: str, values: Wholes) -> Ints:
    """Return an optional column, which every request or none must have."""
    if len(values) != len(columns.inputs):
        raise WorkloadError(
            f"{columns.path}: {name} is given for {len(values)} of {len(columns.inputs)} requests;"
            " give it for all or none"
        )
    return np.frombuffer(values, np.int64)


def _prefixes(columns: Columns, inputs: Ints, order: np.ndarray) -> Prefixes | None:
    if not len(columns.blocks):
        return None
    blocks = _column(columns, "hash_ids", columns.blocks)
    hashes: Ints = np.frombuffer(columns.hashes, np.int64)
    _check_blocks(columns, inputs, blocks)
    offsets = np.concatenate(([0], np.cumsum(blocks)))
    _check_hashes(columns, hashes, offsets)
    if (order == np.arange(len(inputs))[: len(order)]).all() and len(order) == len(inputs):
        return Prefixes(hashes=hashes, offsets=offsets, block_size=columns.block_size)
    counts = blocks[order]
    ends = np.cumsum(counts)
    index = np.arange(int(counts.sum())) + np.repeat(offsets[order] - (ends - counts), counts)
    moved = np.concatenate(([0], ends))
    return Prefixes(hashes=hashes[index], offsets=moved, block_size=columns.block_size)


def _check_blocks(columns: Columns, inputs: Ints, blocks: Ints) -> None:
    """Check that hashes cover the prompt, its last partial block counted or not."""
    size = columns.block_size
    if size > LARGEST_BLOCK:
        raise WorkloadError(f"{columns.path}: blocks of {size} tokens; at most {LARGEST_BLOCK}")
    wrong = np.flatnonzero((blocks != -(-inputs // size)) & (blocks != inputs // size))
    if len(wrong):
        row = wrong[0]
        raise WorkloadError(
            f"{columns.path}:{columns.lines[row]}: {blocks[row]} hash_ids for {inputs[row]} input"
            f" tokens in blocks of {size}; {-(-inputs[row] // size)} are wanted"
        )


def _check_hashes(columns: Columns, hashes: Ints, offsets: Ints) -> None:
    """Check that a hash names a block with all before it: it always follows the same hash."""
    if not len(hashes):
        return
    if hashes.min() < 0:
        row = np.searchsorted(offsets, hashes.argmin(), "right") - 1
        raise WorkloadError(f"{columns.path}:{columns.lines[row]}: a hash id is negative; renumber")
    ids = dense(hashes)
    before = np.empty_like(ids)
    before[0], before[1:] = -1, ids[:-1]
    starts = offsets[:-1]
    before[starts[starts < len(ids)]] = -1
    follows = np.empty(int(ids.max()) + 1, np.int64)
    follows[ids[::-1]] = before[::-1]  # the first in the file stays
    wrong = np.flatnonzero(follows[ids] != before)
    if len(wrong):
        row = np.searchsorted(offsets, wrong[0], "right") - 1
        raise WorkloadError(
            f"{columns.path}:{columns.lines[row]}: hash id {hashes[wrong[0]]} follows different"
            " blocks in different requests; a hash id must name a block and all before it"
        )


def dense(hashes: Ints) -> Ints:
    """Return hash ids renumbered, if need be, so that the largest is near their count."""
    if len(hashes) and hashes.max() >= 4 * len(hashes) + 1024:
        return np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    return hashes
