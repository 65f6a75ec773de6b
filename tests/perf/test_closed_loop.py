import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.perf.closed_loop import (
    FOLLOWED,
    HELD,
    MOST_HELD,
    ClosedLoop,
    burst,
    closed_loop,
    prefill_rate,
)
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.steady import decode_step, prefill_time


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


def loops(served: str, clients: float, lockstep: float, *, inputs: float = 1024.0) -> ClosedLoop:
    built = machine(deployment(served=served))
    asked = fixed_lengths(np.array([inputs]), np.array([256.0]), built.shard.reaches)
    count = np.array([clients])
    return closed_loop(count, count, built, asked, lockstep=lockstep)


def test_a_client_alone_waits_for_nobody() -> None:
    built = machine(deployment())
    asked = fixed_lengths(np.array([1024.0]), np.array([256.0]), built.shard.reaches)
    one = np.array([1.0])
    service = prefill_time(1024.0, one, built, asked)
    for lockstep in (0.0, 1.0):
        ttft = loops("vllm", 1.0, lockstep).ttft
        assert ttft == pytest.approx(service + built.rates.request_overhead, rel=0.02)


def test_requests_of_one_length_prefill_behind_one_another() -> None:
    spread, alike = loops("vllm", 16.0, 0.0), loops("vllm", 16.0, 1.0)
    built = machine(deployment())
    asked = fixed_lengths(np.array([1024.0]), np.array([256.0]), built.shard.reaches)
    service = prefill_time(1024.0, spread.running, built, asked)
    assert spread.ttft < alike.ttft < spread.ttft + (FOLLOWED + 0.1) * service
    assert alike.ttft == pytest.approx(
        (1 + FOLLOWED) * service + built.rates.request_overhead, rel=0.1
    )


def test_the_wave_of_an_engine_that_puts_prompts_first_is_that_of_a_step_by_step_twin() -> None:
    built = machine(deployment(served="sglang"))
    asked = fixed_lengths(np.array([1024.0]), np.array([256.0]), built.shard.reaches)
    count = 24
    held = int(built.candidates.max_batched_tokens[0] // 1024)
    zero, many = np.zeros(1), np.array([float(count)])
    prompt = float(prefill_time(held * 1024.0, zero, built, asked)[0])
    step = float(decode_step(many, built, asked).total[0])
    clock, first = 0.0, list[float]()
    for done in range(0, count, held):
        clock += prompt
        first += [clock] * min(held, count - done)
    ends = clock + 255 * step
    loop = loops("sglang", float(count), 1.0)
    overhead = float(built.rates.request_overhead[0])
    assert loop.ttft == pytest.approx(np.mean(first) + overhead)
    assert loop.tpot == pytest.approx(np.mean([(ends - at) / 255 for at in first]))
    assert loop.rate == pytest.approx(count / (ends + overhead))


def test_waves_leave_engines_that_mix_and_lengths_that_vary_alone() -> None:
    sglang, vllm = loops("sglang", 64.0, 1.0), loops("sglang", 64.0, 0.0)
    assert sglang.ttft > 3 * vllm.ttft
    assert loops("vllm", 64.0, 1.0).ttft < sglang.ttft


def test_a_burst_is_prefilled_in_steps_full_of_prompts() -> None:
    built = machine(deployment(served="sglang"))
    asked = fixed_lengths(np.array([1024.0]), np.array([256.0]), built.shard.reaches)
    many = np.array([32.0])
    full = prefill_time(8 * 1024.0, np.zeros(1), built, asked)
    assert burst(many, built, asked) == pytest.approx(full * 2.5 + built.rates.request_overhead)
    assert prefill_rate(np.zeros(1), built, asked) == pytest.approx(8 / full)


def test_prompts_wait_for_further_ranks_of_data_parallel_attention() -> None:
    waits = list[float]()
    for data in (1, 2, 8, 16):
        built = machine(deployment("deepseek-v3", "h200-sxm", data=data, expert=True))
        asked = fixed_lengths(np.array([1024.0]), np.array([256.0]), built.shard.reaches)
        loop = closed_loop(np.array([8.0]), np.array([8.0]), built, asked)
        waits.append(float((loop.ttft / loop.tpot)[0]))
    assert waits[1] - waits[0] == pytest.approx(HELD, abs=2)
    assert waits[2] - waits[0] == pytest.approx(7 * HELD, abs=8)
    assert waits[3] - waits[0] == pytest.approx(MOST_HELD, abs=12)
