"""Trace files in and out: `read` names the format itself, `write` goes by the suffix."""

import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from inferometer.catalog.names import nearest
from inferometer.errors import WorkloadError
from inferometer.workload.formats.agents import agentic_rows, read_agentic_mooncake
from inferometer.workload.formats.azure import read_azure
from inferometer.workload.formats.burstgpt import read_burstgpt
from inferometer.workload.formats.columns import Columns, Lengths, Read, lengths_of, trace_of
from inferometer.workload.formats.ledger import MAGIC, read_ledger
from inferometer.workload.formats.lengths import (
    read_lengths_csv,
    read_prefill_csv,
    read_sharegpt,
    read_vllm_bench,
)
from inferometer.workload.formats.lines import lines, regular_file
from inferometer.workload.formats.parquet import read_parquet, write_parquet
from inferometer.workload.formats.rows import (
    MOONCAKE_BLOCK,
    read_bailian,
    read_llmservingsim,
    read_llmservingsim_log,
    read_mooncake,
    read_own,
)
from inferometer.workload.formats.weka import read_weka
from inferometer.workload.trace import Trace

AGENTIC = "agentic-mooncake"

READERS: dict[str, Callable[[Path], Columns]] = {
    "azure": read_azure,
    "burstgpt": read_burstgpt,
    "bailian": read_bailian,
    AGENTIC: read_agentic_mooncake,
    "weka": read_weka,
    "mooncake": read_mooncake,
    "llmservingsim": read_llmservingsim,
    "llmservingsim-log": read_llmservingsim_log,
    "inferometer": read_own,
    "parquet": read_parquet,
    "ledger": read_ledger,
    "lengths": read_lengths_csv,
    "prefill-lengths": read_prefill_csv,
    "sharegpt": read_sharegpt,
    "vllm-bench": read_vllm_bench,
}
"""Reader of each format by name."""

_SIGNS = {  # names that tell a format, the more telling first
    AGENTIC: {"schema", "version", "block_size"},
    "weka": {"requests", "block_size"},
    "azure": {"TIMESTAMP", "ContextTokens"},
    "burstgpt": {"Timestamp", "Request tokens"},
    "bailian": {"chat_id", "timestamp", "input_length"},
    "mooncake": {"timestamp", "input_length"},
    "llmservingsim": {"input_toks", "arrival_time_ns"},
    "llmservingsim-log": {"input_toks", "queued_ts"},
    "inferometer": {"arrival_s", "input_tokens"},
    "lengths": {"input_length", "output_length"},
    "prefill-lengths": {"num_prefill_tokens", "num_decode_tokens"},
    "vllm-bench": {"input_lens"},
}
_TABLES = {"azure", "burstgpt", "lengths", "prefill-lengths"}
"""Formats that are CSV; the others hold one JSON object a line."""


def read(path: Path, format: str = "auto") -> Read:  # noqa: A002
    """Return the requests of a trace file, and what became of its rows.

    Args:
        path: The file; text formats may be gzip.
        format: A name of `READERS`, or "auto" to tell it by the content.

    Raises:
        WorkloadError: unknown format, no arrival times, or bad content, naming file and line.
    """
    name, columns = _columns(path, format)
    return dataclasses.replace(trace_of(columns), format=name)


def read_lengths(path: Path, format: str = "auto") -> Lengths:  # noqa: A002
    """Return the token counts of a trace file, which need not hold arrival times.

    Raises:
        WorkloadError: as `read`, but for missing arrival times.
    """
    name, columns = _columns(path, format)
    return dataclasses.replace(lengths_of(columns), format=name)


def read_either(path: Path, format: str = "auto") -> Read | Lengths:  # noqa: A002
    """Return a trace, or the lengths alone where the file holds no arrival times.

    Raises:
        WorkloadError: as `read_lengths`.
    """
    name, columns = _columns(path, format)
    result = trace_of(columns) if len(columns.arrival) else lengths_of(columns)
    return dataclasses.replace(result, format=name)


def _columns(path: Path, given: str) -> tuple[str, Columns]:
    name = sniff(path) if given == "auto" else given
    if name not in READERS:
        near = nearest(name, READERS) or list(READERS)
        raise WorkloadError(f"format {name!r} is unknown; nearest: {', '.join(near)}")
    return name, READERS[name](path)


