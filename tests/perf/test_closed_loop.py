import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.perf.closed_loop import closed_loop
from inferometer.perf.demand import fixed_lengths


def test_littles_law_holds_for_clients_and_for_running_sequences() -> None:
    built = machine(deployment())
    clients = np.array([40.0])
    asked = fixed_lengths(np.array([500.0]), np.array([200.0]), built.shard.reaches)
    loop = closed_loop(clients, np.array([32.0]), built, asked)
    decode = 199 * loop.tpot
    assert loop.rate * (loop.ttft + decode) == pytest.approx(clients)
    assert loop.rate * decode == pytest.approx(loop.running)


def test_clients_without_a_place_wait_in_ttft_alone() -> None:
    built = machine(deployment())
    asked = fixed_lengths(np.array([100.0]), np.array([500.0]), built.shard.reaches)
    limit = np.array([16.0])
    few = closed_loop(np.array([16.0]), limit, built, asked)
    many = closed_loop(np.array([64.0]), limit, built, asked)
    assert many.tpot == pytest.approx(few.tpot)
    assert many.rate == pytest.approx(few.rate)
    assert many.ttft > few.ttft + 2 * 499 * few.tpot


def test_throughput_grows_and_speed_falls_with_clients() -> None:
    built = machine(deployment())
    asked = fixed_lengths(np.array([500.0]), np.array([200.0]), built.shard.reaches)
    loops = [closed_loop(np.array([n]), np.array([n]), built, asked) for n in (1.0, 8.0, 64.0)]
    rates = [loop.rate[0] for loop in loops]
    assert rates == sorted(rates)
    assert [loop.tpot[0] for loop in loops] == sorted(loop.tpot[0] for loop in loops)
