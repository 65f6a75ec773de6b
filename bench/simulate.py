"""Requests per second of the simulator, beside its naive twin.

Llama 3.1 8B on H100, TP1, 8,192-token budget, 256 sequences, least-loaded router; the lengths and
arrivals of the Azure 2023 conversation trace, tiled with jitter and compressed so that the fleet
runs at 70 % of its knee: the rate from which the closed form's queue grows without bound.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.catalog.tables import accelerator, engine, node, number_format
from inferometer.deployment import Deployment, EngineSettings, Precision
from inferometer.perf.predict import predict
from inferometer.simulate.measures import busy_fraction
from inferometer.simulate.simulation import simulate
from inferometer.workload.formats.files import read
from inferometer.workload.shape import shape_of
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
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    result = measure(options.requests, options.replicas, options.seed)
    lines = (f"{name}: {value:,.6g}" for name, value in result.items())
    sys.stdout.write((json.dumps(result) if options.json else "\n".join(lines)) + "\n")


def measure(requests: int, replicas: int, seed: int) -> dict[str, float]:
    """Return rates, memory and what became of the requests; the loop is compiled beforehand."""
    path = Path(os.environ.get("INFEROMETER_DATA", "../shared/data"))
    source = read(path / "traces/azure_llm_2023_conv.csv").trace
    built = deployment(replicas)
    rate = LOAD * knee(built, source)
    trace = tiled(source, requests, rate, seed)
    simulate(tiled(source, 100, rate, seed), built, efficiencies=efficiencies(), compiled=True)
    start, cpu = time.perf_counter(), time.process_time()
    run = simulate(trace, built, efficiencies=efficiencies(), compiled=True)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    tokens = int(trace.input_tokens.sum() + trace.output_tokens.sum())
    return {
        "requests_per_s": requests / wall,
        "requests_per_cpu_s": requests / cpu,
        "tokens_per_s": tokens / wall,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "wall_s": wall,
        "arrived": run.counts.arrived,
        "finished": run.counts.finished,
        "rejected": run.counts.rejected,
        "in_flight": run.counts.in_flight,
        "utilisation": busy_fraction(run),
        "preemptions": run.sums["preemptions"],
        "rate_per_s": rate,
        "requests_per_s_naive": naive(tiled(source, TWIN, rate / replicas, seed)),
    }


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

    from inferometer.simulate.play import Play  # noqa: PLC0415
    from inferometer.simulate.pools import fleet_of, pool_of  # noqa: PLC0415

    pool = pool_of(deployment(1), efficiencies(), Play())
    world = fleet_of(trace, [pool], Play(), compiled=False).world
    rules = Rules(pool.machines[0], world.limits, world.step)
    start = time.perf_counter()
    play(trace, rules, [Replica()], lambda _sequence, _replicas: 0)
    return len(trace) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