def sniff(path: Path) -> str:
    """Return the name of the format that a file is in, by its first line.

    Raises:
        WorkloadError: unreadable, empty, or no format that is known.
    """
    with regular_file(path).open("rb") as file:
        start = file.read(len(MAGIC))
    if start == MAGIC:
        return "ledger"
    if start[:4] == b"PAR1":
        return "parquet"
    first = next((line.strip() for _, line in lines(path) if line.strip()), b"")
    if not first:
        raise WorkloadError(f"{path}: empty; give a trace file")
    if first.startswith(b"["):
        return "sharegpt"
    if first.startswith(b"{"):
        return _by_names(path, _json_names(first) or _document_names(path))
    names = first.decode(errors="replace").replace('"', "").split(",")
    name = _by_names(path, {name.strip() for name in names})
    if name not in _TABLES:
        raise WorkloadError(f"{path}: these are columns of {name!r}, which is JSON lines, not CSV")
    return name


def _json_names(line: bytes) -> set[str]:
    try:
        return set(msgspec.json.decode(line, type=dict[str, msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = {name.decode() for name in re.findall(rb'"(\w+)"\s*:', line)}
        if any(signs <= found for signs in _SIGNS.values()):
            return found  # a damaged row, which its reader will name
        return set()


def _document_names(path: Path) -> set[str]:
    """Return the telling names of a JSON document over several lines."""
    start = b"".join(line for _, line in islice(lines(path), 100))
    run = b'"hash_id_scope"' in start and b'"block_size"' in start
    return _SIGNS["weka" if run else "vllm-bench"]


def _by_names(path: Path, names: set[str]) -> str:
    for name, signs in _SIGNS.items():
        if signs <= names:
            return name
    found = ascii(", ".join(sorted(names))[:200])
    raise WorkloadError(f"{path}: no known trace format has the fields {found}; name it (--format)")


def write(trace: Trace, path: Path, format: str = "auto") -> None:  # noqa: A002
    """Write a trace: "inferometer" (.jsonl), "parquet", "mooncake" or "agentic-mooncake".

    Mooncake holds neither sessions nor tenants, and blocks of 512 tokens only. Calls of agents go
    to an Agentic Mooncake file (.jsonl), and to no other.

    Raises:
        WorkloadError: a suffix or format that is not one of these; what the format cannot hold;
            a path that cannot be written.
    """
    usual = "inferometer" if trace.calls is None else AGENTIC
    name = (
        {".jsonl": usual, ".parquet": "parquet"}.get(path.suffix, "")
        if format == "auto"
        else format
    )
    if name not in {*_ROWS, "parquet"}:
        raise WorkloadError(
            f"{path}: write .jsonl or .parquet, or name the format: {', '.join(_ROWS)}"
        )
    if name != AGENTIC and (trace.calls is not None or trace.prepared is not None):
        raise WorkloadError(
            f"{path}: {name!r} holds neither calls nor stages; calls can be written as {AGENTIC!r}"
        )
    try:
        if name == "parquet":
            with tempfile.TemporaryDirectory() as folder:
                rows = Path(folder) / "rows.jsonl"
                _write_lines(_own_rows(trace), rows)
                write_parquet(rows, path)
        else:
            _write_lines(_ROWS[name](trace), path)
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be written: {error.strerror}") from error


def _write_lines(rows: Iterator[dict[str, object]], path: Path) -> None:
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        file.writelines(encode(row) + b"\n" for row in rows)


def _own_rows(trace: Trace) -> Iterator[dict[str, object]]:
    for row in range(len(trace)):
        line: dict[str, object] = {
            "arrival_s": float(trace.arrival[row]),
            "input_tokens": int(trace.input_tokens[row]),
            "output_tokens": int(trace.output_tokens[row]),
        }
        if trace.session is not None:
            line["session"] = int(trace.session[row])
        if trace.tenant is not None:
            line["tenant"] = str(trace.tenant[row])
        if trace.prefixes is not None:
            line["hash_ids"] = trace.prefixes.of(row)
            line["block_size"] = trace.prefixes.block_size
        yield line


def _mooncake_rows(trace: Trace) -> Iterator[dict[str, object]]:
    if trace.session is not None or trace.tenant is not None:
        raise WorkloadError("Mooncake rows hold neither session nor tenant; write .jsonl instead")
    if trace.prefixes is not None and trace.prefixes.block_size != MOONCAKE_BLOCK:
        raise WorkloadError(f"Mooncake blocks are {MOONCAKE_BLOCK} tokens; write .jsonl instead")
    for row in range(len(trace)):
        line: dict[str, object] = {
            "timestamp": float(trace.arrival[row]) * 1e3,
            "input_length": int(trace.input_tokens[row]),
            "output_length": int(trace.output_tokens[row]),
        }
        if trace.prefixes is not None:
            line["hash_ids"] = trace.prefixes.of(row)
        yield line


_ROWS: dict[str, Callable[[Trace], Iterator[dict[str, object]]]] = {
    "inferometer": _own_rows,
    "mooncake": _mooncake_rows,
    AGENTIC: agentic_rows,
}
"""Rows of each format of lines that is written."""
