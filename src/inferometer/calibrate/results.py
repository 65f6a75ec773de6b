"""Result files of load generators -> rows of measurements, with each tool's traps undone.

What a tool's file does not say of the deployment (accelerator, ranks, precision) is read from a
file of the same name with the ending `.setup.json` beside it: an object with the columns of
`tables`, such as {"gpu": "H100-SXM", "num_gpus": "4", "tp": "4", "precision": "fp8"}.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inferometer.calibrate.client_queue import HELD, REASON, waits_at_the_client
from inferometer.calibrate.drafts import chance
from inferometer.calibrate.inferencex import inferencex, is_inferencex
from inferometer.calibrate.leaderboard import is_leaderboard, leaderboard_rows
from inferometer.calibrate.measurement import Row
from inferometer.calibrate.percentiles import percentile
from inferometer.calibrate.tables import METRICS, number
from inferometer.errors import ScenarioError

Raw = Mapping[str, Any]
Cells = dict[str, str]
Reader = Callable[[Any, Path], list[Cells]]


def read_results(path: Path) -> list[Row]:
    """Return the rows of a JSON result file of any tool in `TOOLS`, or of ML.ENERGY's leaderboard.

    Raises:
        ScenarioError: not JSON, of no known tool or version, without a successful request, or
            without what the deployment was.
    """
    content = _json(path)
    if is_leaderboard(content):
        return leaderboard_rows(content, path)
    for name, (signature, reader) in TOOLS.items():
        if signature(content):
            setup = _setup(path)
            runs = _runs(reader, content, path, name)
            return [_row(run, setup, path, place, name) for place, run in enumerate(runs)]
    raise ScenarioError(f"{path}: result of no known tool; known: ML.ENERGY leaderboard, "
                        f"{', '.join(TOOLS)}")  # fmt: skip


def _runs(reader: Reader, content: Any, path: Path, tool: str) -> list[Cells]:
    """Return the runs of a file that is of `tool` by its signature, if it is by its fields.

    Raises:
        ScenarioError: a field is missing or of another kind than the tool writes.
    """
    try:
        return reader(content, path)
    except KeyError as error:
        raise ScenarioError(f"{path}: no field {error} where {tool} writes one") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ScenarioError(
            f"{path}: a field is not of the kind that {tool} writes: {error}"
        ) from error


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ScenarioError(f"{path}: cannot be read as JSON: {error}") from error


def _setup(path: Path) -> Cells:
    beside = path.with_suffix(".setup.json")
    if not beside.is_file():
        return {}
    stated = _json(beside)
    if not isinstance(stated, dict):
        raise ScenarioError(f"{beside}: an object of columns is wanted")
    return {str(name): str(value) for name, value in stated.items()}


def _row(run: Cells, setup: Cells, path: Path, place: int, tool: str) -> Row:
    cells = {**run, **setup}
    for name in ("model", "gpu"):
        if not cells.get(name):
            raise ScenarioError(
                f"{path}: run {place}: {tool} does not state {name!r}; state it in "
                f"{path.with_suffix('.setup.json').name}"
            )
    metrics = {
        name: value
        for name in METRICS["serving"]
        if (value := number(cells.get(name, ""))) is not None and value > 0
    }
    unusable = dict[str, tuple[float, str]]()
    if waits_at_the_client(cells):
        held = {name: value for name, value in metrics.items() if name.startswith(HELD)}
        metrics = {name: value for name, value in metrics.items() if name not in held}
        unusable = {name: (value, REASON) for name, value in held.items()}
    return Row(
        key=f"{path.name}:{place}",
        source=cells.get("source", tool),
        family=cells.get("model_family", cells["model"]),
        gpu=cells["gpu"],
        model=cells["model"],
        cells=cells,
        metrics=metrics,
        layout="serving",
        unusable=unusable,
    )


def _vllm(content: Raw, path: Path) -> list[Cells]:
    """`vllm bench serve`: milliseconds; TPOT is (E2E - TTFT) / (n - 1); rates count successes."""
    done = _positive(content, "completed", path)
    cells = _load(content.get("max_concurrency"), content.get("request_rate"))
    for name, ours in (("ttft", "ttft"), ("tpot", "tpot"), ("itl", "itl"), ("e2el", "e2e")):
        for theirs, statistic in (("median", "p50"), ("mean", "mean"), ("p99", "p99")):
            cells[f"{ours}_ms_{statistic}"] = _text(content.get(f"{theirs}_{name}_ms"))
    return [{
        **cells, **_drafts(content, cells, path),
        "model": _text(content.get("model_id")), "engine": _engine(content),
        "num_requests": _text(done),
        "isl": _text(content.get("total_input_tokens", 0) / done),
        "osl": _text(content.get("total_output_tokens", 0) / done),
        "tokens_per_s": _text(content.get("output_throughput")),
        "total_tokens_per_s": _text(content.get("total_token_throughput")),
        "req_per_s": _text(content.get("request_throughput")),
    }]  # fmt: skip


def _drafts(content: Raw, cells: Cells, path: Path) -> Cells:
    """Return what speculative decoding did; a chunk then holds several tokens, so gaps go.

    Drafted tokens per step, and the chance of each given those before it, such that as many are
    accepted as the file says: accepted / steps = a + a^2 + ... + a^k.

    Raises:
        ScenarioError: drafts of which the file does not say how many were accepted.
    """
    steps, drafted, accepted = (
        number(_text(content.get(f"spec_decode_{name}")))
        for name in ("num_drafts", "draft_tokens", "accepted_tokens")
    )
    if not steps or not drafted:
        return {}
    if accepted is None:
        raise ScenarioError(
            f"{path}: spec_decode_accepted_tokens is missing or no number beside "
            f"{drafted:g} drafted tokens; state how many were accepted"
        )
    each = max(1, round(drafted / steps))
    gaps = {name: "" for name in cells if name.startswith("itl_")}
    return {
        **gaps,
        "draft_tokens": str(each),
        "acceptance": f"{chance(accepted / steps, each):.6g}",
    }


def _engine(content: Raw) -> str:
    """Return the engine behind an endpoint: its kind says so unless it is a plain protocol."""
    kind = _text(content.get("backend") or content.get("endpoint_type"))
    return "" if kind.startswith("openai") else kind


def _aiperf(content: Raw, path: Path) -> list[Cells]:
    """aiperf: one object per metric, each with its unit; latencies may be ms, us or ns."""
    version = str(content.get("schema_version", ""))
    if not version.startswith("1."):
        raise ScenarioError(f"{path}: schema_version {version!r} of aiperf is not known; 1.x is")
    names = {"time_to_first_token": "ttft", "inter_token_latency": "itl", "request_latency": "e2e"}
    cells = _load(_option(content, "concurrency"), _option(content, "request-rate"))
    for theirs, ours in names.items():
        for statistic, column in (("p50", "p50"), ("avg", "mean"), ("p99", "p99")):
            cells[f"{ours}_ms_{column}"] = _text(_scaled(content, theirs, statistic, 1e3))
    # Its inter-token latency is one mean per request over its gaps: a TPOT, and no gap's quantile.
    for statistic in ("p50", "mean", "p99"):
        cells[f"tpot_ms_{statistic}"] = cells.pop(f"itl_ms_{statistic}")
    return [{
        **cells, "model": _text(_option(content, "model")),
        "isl": _text(_scaled(content, "input_sequence_length", "avg", 1)),
        "osl": _text(_scaled(content, "output_sequence_length", "avg", 1)),
        "tokens_per_s": _text(_scaled(content, "output_token_throughput", "avg", 1)),
        "req_per_s": _text(_scaled(content, "request_throughput", "avg", 1)),
    }]  # fmt: skip


_SECONDS: Mapping[str, float] = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds per unit of time in aiperf's files; others count themselves."""


