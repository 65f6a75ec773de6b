"""Few requests with many hashed blocks: the compiled loop beside plain Python.

Agents of 20 calls each, whose prompts grow call by call, so that a prefix cache looks up every
block that came before; Llama 3.1 8B on 8 H100. Both loops play the same requests and must agree on
each of them to the bit. The compiled loop is loaded, or once per machine compiled, beforehand.
"""

import argparse
import json
import sys
import time

import numpy as np

from inferometer.catalog.efficiency import efficiencies
from inferometer.catalog.models import model
from inferometer.cli.inputs import deployment_of
from inferometer.cli.scenario import DeploymentSpec
from inferometer.deployment import Deployment
from inferometer.simulate.simulation import PLAIN, Simulation, simulate, work_of
from inferometer.workload.trace import Prefixes, Trace

TURNS, BLOCK = 20, 16


def main() -> None:
    """Print one line of results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--growth", type=int, default=100, help="blocks that a call adds")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args()
    simulate(agents(TURNS, 1), deployment(), efficiencies=efficiencies(), compiled=True)
    trace = agents(options.requests, options.growth)
    plain_s, plain = timed(trace, compiled=False)
    compiled_s, fast = timed(trace, compiled=True)
    for name in ("first_token", "finished", "lane", "cached"):
        np.testing.assert_array_equal(getattr(plain.records, name), getattr(fast.records, name))
    work = work_of(trace, caching=True)
    found = {
        "requests": len(trace), "blocks": len(blocks_of(trace).hashes), "work": work,
        "compiled_by_default": float(work > PLAIN), "plain_cpu_s": plain_s,
        "compiled_cpu_s": compiled_s, "finished": plain.counts.finished,
    }  # fmt: skip
    lines = (f"{name}: {value:,.4g}" for name, value in found.items())
    sys.stdout.write((json.dumps(found) if options.json else "\n".join(lines)) + "\n")


def agents(requests: int, growth: int) -> Trace:
    """Return agents' calls in turn, each prompt the one before it and `growth` blocks more."""
    tasks = max(requests // TURNS, 1)
    turn, task = np.divmod(np.arange(requests), tasks)
    counts = (turn + 1) * growth
    own = [np.arange(count) + one * 10**6 for one, count in zip(task, counts, strict=True)]
    return Trace(
        arrival=np.arange(0.0, 2.0 * requests, 2.0),
        input_tokens=counts * BLOCK,
        output_tokens=np.full(requests, 100),
        session=task,
        prefixes=Prefixes(
            hashes=np.unique(np.concatenate(own), return_inverse=True)[1],
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            block_size=BLOCK,
        ),
    )


def blocks_of(trace: Trace) -> Prefixes:
    """Return the hashes of a trace of agents, which has them."""
    if trace.prefixes is None:
        raise TypeError(trace.name)
    return trace.prefixes


def timed(trace: Trace, *, compiled: bool) -> tuple[float, Simulation]:
    """Return the CPU time of a run, s, and the run."""
    start = time.process_time()
    run = simulate(trace, deployment(), efficiencies=efficiencies(), compiled=compiled)
    return time.process_time() - start, run


def deployment() -> Deployment:
    """Return eight replicas with prefix caching."""
    return deployment_of(model("llama-3.1-8b"), DeploymentSpec(gpu="h100-sxm", replicas=8))


if __name__ == "__main__":
    main()
