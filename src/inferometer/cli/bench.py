"""`inferometer bench`: put load on a live endpoint, and write what it showed."""

import datetime as dt
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from inferometer.cli.options import Format
from inferometer.cli.progress import say
from inferometer.errors import ScenarioError

if TYPE_CHECKING:
    from inferometer.loop.bench import Bench
    from inferometer.loop.jobs import Bounds, Fitting
    from inferometer.workload.trace import Trace

Loop = Literal["open", "closed", "sessions"]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is sent.

    Attributes:
        trace: Trace file, the meter's ledger among the formats; or give --workload or lengths.
        workload: TOML file with a [workload] table.
        lengths: Length profile of the catalogue.
        requests: Requests; of a longer trace so many are kept.
        rate: Mean arrivals per second; 0 keeps the times of the trace.
        max_prompt: Longest prompt, tokens; if over a tenth is longer, all are scaled down first.
        max_output: Longest output, tokens; likewise.
        seed: Of lengths, arrivals, thinning and words.
    """

    trace: Path | None = None
    workload: Path | None = None
    lengths: str = "azure-2023-conv"
    requests: int = 50
    rate: float = 0.0
    max_prompt: int = 512
    max_output: int = 128
    seed: int = 0


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the result says of the deployment, for `validate` and `calibrate`.

    Attributes:
        served: Model by catalogue name or path, where it differs from the endpoint's name.
        gpu: Accelerator by catalogue name.
        engine_name: Serving engine.
        weights: Format of the weights.
        kv: Format of the KV cache.
        catalog: TOML file that describes the accelerator, as `calibrate --endpoint` writes it.
    """

    served: str = ""
    gpu: str = "cpu-x86-2core"
    engine_name: str = "llama.cpp"
    weights: str = ""
    kv: str = ""
    catalog: Path | None = None


