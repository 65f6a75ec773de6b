"""Requests per second of the simulator, beside its naive twin.

Llama 3.1 8B on H100, TP1, 8,192-token budget, 256 sequences, least-loaded router; the lengths and
arrivals of the Azure 2023 conversation trace, tiled with jitter and compressed so that the fleet
runs at 70 % of its knee: the rate from which the closed form's queue grows without bound.

`--stream` writes that trace to a Parquet file first, in a process of its own, and plays it part by
part as it is read. `--clients` plays its requests as a closed loop of so many. `--mooncake` plays
the Mooncake conversation trace once instead, as it came: Qwen3-32B on two H100 x 8 replicas, prefix
caching, prompts and answers of up to 40,960 tokens.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.catalog.tables import accelerator, engine, node, number_format
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.perf.predict import predict
from inferometer.simulate.measures import busy_fraction, totals_of
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import Simulation, simulate
from inferometer.simulate.stream import PART, stream
from inferometer.simulate.totals import CACHED, OUTPUT, PROMPT
from inferometer.workload.formats.files import read
from inferometer.workload.formats.parquet import parquet_parts
from inferometer.workload.shape import shape_of
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Trace

LOAD = 0.7
"""Share of the knee at which the fleet runs."""

TWIN = 200
"""Requests that the naive twin plays: enough to time it."""


def main() -> None:
    """Print one line of results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--replicas", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clients", type=int, default=0, help="play a closed loop of so many")
    parser.add_argument("--stream", action="store_true", help="read the trace from disk in parts")
    parser.add_argument("--mooncake", action="store_true", help="play the Mooncake conversations")
    parser.add_argument("--write", type=Path, help="write the trace to this file and end")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    if options.write:
        write_tiled(options.write, options.requests, options.replicas, options.seed)
        return
    result = (
        measure_mooncake()
        if options.mooncake
        else measure(
            options.requests, options.replicas, options.seed, streamed=options.stream,
            clients=options.clients,
        )
    )  # fmt: skip
    lines = (f"{name}: {value:,.6g}" for name, value in result.items())
    sys.stdout.write((json.dumps(result) if options.json else "\n".join(lines)) + "\n")


def measure(
    requests: int, replicas: int, seed: int, *, streamed: bool, clients: int
) -> dict[str, float]:
    """Return rates, memory and what became of the requests; the loop is compiled beforehand."""
    built, (source, rate), play = deployment(replicas), azure(replicas), Play(clients=clients)
    warm = tiled(source, 100, rate, seed)
    simulate(warm, built, efficiencies=efficiencies(), compiled=True)
    if streamed:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.parquet"
            command = [sys.executable, __file__, "--write", str(path), "--seed", str(seed)]
            command += ["--requests", str(requests), "--replicas", str(replicas)]
            subprocess.run(command, check=True)  # noqa: S603
            parts = parquet_parts(path, PART)
            result = timed(lambda: stream(parts, built, efficiencies=efficiencies(), play=play))
    else:
        trace = tiled(source, requests, rate, seed)
        result = timed(
            lambda: simulate(trace, built, efficiencies=efficiencies(), play=play, compiled=True)
        )
    naive_rate = naive(tiled(source, TWIN, rate / replicas, seed))
    return result | {"rate_per_s": rate, "requests_per_s_naive": naive_rate}


def measure_mooncake() -> dict[str, float]:
    """Return the same of the Mooncake conversations, with those that are too long rejected."""
    trace = read(data() / "traces/mooncake_fast25_conversation.jsonl").trace
    own = deployment(8)
    built = replace(
        own,
        model=model("qwen3-32b"),
        parallelism=Parallelism(tensor=2),
        settings=replace(own.settings, prefix_caching=True),
    )
    play = Play(longest=40_960)

    def run() -> Simulation:
        return simulate(trace, built, efficiencies=efficiencies(), play=play, compiled=True)

    run()
    result = timed(run)
    return result | {"prompts_beyond_limit": int((trace.input_tokens > play.longest).sum())}


