import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.catalog.clock_law import clock_laws
from inferometer.perf.clocks import GRID, at_clock, best_clock, clock_under_cap, voltage
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.power import step_power
from inferometer.perf.roofline import Machine, StepTime
from inferometer.perf.static_batch import static_batch


def decode(built: Machine) -> StepTime:
    asked = fixed_lengths(np.array([300.0]), np.array([300.0]), built.shard.reaches)
    return static_batch(np.array([8.0]), built, asked).decode


def test_full_clock_changes_nothing() -> None:
    built = machine(deployment())
    assert decode(at_clock(built, 1.0)).total == pytest.approx(decode(built).total)
    assert step_power(decode(built), at_clock(built, 1.0)) == pytest.approx(
        step_power(decode(built), built)
    )


def test_voltage_is_flat_then_rises_to_one() -> None:
    assert voltage(0.3) == voltage(0.6) < voltage(0.8) < voltage(1.0) == pytest.approx(1.0)


def test_a_cap_is_kept_by_the_highest_clock_that_keeps_it() -> None:
    built = machine(deployment())
    draw = step_power(decode(built), built)
    clock = clock_under_cap(decode, built, draw * 0.8)[0]
    slowed = at_clock(built, float(clock))
    assert step_power(decode(slowed), slowed)[0] <= draw[0] * 0.8
    faster = at_clock(built, float(GRID[clock < GRID].min()))
    assert step_power(decode(faster), faster)[0] > draw[0] * 0.8


def test_slower_cores_never_shorten_a_step() -> None:
    built = machine(deployment())
    times = [decode(at_clock(built, float(clock))).total[0] for clock in GRID]
    assert times == sorted(times)


def test_best_clock_costs_least_of_all_clocks() -> None:
    built = machine(deployment())
    clock, energy = best_clock(decode, built)
    everywhere = []
    for other in GRID:
        slowed = at_clock(built, float(other))
        step = decode(slowed)
        everywhere.append(float((step_power(step, slowed) * step.total)[0]))
    assert energy[0] == pytest.approx(min(everywhere))
    assert everywhere[int(np.argmin(np.abs(GRID - clock[0])))] == pytest.approx(energy[0])


def test_a_measured_law_binds_only_the_silicon_that_it_was_measured_on() -> None:
    both = machine(deployment("llama-3.1-8b", "rtx-3090"), deployment("llama-3.1-8b", "h100-sxm"))
    assumed, measured = (at_clock(both, 0.6, laws).rates for laws in (None, clock_laws()))
    # 0.6 is below the knee of 0.82 of the RTX 3090, above the assumed 0.5.
    assert measured.weight_bandwidth[0] == pytest.approx(assumed.weight_bandwidth[0] * 0.6 / 0.82)
    assert measured.weight_bandwidth[1] == assumed.weight_bandwidth[1]
    assert measured.power_compute[0] / assumed.power_compute[0] == pytest.approx((0.86 / 0.7) ** 2)


def test_what_any_running_step_draws_does_not_depend_on_the_clock() -> None:
    built = machine(deployment())
    assert at_clock(built, 0.4).rates.power_busy == built.rates.power_busy