def bench(
    endpoint: str,
    /,
    *,
    model: str = "local",
    loop: Loop = "closed",
    clients: int = 4,
    warm: int = 1,
    asked: Asked | None = None,
    measured: Measured | None = None,
    engine: str = "",
    watts: float | None = None,
    key_variable: str = "",
    csv: Path | None = None,
    json: Path | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Measure a live endpoint under an open loop, a closed loop or conversations.

    Latency counts from when a request was due: a stall shows in every request that it holds up.

    Args:
        endpoint: Base address, as http://127.0.0.1:8080, without /v1.
        model: Model as the endpoint names it.
        loop: "open" sends by the times of the trace, "closed" keeps so many requests in flight,
            "sessions" so many conversations, with the pauses of the trace.
        clients: Requests or conversations at a time.
        warm: Requests before, not counted.
        asked: What is sent.
        measured: What the result says of the deployment.
        engine: Address of the engine behind a gateway, to read its counters.
        watts: Draw of a busy core, for a machine that counts no energy; the catalogue's by default.
        key_variable: Environment variable that holds the API key.
        csv: CSV file of measurements to write.
        json: File to write as `vllm bench serve` does.
        format: A table for people, or JSON.
    """
    from inferometer.loop.bench import Load
    from inferometer.loop.bench import bench as run
    from inferometer.loop.client import Endpoint
    from inferometer.loop.jobs import Bounds, jobs_of
    from inferometer.loop.machine import watts_per_core
    from inferometer.loop.supervise import interruptible

    asked = asked or Asked()
    bounds = Bounds(prompt=asked.max_prompt, output=asked.max_output)
    trace, fitting = cut_trace(asked, bounds)
    load = Load(
        loop=loop, clients=clients, warm=warm, watts=watts_per_core() if watts is None else watts
    )
    target = Endpoint(url=endpoint.rstrip("/"), model=model, keys=_key(key_variable))
    with interruptible():
        found = run(target, jobs_of(trace, asked.seed), load, engine=engine)
    if found.spent.generated_tokens is None:
        where = engine or endpoint
        say(f"note: {where} shows no engine's counters; name the engine behind it with --engine")
    _show(found, fitting, format)
    _write(found, measured or Measured(), model, csv, json)


def cut_trace(asked: Asked, bounds: "Bounds") -> "tuple[Trace, Fitting]":
    """Return the requests that are asked for, and how they were made to fit.

    Raises:
        ScenarioError: two sources of requests, or none of them.
        WorkloadError: a source that cannot be read, or a seed that cannot be used.
    """
    from inferometer.loop.jobs import fitted
    from inferometer.workload.seed import checked

    checked(asked.seed)
    return fitted(_trace(asked), bounds, requests=asked.requests, rate=asked.rate, seed=asked.seed)


def _trace(asked: Asked) -> "Trace":
    from inferometer.workload.formats.files import read
    from inferometer.workload.spec import LengthSpec, WorkloadSpec, read_spec
    from inferometer.workload.synthesis import synthesise

    if asked.trace and asked.workload:
        raise ScenarioError("--trace and --workload: give one of them")
    if asked.requests < 1 or not 0 <= asked.rate < float("inf"):
        raise ScenarioError("--requests must be at least 1 and --rate at least 0")
    if asked.trace:
        return read(asked.trace).trace
    if asked.workload:
        return synthesise(read_spec(asked.workload), seed=asked.seed)
    lengths = LengthSpec(profile=asked.lengths)
    spec = WorkloadSpec(rate=asked.rate or 1.0, requests=asked.requests, lengths=lengths)
    return synthesise(spec, seed=asked.seed)


def _key(variable: str) -> dict[str, str]:
    if not variable:
        return {}
    value = os.environ.get(variable, "")
    if not value:
        raise ScenarioError(f"--key-variable {variable}: the environment has no such variable")
    return {"": value}


def _write(
    found: "Bench", measured: Measured, model: str, csv: Path | None, json: Path | None
) -> None:
    from inferometer.loop.result import Subject, row_of, write_rows, write_vllm

    now = dt.datetime.now(dt.UTC)
    subject = Subject(
        model=measured.served or model,
        gpu=measured.gpu,
        engine=measured.engine_name,
        precision=measured.weights,
        kv=measured.kv,
        catalog=str(measured.catalog.absolute()) if measured.catalog else "",
    )
    if csv is not None:
        name = now.strftime("%Y%m%dT%H%M%S")
        write_rows([row_of(found.summary, subject, name=name, day=now.date())], csv)
    if json is not None:
        write_vllm(found.run, found.summary, subject, json, when=now)


def _show(found: "Bench", fitting: "Fitting", format: Format) -> None:  # noqa: A002
    from inferometer.cli.result import show_json, show_rows

    if format == "json":
        show_json({"summary": found.summary, "spent": found.spent, "trace": fitting})
        return
    summary, took = found.summary, found.spent
    sys.stdout.write(f"{fitting}\n\n")
    metrics = ("ttft", "tpot", "itl", "e2e")
    show_rows("Latency", [
        {"metric": name, **{f"{q} ms": getattr(getattr(summary, name), q) * 1e3
                            for q in ("mean", "p50", "p90", "p99")}}
        for name in metrics
    ])  # fmt: skip
    rows: dict[str, Any] = {
        "answered": summary.requests, "failed": summary.failed,
        "rates over": "the steady stretch" if summary.steady else "the whole run",
        "seconds": summary.span, "requests/s": summary.request_rate,
        "output tok/s": summary.output_rate, "prompt tokens": summary.input_tokens,
        "output tokens": summary.output_tokens, "cached share": summary.cached,
        "sent late p99 ms": summary.late * 1e3, "engine: prompt tokens": took.prompt_tokens,
        "engine: generated": took.generated_tokens, "engine: CPU s": took.processor,
        "engine: drafted per output token": summary.drafted,
        "engine: accepted of drafted": summary.accepted,
        "J per output token": summary.joules, "energy": summary.energy_label,
    }  # fmt: skip
    show_rows("Run", [{"quantity": name, "value": value} for name, value in rows.items()])
