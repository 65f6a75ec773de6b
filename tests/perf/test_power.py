from dataclasses import replace

import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.perf.demand import fixed_lengths
from inferometer.perf.power import busy_draw, idle_power, step_power
from inferometer.perf.roofline import Machine
from inferometer.perf.steady import Steady, steady


def state_of(built: Machine, sequences: float) -> Steady:
    asked = fixed_lengths(np.array([300.0]), np.array([300.0]), built.shard.reaches)
    return steady(np.array([sequences]), built, asked)


def test_draw_is_that_of_published_runs() -> None:
    # ML.ENERGY v3, LLM tasks on H100: 0.29 to 0.99 of 700 W, median 0.63 at 8 sequences.
    built = machine(deployment())
    watts = [step_power(state_of(built, n).plain, built)[0] for n in (8.0, 64.0, 256.0)]
    assert 0.45 * 700 < watts[0] < 0.85 * 700
    assert watts[0] < watts[1] < 700


def test_parts_add_up_and_idle_time_draws_idle_power() -> None:
    built = machine(deployment())
    state = state_of(built, 16.0)
    busy, half, none = (busy_draw(state, share, built) for share in (1.0, 0.5, 0.0))
    assert busy.total[0] == pytest.approx((busy.prefill + busy.decode + busy.idle)[0])
    assert none.total[0] == pytest.approx(idle_power(built.candidates)[0])
    assert half.total[0] == pytest.approx((busy.total[0] + none.total[0]) / 2)


def test_kernels_around_experts_draw_as_memory_traffic_does() -> None:
    built = machine(deployment("qwen3-30b-a3b"))
    plain = state_of(built, 8.0).plain
    idle = replace(built, rates=built.rates._replace(expert_overhead=np.zeros(1)))
    share = built.rates.expert_overhead * built.shard.moe_layers / plain.total
    span = 700 - idle_power(built.candidates)
    more = step_power(plain, built) - step_power(plain, idle)
    assert more == pytest.approx(span * built.rates.power_memory * share)
    assert more[0] > 10