def timed(play: Callable[[], Simulation]) -> dict[str, float]:
    """Return rates, memory and where the requests of a run ended."""
    start, cpu = time.perf_counter(), time.process_time()
    run = play()
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    tokens = totals_of(run, Slo()).tokens.sum(axis=0)
    requests = run.counts.arrived
    return {
        "requests_per_s": requests / wall,
        "requests_per_cpu_s": requests / cpu,
        "tokens_per_s": float(tokens[PROMPT] + tokens[OUTPUT]) / wall,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "wall_s": wall,
        "cpu_s": cpu,
        "arrived": run.counts.arrived,
        "finished": run.counts.finished,
        "rejected": run.counts.rejected,
        "in_flight": run.counts.in_flight,
        "utilisation": busy_fraction(run),
        "preemptions": run.sums["preemptions"],
        "cached_share": float(tokens[CACHED] / tokens[PROMPT]),
    }


def data() -> Path:
    """Return where the traces are."""
    return Path(os.environ.get("INFEROMETER_DATA", "../shared/data"))


def azure(replicas: int) -> tuple[Trace, float]:
    """Return the Azure trace, and the rate at which replicas run at `LOAD` of their knee."""
    source = read(data() / "traces/azure_llm_2023_conv.csv").trace
    return source, LOAD * knee(deployment(replicas), source)


def write_tiled(path: Path, requests: int, replicas: int, seed: int) -> None:
    """Write the tiled trace as Parquet."""
    source, rate = azure(replicas)
    trace = tiled(source, requests, rate, seed)
    columns = {
        "arrival_s": trace.arrival,
        "input_tokens": trace.input_tokens,
        "output_tokens": trace.output_tokens,
    }
    with duckdb.connect() as database:
        database.register("columns", columns)
        database.execute(f"COPY (SELECT * FROM columns) TO '{path}' (FORMAT parquet)")


def deployment(replicas: int) -> Deployment:
    """Return the deployment that the bench fixes."""
    bf16, vllm = number_format("bf16"), engine("vllm")
    return Deployment(
        model=model("llama-3.1-8b"),
        accelerator=accelerator("h100-sxm"),
        node=node("h100-sxm"),
        replicas=replicas,
        precision=Precision(linear=bf16, experts=bf16, kv=bf16),
        settings=EngineSettings(
            engine=vllm,
            max_num_seqs=256,
            max_batched_tokens=8192,
            memory_fraction=vllm.memory_fraction,
            prefix_caching=False,
        ),
    )


def knee(built: Deployment, trace: Trace) -> float:
    """Return the requests per second at which the fleet saturates, by the closed form."""
    found = predict(one(built), shape_of(trace), efficiencies=efficiencies())
    return float(found.capacity[0])


def tiled(source: Trace, requests: int, rate: float, seed: int) -> Trace:
    """Return `requests` requests at `rate`: copies of the hour, each arrival jittered by a gap."""
    copies = -(-requests // len(source))
    period = source.span + source.span / len(source)
    starts = np.repeat(np.arange(copies) * period, len(source))[:requests]
    jitter = np.random.default_rng(seed).exponential(period / len(source), requests)
    arrival = np.tile(source.arrival, copies)[:requests] + starts + jitter
    order = np.argsort(arrival, kind="stable")
    arrival = (arrival[order] - arrival[order[0]]) * (len(source) / period / rate)
    return Trace(
        arrival=arrival,
        input_tokens=np.tile(source.input_tokens, copies)[:requests][order],
        output_tokens=np.tile(source.output_tokens, copies)[:requests][order],
        name=f"{source.name} x {copies}",
    )


def naive(trace: Trace) -> float:
    """Return the requests per second of the tests' step-by-step twin on one replica."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from simulate_twin import Replica, Rules, play  # noqa: PLC0415 - the twin belongs to the tests

    from inferometer.simulate.pools import fleet_of, pool_of  # noqa: PLC0415

    pool = pool_of(deployment(1), efficiencies(), Play())
    world = fleet_of(trace, [pool], Play(), compiled=False).world
    rules = Rules(pool.machines[0], world.limits, world.step)
    start = time.perf_counter()
    play(trace, rules, [Replica()], lambda _sequence, _replicas: 0)
    return len(trace) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
