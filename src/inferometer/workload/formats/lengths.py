"""Files of lengths: CSV tables without arrivals, ShareGPT JSON, vLLM benchmark results."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from inferometer.errors import WorkloadError
from inferometer.units import Duration
from inferometer.workload.formats.columns import Columns
from inferometer.workload.formats.lines import csv_rows, token_count, whole

T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=0)]


def read_lengths_csv(path: Path) -> Columns:
    """Return the lengths of a CSV file with columns input_length,output_length.

    Raises:
        WorkloadError: see `csv_rows`.
    """
    return _pairs(path, "input_length", "output_length")


def read_prefill_csv(path: Path) -> Columns:
    """Return the lengths of a CSV file with columns num_prefill_tokens,num_decode_tokens.

    Raises:
        WorkloadError: see `csv_rows`.
    """
    return _pairs(path, "num_prefill_tokens", "num_decode_tokens")


def _pairs(path: Path, inputs: str, outputs: str) -> Columns:
    columns = Columns(path=path)
    for line, (prompt, answer) in csv_rows(path, {inputs: True, outputs: True}):
        columns.add_lengths(
            line,
            token_count(prompt, path, line, inputs),
            token_count(answer, path, line, outputs),
        )
    return columns


@dataclass(slots=True)
class Conversation:
    """One ShareGPT entry; its text is never decoded."""

    input_length: Count | None = None
    output_length: Count | None = None


@dataclass(slots=True)
class Benchmark:
    """Result file of `vllm bench serve --save-result --save-detailed`; texts are never decoded."""

    input_lens: list[Count] = field(default_factory=list[int])
    output_lens: list[Count] = field(default_factory=list[int])
    start_times: list[Duration] = field(default_factory=list[float])
    errors: list[str | None] = field(default_factory=list[str | None])


def read_sharegpt(path: Path) -> Columns:
    """Return the lengths of a ShareGPT JSON file that gives them beside, or instead of, the text.

    Raises:
        WorkloadError: text only, whose length depends on a tokenizer; not such a file.
    """
    columns = Columns(path=path)
    for entry, item in enumerate(_document(path, list[Conversation]), start=1):
        if item.input_length is None or item.output_length is None:
            raise WorkloadError(
                f"{path}: entry {entry} holds text without lengths; count its tokens with the"
                " model's tokenizer and add input_length and output_length to each entry"
            )
        columns.add_lengths(entry, item.input_length, item.output_length)
    return columns


def read_vllm_bench(path: Path) -> Columns:
    """Return the requests of a detailed vLLM benchmark result; failed ones are counted, not kept.

    Raises:
        WorkloadError: a result without details, or with columns of different lengths.
    """
    result, columns = _document(path, Benchmark), Columns(path=path)
    if not result.input_lens:
        raise WorkloadError(f"{path}: no input_lens; run the benchmark with --save-detailed")
    size = len(result.input_lens)
    for name in ("output_lens", "start_times", "errors"):
        values = getattr(result, name)
        if len(values) != size and (values or name == "output_lens"):
            raise WorkloadError(f"{path}: {name} has {len(values)} of {size} requests")
    for row in range(size):
        if result.errors and result.errors[row]:
            columns.failed += 1
            continue
        columns.add_lengths(row + 1, result.input_lens[row], result.output_lens[row])
        if result.start_times:
            columns.arrival.append(result.start_times[row])
    return columns


def _document(path: Path, kind: type[T]) -> T:
    text = whole(path)
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorkloadError(f"{path}: {error}") from None
