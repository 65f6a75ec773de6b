import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.perf.demand import Demand, fixed_lengths
from inferometer.perf.latency import tpot
from inferometer.perf.roofline import Machine
from inferometer.perf.steady import steady


def lengths(built: Machine, prompt: float, output: float) -> Demand:
    return fixed_lengths(np.array([prompt]), np.array([output]), built.shard.reaches)


def test_a_step_bound_by_kv_reads_spreads_with_the_running_sequences() -> None:
    built = machine(deployment())
    demand = lengths(built, 1, 100_000)
    count = np.array([64.0])
    state = steady(count, built, demand)
    assert state.plain.attention[0] > 3 * state.plain.linear[0]
    found = tpot(count, state, demand, built)
    reads = state.plain.attention[0] / 64  # of one sequence
    lasting = 1 / (1 + 100_000 / 64)  # fluctuation left in the mean over a request
    least = 2.326 * reads * np.sqrt(64 * lasting)
    assert found[0, 3] - found[0, 0] >= 0.95 * least


def test_a_step_bound_by_weights_does_not_spread() -> None:
    built = machine(deployment())
    demand = lengths(built, 1, 2000)
    count = np.array([4.0])
    state = steady(count, built, demand)
    found = tpot(count, state, demand, built)
    assert found[0, 3] == pytest.approx(found[0, 0], rel=0.02)