def _scaled(content: Raw, name: str, statistic: str, per_second: float) -> float | None:
    found = content.get(name)
    value = percentile(found, statistic) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or value is None:
        return None
    unit = str(found.get("unit", ""))
    scale = _SECONDS[unit] * per_second if unit in _SECONDS else 1.0
    return float(value) * scale


def _option(content: Raw, name: str) -> str:
    """Return an option of the command line that aiperf keeps, "" if it was not given."""
    words = str(content.get("run_info", {}).get("cli_command", "")).replace("=", " ").split()
    for place, word in enumerate(words[:-1]):
        if word == f"--{name}":
            return words[place + 1].strip("'\"")
    return ""


def _guidellm(content: Raw, path: Path) -> list[Cells]:
    """GuideLLM: one benchmark per load; its time per output token is E2E / n, so gaps are taken."""
    version = content.get("metadata", {}).get("version")
    if version not in {1, 2}:
        raise ScenarioError(
            f"{path}: version {version!r} of GuideLLM's file is not known; 1, 2 are"
        )
    return [_guided(benchmark, content, path) for benchmark in content["benchmarks"]]


def _guided(benchmark: Raw, content: Raw, path: Path) -> Cells:
    metrics = benchmark["metrics"]

    def value(name: str, statistic: str, scale: float = 1.0) -> str:
        found = metrics.get(name, {}).get("successful") or {}
        number = percentile({**found, **found.get("percentiles", {})}, statistic)
        return _text(None if number is None else float(number) * scale)

    if not (metrics.get("request_totals") or {}).get("successful", 1):
        raise ScenarioError(f"{path}: a benchmark without a successful request")
    cells = _load(None, None)
    running = value("request_concurrency", "mean")
    if running:
        cells = {"load_type": "concurrency", "concurrency_or_rate": running}
    for theirs, ours, scale in (
        ("time_to_first_token_ms", "ttft", 1.0), ("inter_token_latency_ms", "tpot", 1.0),
        ("request_latency", "e2e", 1e3),
    ):  # fmt: skip
        for statistic, column in (("median", "p50"), ("mean", "mean"), ("p99", "p99")):
            cells[f"{ours}_ms_{column}"] = value(theirs, statistic, scale)
    return {
        **cells, "model": _text(content.get("config", {}).get("model")),
        "isl": value("prompt_token_count", "mean"), "osl": value("output_token_count", "mean"),
        "tokens_per_s": value("output_tokens_per_second", "mean"),
        "req_per_s": value("requests_per_second", "mean"),
    }  # fmt: skip


