"""A request trace as numpy columns: who asked when, for how many tokens, sharing which prefix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferometer.errors import WorkloadError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
        name: Where it came from, for reports.
    """

    arrival: Floats  # [request] s
    input_tokens: Ints  # [request] tok
    output_tokens: Ints  # [request] tok
    session: Ints | None = None  # [request]
    tenant: NDArray[np.str_] | None = None  # [request]
    prefixes: Prefixes | None = None
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

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def span(self) -> float:
        """Seconds between the first and the last arrival."""
        return float(self.arrival[-1] - self.arrival[0])
