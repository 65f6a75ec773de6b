"""Core clocks and power caps: what a step gains and loses when the cores run slower.

Clocks are fractions of the highest. The laws are the textbook ones of CMOS and of a roofline, with
constants marked assumed: no measured row of a data-centre accelerator varies its clock.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from inferometer.candidates import Floats
from inferometer.perf.power import step_power
from inferometer.perf.roofline import Machine, StepTime

VOLTAGE_FLOOR = 0.7
"""Lowest core voltage over the highest. Assumed: vendors publish no curve; about 0.7 V of 1.0 V."""

VOLTAGE_KNEE = 0.6
"""Clock below which voltage stays at its floor. Assumed, as `VOLTAGE_FLOOR`."""

BANDWIDTH_KNEE = 0.5
"""Clock below which the cores ask for less than the memory can give. Assumed; lock-in tests on an
H200 found decode unharmed down to about half of the highest clock (published figures of AC-28)."""

LOWEST = 0.2
"""Lowest clock considered: near the floor that drivers allow."""

GRID = np.linspace(1.0, LOWEST, 81)
"""Clocks tried, highest first."""

Step = Callable[[Machine], StepTime]


def voltage(clock: Floats | float) -> Floats:
    """Return core voltage over the highest: flat up to the knee, then linear to one."""
    above = np.maximum(np.asarray(clock) - VOLTAGE_KNEE, 0.0) / (1 - VOLTAGE_KNEE)
    return VOLTAGE_FLOOR + (1 - VOLTAGE_FLOOR) * above


def at_clock(machine: Machine, clock: Floats | float) -> Machine:
    """Return `machine` with its cores at `clock`: arithmetic slower, switching power f V^2.

    Memory keeps its own clock; its bandwidth, and its draw, suffer only where cores cannot ask for
    it. Host overheads stay.
    """
    rate = machine.rates
    served = np.minimum(np.asarray(clock) / BANDWIDTH_KNEE, 1.0)
    switching = clock * voltage(clock) ** 2
    names = ("linear_compute", "expert_compute", "attention_compute")
    moved = ("weight_bandwidth", "expert_bandwidth", "kv_bandwidth")
    slower = {name: getattr(rate, name) * clock for name in names}
    slower |= {name: getattr(rate, name) * served for name in moved}
    slower |= {name: getattr(rate, name) * switching for name in ("power_busy", "power_compute")}
    slower["power_memory"] = rate.power_memory * served
    return replace(machine, rates=rate._replace(**slower))


def clock_under_cap(step: Step, machine: Machine, cap: Floats) -> Floats:
    """Return the highest clock at which `step` draws at most `cap` W per accelerator [config].

    One where it draws no more at full clock: such a cap changes nothing. `LOWEST` where no clock
    keeps it.
    """
    found = np.full(len(machine.candidates), LOWEST)
    for clock in GRID[::-1]:
        slowed = at_clock(machine, float(clock))
        found = np.where(step_power(step(slowed), slowed) <= cap, clock, found)
    return found


def best_clock(step: Step, machine: Machine) -> tuple[Floats, Floats]:
    """Return the clock of least energy per step, and that energy in J per accelerator [config]."""
    energies = []
    for clock in GRID:
        slowed = at_clock(machine, float(clock))
        taken = step(slowed)
        energies.append(step_power(taken, slowed) * taken.total)
    least = np.argmin(energies, axis=0)
    return GRID[least], np.min(energies, axis=0)
