"""JSON Lines traces, one typed record per line: Mooncake, Bailian, llmservingsim and our own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from inferometer.errors import WorkloadError
from inferometer.units import Duration, Unit
from inferometer.workload.formats.columns import Columns
from inferometer.workload.formats.lines import lines

R = TypeVar("R")
Count = Annotated[int, msgspec.Meta(ge=0)]
MOONCAKE_BLOCK = 512  # tokens; Mooncake trace, kvcache-ai/Mooncake FAST25-release README
BAILIAN_BLOCK = 16  # tokens; alibaba-edu/qwen-bailian-usagetraces-anon README


@dataclass(slots=True)
class Mooncake:
    """One row; `timestamp` in ms."""

    timestamp: Annotated[float, Unit("ms")]
    input_length: Count
    output_length: Count
    hash_ids: list[Count] | None = None


@dataclass(slots=True)
class Bailian:
    """One row; `timestamp` in s, `parent_chat_id` -1 for the first turn of a session."""

    chat_id: int
    parent_chat_id: int
    timestamp: Duration
    input_length: Count
    output_length: Count
    hash_ids: list[Count] | None = None


@dataclass(slots=True)
class Simulated:
    """One row of an llmservingsim workload."""

    input_toks: Count
    output_toks: Count
    arrival_time_ns: int


@dataclass(slots=True)
class Logged:
    """One request as llmservingsim's benchmark logs it; `queued_ts` in s of a monotonic clock."""

    input_toks: Count
    output_toks: Count
    queued_ts: Duration


@dataclass(slots=True)
class Own:
    """One row of Inferometer's own format; times in s, from any origin."""

    arrival_s: Duration
    input_tokens: Count
    output_tokens: Count
    session: int | None = None
    tenant: str | None = None
    hash_ids: list[Count] | None = None
    block_size: Annotated[int, msgspec.Meta(gt=0)] | None = None


def records(path: Path, row: type[R]) -> Iterator[tuple[int, R]]:
    """Yield (line number, record) of a JSON Lines file; blank lines hold no request.

    Raises:
        WorkloadError: see `lines`; a line that is not such a record, naming the field.
    """
    decode = msgspec.json.Decoder(row).decode
    for number, line in lines(path):
        if not line.strip():
            continue
        try:
            yield number, decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            cut = "" if line.endswith(b"\n") else " (the last line: is the file cut off?)"
            raise WorkloadError(f"{path}:{number}: {error}{cut}") from None


def read_mooncake(path: Path) -> Columns:
    """Return the requests of a Mooncake trace.

    Raises:
        WorkloadError: see `records`.
    """
    columns = Columns(path=path, block_size=MOONCAKE_BLOCK)
    for line, row in records(path, Mooncake):
        columns.add(line, row.timestamp / 1e3, row.input_length, row.output_length)
        if row.hash_ids is not None:
            columns.add_hashes(line, row.hash_ids)
    return columns


def read_bailian(path: Path) -> Columns:
    """Return the requests of a Bailian (Qwen) trace; a session is a chain of parents.

    Raises:
        WorkloadError: see `records`.
    """
    columns, sessions = Columns(path=path, block_size=BAILIAN_BLOCK), dict[int, int]()
    for line, row in records(path, Bailian):
        columns.add(line, row.timestamp, row.input_length, row.output_length)
        if row.parent_chat_id != -1 and row.parent_chat_id not in sessions:
            columns.orphans += 1
        session = sessions.get(row.parent_chat_id, row.chat_id)
        sessions[row.chat_id] = session
        columns.add_session(line, session)
        if row.hash_ids is not None:
            columns.add_hashes(line, row.hash_ids)
    return columns


def read_llmservingsim(path: Path) -> Columns:
    """Return the requests of an llmservingsim workload.

    Raises:
        WorkloadError: see `records`.
    """
    columns, origin = Columns(path=path), 0
    for line, row in records(path, Simulated):
        origin = origin if columns.lines else row.arrival_time_ns
        columns.add(line, (row.arrival_time_ns - origin) / 1e9, row.input_toks, row.output_toks)
    return columns


def read_llmservingsim_log(path: Path) -> Columns:
    """Return the requests that llmservingsim's benchmark logged, by the time of queueing.

    Raises:
        WorkloadError: see `records`.
    """
    columns = Columns(path=path)
    for line, row in records(path, Logged):
        columns.add(line, row.queued_ts, row.input_toks, row.output_toks)
    return columns


def read_own(path: Path) -> Columns:
    """Return the requests of a file in Inferometer's own format.

    Raises:
        WorkloadError: see `records`; hashes without a block size, or of several sizes.
    """
    columns = Columns(path=path)
    for line, row in records(path, Own):
        columns.add(line, row.arrival_s, row.input_tokens, row.output_tokens)
        if row.session is not None:
            columns.add_session(line, row.session)
        if row.tenant is not None:
            columns.tenant.append(row.tenant)
        if row.hash_ids is not None:
            columns.block_size = _block_size(path, line, row.block_size, columns.block_size)
            columns.add_hashes(line, row.hash_ids)
    if 0 < len(columns.tenant) < len(columns.inputs):
        raise WorkloadError(f"{path}: tenant is given for some requests; give all or none")
    return columns


def _block_size(path: Path, line: int, given: int | None, before: int) -> int:
    if given is None:
        raise WorkloadError(f"{path}:{line}: hash_ids without block_size; add it, in tokens")
    if before not in {0, given}:
        raise WorkloadError(f"{path}:{line}: block_size {given} after {before}; use one throughout")
    return given