def _inference_perf(content: Raw, path: Path) -> list[Cells]:
    """inference-perf: seconds; failures are kept apart."""
    good = content["successes"]
    _positive(good, "count", path)
    latency, rate = good["latency"], good["throughput"]
    cells = _load(None, _at(content, "load_summary", "requested_rate"))
    names = {"time_to_first_token": "ttft", "time_per_output_token": "tpot",
             "inter_token_latency": "itl", "request_latency": "e2e"}  # fmt: skip
    for theirs, ours in names.items():
        for statistic, column in (("median", "p50"), ("mean", "mean"), ("p99", "p99")):
            value = percentile(_at(latency, theirs) or {}, statistic)
            cells[f"{ours}_ms_{column}"] = _text(None if value is None else float(value) * 1e3)
    if not cells.get("concurrency_or_rate"):
        cells |= {"load_type": "rate", "concurrency_or_rate": _text(rate["requests_per_sec"])}
    return [{
        **cells, "num_requests": _text(good["count"]),
        "isl": _text(_at(good, "prompt_len", "mean")),
        "osl": _text(_at(good, "output_len", "mean")),
        "tokens_per_s": _text(rate.get("output_tokens_per_sec")),
        "total_tokens_per_s": _text(rate.get("total_tokens_per_sec")),
        "req_per_s": _text(rate.get("requests_per_sec")),
    }]  # fmt: skip


def _load(clients: object, rate: object) -> Cells:
    """Return the load: clients if they are bounded, else a rate; "inf" sends all at once."""
    if clients not in {None, ""}:
        return {"load_type": "concurrency", "concurrency_or_rate": _text(clients)}
    if rate in {None, "", "inf"} or rate == float("inf"):
        return {"load_type": "offline", "concurrency_or_rate": ""}
    return {"load_type": "rate", "concurrency_or_rate": _text(rate)}


def _positive(content: Raw, name: str, path: Path) -> float:
    value = content.get(name)
    if not isinstance(value, int | float) or value <= 0:
        raise ScenarioError(f"{path}: {name} is {value!r}; at least one is wanted")
    return float(value)


def _at(content: Raw, *names: str) -> Any:
    found: Any = content
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda content: isinstance(content, Mapping) and set(names) <= set(content)


TOOLS: Mapping[str, tuple[Callable[[Any], bool], Reader]] = {
    "vllm bench serve": (_has("model_id", "completed", "output_throughput"), _vllm),
    "aiperf": (_has("aiperf_version"), _aiperf),
    "GuideLLM": (_has("metadata", "benchmarks"), _guidellm),
    "inference-perf": (_has("load_summary", "successes"), _inference_perf),
    "InferenceX": (is_inferencex, inferencex),
}
"""How each tool's files are known, and read."""
