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


def test_draw_is_between_idle_and_the_limit() -> None:
    built = machine(deployment())
    for sequences in (1.0, 32.0, 256.0):
        state = state_of(built, sequences)
        watts = step_power(state.plain, built)[0]
        assert idle_power(built.candidates)[0] < watts <= 700


def test_parts_add_up_and_idle_time_draws_idle_power() -> None:
    built = machine(deployment())
    state = state_of(built, 16.0)
    busy, half, none = (busy_draw(state, share, built) for share in (1.0, 0.5, 0.0))
    assert busy.total[0] == pytest.approx((busy.prefill + busy.decode + busy.idle)[0])
    assert none.total[0] == pytest.approx(idle_power(built.candidates)[0])
    assert half.total[0] == pytest.approx((busy.total[0] + none.total[0]) / 2)
