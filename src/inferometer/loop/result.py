"""Results of runs as files: rows of our CSV of measurements, and the JSON of `vllm bench serve`.

Both are read back by `validate` and `calibrate`. No prompt and no answer is in either.
"""

import csv
import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inferometer.errors import ScenarioError
from inferometer.loop.drive import Run
from inferometer.loop.summary import Summary
from inferometer.outcome import Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was measured, in the columns of a row.

    Attributes:
        model: Model, by catalogue name or path.
        gpu: Accelerator, by catalogue name.
        engine: Engine.
        precision: Format of the weights; "" for the model's own.
        kv: Format of the KV cache; "" for 16 bit.
        catalog: TOML file that describes accelerator and model, where the catalogue lacks them.
        note: Anything else, for people.
    """

    model: str
    gpu: str
    engine: str = "llama.cpp"
    precision: str = ""
    kv: str = ""
    catalog: str = ""
    note: str = ""


COLUMNS = (
    *("row_id", "source", "model", "model_family", "gpu", "num_gpus", "tp", "precision"),
    *("kv_dtype", "engine", "load_type", "workload", "isl", "osl", "concurrency_or_rate"),
    *("num_requests", "tokens_per_s", "total_tokens_per_s", "req_per_s"),
    *(f"{name}_ms_{q}" for name in ("ttft", "tpot", "itl", "e2e") for q in ("p50", "mean", "p99")),
    *("latency_stat_note", "power_w", "power_scope", "energy_j_per_token", "measured_date"),
    *("catalog", "note"),
)
"""Columns of a row."""


def row_of(summary: Summary, subject: Subject, *, name: str, day: dt.date) -> dict[str, str]:
    """Return a run as a row of measurements.

    Energy that is modelled from processor time is no measurement, and is left out.
    """
    closed = summary.loop != "open"
    measured = summary.energy_label in {"nvml", "rapl"} and summary.joules is not None
    cells: dict[str, object] = {
        "row_id": name, "source": "inferometer-bench", "model": subject.model,
        "model_family": Path(subject.model).stem, "gpu": subject.gpu, "num_gpus": 1, "tp": 1,
        "precision": subject.precision, "kv_dtype": subject.kv, "engine": subject.engine,
        "load_type": "concurrency" if closed else "rate", "workload": f"{summary.loop} loop",
        "isl": summary.input_tokens, "osl": summary.output_tokens,
        "concurrency_or_rate": summary.clients if closed else summary.rate,
        "num_requests": summary.requests, "tokens_per_s": summary.output_rate,
        "total_tokens_per_s": summary.total_rate, "req_per_s": summary.request_rate,
        "latency_stat_note": "from when a request was due", "measured_date": day.isoformat(),
        "energy_j_per_token": summary.joules if measured else None,
        "power_w": summary.power if measured else None,
        "power_scope": summary.energy_label if measured else "",
        "catalog": subject.catalog, "note": subject.note,
    }  # fmt: skip
    for metric in ("ttft", "tpot", "itl", "e2e"):
        found: Latency = getattr(summary, metric)
        for quantile in ("p50", "mean", "p99"):
            cells[f"{metric}_ms_{quantile}"] = getattr(found, quantile) * 1e3
    return {column: _cell(cells[column]) for column in COLUMNS}


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write_rows(rows: list[dict[str, str]], path: Path) -> None:
    """Write rows as a CSV file in the layout "serving".

    Raises:
        ScenarioError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            out.writeheader()
            out.writerows(rows)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error.strerror}") from error


def write_vllm(
    run: Run, summary: Summary, subject: Subject, path: Path, *, when: dt.datetime
) -> None:
    """Write a run as `vllm bench serve --save-result --save-detailed` does, texts left empty.

    What that format does not hold of the deployment goes into the file `.setup.json` beside it.
    Its totals are of the whole run, as vLLM's are; ours of the steady stretch are in the CSV file.

    Raises:
        ScenarioError: the file cannot be written.
    """
    setup = {
        "model": subject.model, "gpu": subject.gpu, "engine": subject.engine, "num_gpus": "1",
        "tp": "1", "precision": subject.precision, "kv_dtype": subject.kv,
        "catalog": subject.catalog, "model_family": Path(subject.model).stem,
    }  # fmt: skip
    try:
        path.write_bytes(_encoded(_vllm(run, summary, subject, when)))
        path.with_suffix(".setup.json").write_bytes(
            _encoded({name: value for name, value in setup.items() if value})
        )
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error.strerror}") from error


def _encoded(value: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)


def _vllm(run: Run, summary: Summary, subject: Subject, when: dt.datetime) -> dict[str, Any]:
    shots = run.shots
    good = run.good
    duration = run.ended - run.began
    outputs = sum(shot.output_tokens for shot in good)
    inputs = sum(shot.input_tokens for shot in good)
    return {
        "date": when.strftime("%Y%m%d-%H%M%S"), "endpoint_type": "openai", "backend": "openai",
        "model_id": subject.model, "tokenizer_id": subject.model, "num_prompts": len(shots),
        "request_rate": summary.rate or "inf", "burstiness": 1.0,
        "max_concurrency": summary.clients or None, "duration": duration,
        "completed": len(good), "failed": len(shots) - len(good),
        "total_input_tokens": inputs, "total_output_tokens": outputs,
        "request_throughput": len(good) / duration, "output_throughput": outputs / duration,
        "total_token_throughput": (inputs + outputs) / duration,
        "input_lens": [shot.input_tokens for shot in shots],
        "output_lens": [shot.output_tokens for shot in shots],
        "ttfts": [0.0 if shot.error else shot.ttft for shot in shots],
        "itls": [list(shot.gaps) for shot in shots],
        "start_times": [shot.due - run.began for shot in shots],
        "errors": [shot.error for shot in shots], "generated_texts": [""] * len(shots),
        **_statistics(run),
    }  # fmt: skip


def _statistics(run: Run) -> dict[str, float]:
    good = run.good
    values = {
        "ttft": [shot.ttft for shot in good],
        "tpot": [shot.tpot for shot in good if shot.output_tokens > 1],
        "itl": [gap for shot in good for gap in shot.gaps],
        "e2el": [shot.e2e for shot in good],
    }
    found = dict[str, float]()
    for name, sample in values.items():
        if not sample:
            continue
        milliseconds = np.array(sample) * 1e3
        found[f"mean_{name}_ms"] = float(milliseconds.mean())
        found[f"median_{name}_ms"] = float(np.median(milliseconds))
        found[f"std_{name}_ms"] = float(milliseconds.std())
        found[f"p99_{name}_ms"] = float(np.quantile(milliseconds, 0.99))
    return found
