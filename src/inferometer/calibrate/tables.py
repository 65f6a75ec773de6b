"""Reader of the project's own CSV layouts of measurements (plain or gzip)."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from inferometer.calibrate.measurement import Row
from inferometer.errors import ScenarioError
from inferometer.workload.formats.packed import unpacked

_LATENCIES = tuple(
    f"{name}_ms_{statistic}"
    for name in ("ttft", "tpot", "itl", "e2e")
    for statistic in ("p50", "mean", "p99")
)
METRICS: Mapping[str, tuple[str, ...]] = {
    "serving": (
        *("tokens_per_s", "tokens_per_s_per_gpu", "total_tokens_per_s", "req_per_s"),
        *_LATENCIES,
        *("power_w", "energy_j_per_token"),
    ),
    "energy": (
        *("tokens_per_s", "tokens_per_s_per_gpu"),
        *("itl_ms_p50", "itl_ms_p90", "itl_ms_p95", "itl_ms_p99", "tpot_ms_mean", "e2e_s"),
        *("avg_power_w", "energy_j_per_token", "energy_j_per_request"),
    ),
    "dvfs": (
        *("tokens_per_s", "ttft_ms", "tpot_ms", "e2e_ms"),
        *("avg_power_w", "energy_j_per_token"),
    ),
    "steps": ("latency_ms",),
    "steps_static": ("prefill_ms", "decode_ms"),
}
"""Measured columns of each layout."""

_SIGNATURES: Mapping[str, frozenset[str]] = {
    "steps_static": frozenset({"sm_percent", "prefill_ms", "decode_ms"}),
    "steps": frozenset({"prefill_kv_tokens", "decode_kv_tokens", "latency_ms"}),
    "dvfs": frozenset({"power_cap_w", "phase", "batch"}),
    "energy": frozenset({"max_num_seqs", "avg_output_len", "task"}),
    "serving": frozenset({"load_type", "isl", "osl"}),
}
"""Columns by which a layout is told from the others, tried in this order."""


def read_table(path: Path) -> list[Row]:
    """Return the rows of a CSV file in one of the layouts of `METRICS`.

    Raises:
        ScenarioError: the file cannot be read, or its columns are none of the layouts.
    """
    try:
        with path.open("rb") as packed, _text(path, packed) as file:
            return list(_rows(file, path))
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error


def _text(path: Path, file: BinaryIO) -> TextIO:
    plain = unpacked(file) if path.suffix == ".gz" else file
    return io.TextIOWrapper(plain, encoding="utf-8-sig", newline="")


def _rows(file: TextIO, path: Path) -> Iterator[Row]:
    reader = csv.DictReader(file)
    layout = _layout(reader.fieldnames or [], path)
    for line, raw in enumerate(reader, start=2):
        cells = {name: (value or "").strip() for name, value in raw.items() if name}
        place = f"{cells.get('source', '')}:{cells.get('run', '')}:{line}"
        yield _row(cells, layout, place)


def _layout(columns: Sequence[str], path: Path) -> str:
    for layout, signature in _SIGNATURES.items():
        if signature <= set(columns):
            return layout
    wanted = "; ".join(f"{name}: {', '.join(sorted(c))}" for name, c in _SIGNATURES.items())
    raise ScenarioError(f"{path}: columns of no known layout; it needs those of one of {wanted}")


def _row(cells: Mapping[str, str], layout: str, place: str) -> Row:
    stated = {name: cells[name] for name in METRICS[layout] if cells.get(name)}
    metrics = {n: value for n, text in stated.items() if (value := number(text)) is not None}
    unusable = {
        name: (math.nan, f"measured {text!r} is no finite number")
        for name, text in stated.items()
        if name not in metrics
    }
    return Row(
        key=cells.get("row_id") or place,
        source=cells.get("source", ""),
        family=cells.get("model_family") or cells.get("model", ""),
        gpu=cells.get("gpu", ""),
        model=cells.get("model", ""),
        cells=cells,
        metrics=metrics,
        layout=layout,
        unusable=unusable,
    )


def number(text: str) -> float | None:
    """Return the finite number in a cell, None where there is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
