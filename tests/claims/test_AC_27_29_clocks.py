"""Claims on clocks and power caps (claims.md, AC-27 to AC-29); the clock laws are assumed."""

import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.perf.clocks import GRID, at_clock, best_clock, clock_under_cap
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.power import step_power
from inferometer.perf.roofline import Batch, Machine, StepTime, step_time
from inferometer.perf.static_batch import static_batch


def built() -> Machine:
    return machine(deployment("qwen3-4b", "h200-sxm"))


def decode(one: Machine) -> StepTime:
    asked = fixed_lengths(np.array([500.0]), np.array([500.0]), one.shard.reaches)
    return static_batch(np.array([16.0]), one, asked).decode


def prefill(one: Machine) -> StepTime:
    rows = len(one.shard.reaches)
    return step_time(
        Batch(sequences=np.zeros(1), context=np.zeros((rows, 1)), prefill=np.array([8192.0]),
              prefill_context=np.full((rows, 1), 2048.0)), one,
    )  # fmt: skip


def energy(step: StepTime, one: Machine) -> float:
    return float((step_power(step, one) * step.total)[0])


def test_AC_27_decode_energy_is_u_shaped_with_its_optimum_below_full_clock() -> None:
    curve = [energy(decode(at_clock(built(), float(c))), at_clock(built(), float(c))) for c in GRID]
    least = int(np.argmin(curve))
    assert 0 < least < len(GRID) - 1
    assert curve[0] > curve[least] < curve[-1]
    assert np.all(np.diff(curve[: least + 1]) <= 1e-9)
    assert np.all(np.diff(curve[least:]) >= -1e-9)


def test_AC_27_prefill_wants_no_lower_clock_than_decode() -> None:
    one = built()
    assert best_clock(prefill, one)[0][0] >= best_clock(decode, one)[0][0]


def test_AC_28_a_lock_at_the_knee_saves_energy_at_no_loss_of_speed() -> None:
    one = built()
    locked = at_clock(one, 0.55)
    saved = 1 - energy(decode(locked), locked) / energy(decode(one), one)
    lost = float((decode(locked).total / decode(one).total)[0]) - 1
    assert 0.20 <= saved <= 0.35
    assert lost <= 0.02


@pytest.mark.parametrize("margin", [1.0, 1.4])
def test_AC_29_a_cap_above_the_draw_is_a_no_op(margin: float) -> None:
    one = built()
    draw = step_power(decode(one), one)
    clock = clock_under_cap(decode, one, draw * margin)
    assert clock[0] == 1.0
    capped = at_clock(one, float(clock[0]))
    assert decode(capped).total[0] == decode(one).total[0]
    assert energy(decode(capped), capped) == energy(decode(one), one)
