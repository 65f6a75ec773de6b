"""What a load generator did, as a row of a serving benchmark states or implies it."""

import math
from collections.abc import Mapping
from dataclasses import replace

from inferometer.calibrate.measurement import Load, Row
from inferometer.calibrate.tables import number
from inferometer.catalog import tables
from inferometer.errors import InferometerError

MLPERF_LENGTHS: Mapping[str, str] = {
    "llama2-70b": "mlperf-llama2-70b",
    "llama3.1-8b": "mlperf-llama3.1-8b",
    "llama3.1-405b": "mlperf-llama3.1-405b",
    "mixtral-8x7b": "mlperf-mixtral-8x7b",
    "deepseek-r1": "reasoning",
    "gpt-oss": "reasoning",
    "gptj": "mlperf-llama3.1-8b",
    "gpt-j": "mlperf-llama3.1-8b",
}
"""Length profile of each MLPerf benchmark by the beginning of its name; GPT-J summarises the same
articles as Llama-3.1-8B, and gpt-oss is taken to reason as long as DeepSeek-R1 (assumed)."""

MLPERF_TPOT: Mapping[tuple[str, str], float] = {
    ("llama2-70b", "server"): 0.200,
    ("llama2-70b", "interactive"): 0.040,
    ("mixtral-8x7b", "server"): 0.200,
    ("llama3.1-405b", "server"): 0.175,
    ("llama3.1-405b", "interactive"): 0.080,
    ("llama3.1-8b", "server"): 0.100,
    ("llama3.1-8b", "interactive"): 0.030,
    ("deepseek-r1", "server"): 0.080,
}
"""Limits on time per output token (p99) of MLPerf inference v4.1 to v5.1, s (MLCommons rules)."""

DEFAULT_TPOT = 0.2
"""The loosest of them, for benchmarks not listed."""

KINDS = ("concurrency", "rate", "batch", "offline", "burst", "")
"""Kinds of load that rows state; a burst is a run of which all requests come at once, and a blank
one is read as offline."""

ROUNDS_OF_A_RUN = 10.0
"""Requests per client of a benchmark run that states no number: InferenceX's ten."""

SPREAD_MEAN = 0.9
"""Mean over nominal length of InferenceX's requests, uniform from 0.8 of it (the random range ratio
of its benchmark scripts). Clients / (TTFT + TPOT (outputs - 1)) misses its rates by as much."""


def serving_load(row: Row) -> Load:
    """Return the load of a row.

    Raises:
        InferometerError: lengths or load are missing, or not positive.
    """
    inputs, outputs, tpot = _lengths(row)
    amount = number(row.cells.get("concurrency_or_rate", ""))
    if inputs <= 0 or outputs <= 0 or (amount is not None and amount <= 0):
        raise InferometerError(f"{row.key}: isl, osl and concurrency_or_rate must be positive")
    requests = number(row.cells.get("num_requests", "")) or 0.0
    plain = Load(kind="offline", inputs=inputs, outputs=outputs, requests=requests)
    plain = replace(plain, lockstep=_lockstep(row, plain))
    stated = row.cells.get("load_type", "")
    if stated not in KINDS:
        raise InferometerError(f"{row.key}: load_type {stated!r} is none of {', '.join(KINDS)}")
    if stated == "concurrency":
        return _closed(row, plain, amount)
    if stated == "batch" and amount:
        return replace(plain, kind="static", clients=amount)
    if stated == "rate" and tpot and not amount:
        return replace(plain, kind="bounded", tpot_limit=tpot)
    return _open(plain, amount if stated == "rate" else None)


def _open(plain: Load, rate: float | None) -> Load:
    """Return a run at a rate, which is beyond any capacity where all requests come at once."""
    if rate:
        return replace(plain, kind="open", rate=rate)
    if plain.requests:
        return replace(plain, kind="open", rate=math.inf, clients=plain.requests)
    return plain


def _closed(row: Row, plain: Load, clients: float | None) -> Load:
    """Return a closed loop with how it starts; one client where no number is stated.

    All clients start at once: a mean counts those first requests by their share, and so must a
    statistic that does not say which it is; a median sees them where they are the most.
    """
    if not clients:
        return replace(plain, kind="closed")
    share = min(clients / plain.requests, 1.0) if plain.requests else 1 / ROUNDS_OF_A_RUN
    unknown = "does not say" in row.cells.get("latency_stat_note", "")
    median = share if unknown else float(share > 1 / 2)
    return replace(plain, kind="closed", clients=clients, burst=share, burst_median=median)


def _lengths(row: Row) -> tuple[float, float, float]:
    """Return mean lengths, and the TPOT limit of a benchmark that is known by its name, else 0."""
    inputs, outputs = (number(row.cells.get(name, "")) for name in ("isl", "osl"))
    if inputs is None or outputs is None:
        return _benchmark(row)
    mean = SPREAD_MEAN if _spread(row) else 1.0
    return inputs * mean, outputs * mean, 0.0


def _lockstep(row: Row, load: Load) -> float:
    """Return 1 for requests of one length: the source says no spread, and means are whole."""
    whole = load.inputs.is_integer() and load.outputs.is_integer()
    return float(whole and not _spread(row))


def _spread(row: Row) -> bool:
    """Return whether the lengths of a row are the greatest of its requests, as InferenceX's are."""
    return "inferencex" in f"{row.source} {row.cells.get('workload', '')}".lower()


def _benchmark(row: Row) -> tuple[float, float, float]:
    """Return mean lengths and TPOT limit of an MLPerf benchmark, by its name.

    Raises:
        InferometerError: the row states no lengths and no benchmark of known ones.
    """
    name = row.model.lower()
    start = next((start for start in MLPERF_LENGTHS if name.startswith(start)), "")
    if not start:
        raise InferometerError(f"{row.key}: no isl and osl, and {row.model!r} is no benchmark "
                               "of known lengths")  # fmt: skip
    lengths = tables.length_profile(MLPERF_LENGTHS[start])
    words = row.cells.get("workload", "").lower()
    scenario = "interactive" if "interactive" in words else "server"
    limit = MLPERF_TPOT.get((start, scenario), DEFAULT_TPOT)
    return float(lengths.input_mean or 0), float(lengths.output_mean or 0), limit
