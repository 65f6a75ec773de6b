"""Core clocks and power caps: what a step gains and loses when the cores run slower.

Clocks are fractions of the highest. The laws are the textbook ones of CMOS and of a roofline. Their
constants come from measurements for the silicon generations in `catalog.clock_law` (rows with
clocks, or sweeps of power caps that imply them), and are `ASSUMED` for all others: no measured row
of a data-centre accelerator states its clock or a cap.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from inferometer.candidates import Floats
from inferometer.catalog.clock_law import ClockLaw
from inferometer.perf.power import step_power
from inferometer.perf.roofline import Machine, StepTime

ASSUMED = ClockLaw(
    key="assumed", voltage_floor=0.7, voltage_knee=0.6, bandwidth_knee=0.5, memory_switching=0.9
)
"""Law of silicon that nobody measured. Assumed: vendors publish no curve, about 0.7 V of 1.0 V;
lock-in tests on an H200 found decode unharmed down to about half of the highest clock (published
figures of AC-28); the cores' share of the draw of memory traffic is that of the RTX 3090."""

LOWEST = 0.2
"""Lowest clock considered: near the floor that drivers allow."""

GRID = np.linspace(1.0, LOWEST, 81)
"""Clocks tried, highest first."""

Step = Callable[[Machine], StepTime]
Laws = Mapping[str, ClockLaw]


def voltage(
    clock: Floats | float,
    floor: Floats | float = ASSUMED.voltage_floor,
    knee: Floats | float = ASSUMED.voltage_knee,
) -> Floats:
    """Return core voltage over the highest: `floor` up to the clock `knee`, then linear to one."""
    above = np.maximum(np.asarray(clock) - knee, 0.0) / (1 - knee)
    return floor + (1 - floor) * above


def at_clock(machine: Machine, clock: Floats | float, laws: Laws | None = None) -> Machine:
    """Return `machine` with its cores at `clock`.

    Arithmetic slows with the clock f and draws f V^2. Memory keeps its own clock: its bandwidth
    suffers only where the cores cannot ask for it, and its draw falls with that and, for the part
    that is the cores', with V^2. Host overheads stay, and so does what any running step draws: rows
    of an RTX 3090 show no dependence of it on the clock.

    Args:
        machine: The configurations.
        clock: Clocks over the highest [config or 1].
        laws: Laws by silicon generation; the others follow `ASSUMED`.
    """
    rate = machine.rates
    floor, knee, serving, switching = _constants(machine, laws or {})
    squared = voltage(clock, floor, knee) ** 2
    served = np.minimum(np.asarray(clock) / serving, 1.0)
    names = ("linear_compute", "expert_compute", "attention_compute")
    moved = ("weight_bandwidth", "expert_bandwidth", "kv_bandwidth")
    slower = {name: getattr(rate, name) * clock for name in names}
    slower |= {name: getattr(rate, name) * served for name in moved}
    slower["power_compute"] = rate.power_compute * clock * squared
    slower["power_memory"] = rate.power_memory * served * (1 + switching * (squared - 1))
    return replace(machine, rates=rate._replace(**slower))


def _constants(machine: Machine, laws: Laws) -> Floats:
    """Return the constants of each configuration's law [constant, config]."""
    candidates = machine.candidates
    found = [laws.get(chip.architecture, ASSUMED) for chip in candidates.accelerators]
    rows = [
        (law.voltage_floor, law.voltage_knee, law.bandwidth_knee, law.memory_switching)
        for law in found
    ]
    return np.array(rows, dtype=np.float64).T[:, candidates.accelerator]


def clock_under_cap(step: Step, machine: Machine, cap: Floats, laws: Laws | None = None) -> Floats:
    """Return the highest clock at which `step` draws at most `cap` W per accelerator [config].

    One where it draws no more at full clock: such a cap changes nothing. `LOWEST` where no clock
    keeps it. Bisects, since draw rises with the clock; to one part in 2^`HALVINGS` of the range.
    """
    low, high = np.full(len(machine.candidates), LOWEST), np.ones(len(machine.candidates))
    middle = high
    for _ in range(HALVINGS):
        slowed = at_clock(machine, middle, laws)
        kept = step_power(step(slowed), slowed) <= cap
        low, high = np.where(kept, middle, low), np.where(kept, high, middle)
        middle = (low + high) / 2
    return low


HALVINGS = 13
"""Steps of that bisection, the first of which asks about full clock: clocks to 0.0002."""


def best_clock(step: Step, machine: Machine, laws: Laws | None = None) -> tuple[Floats, Floats]:
    """Return the clock of least energy per step, and that energy in J per accelerator [config]."""
    energies = []
    for clock in GRID:
        slowed = at_clock(machine, float(clock), laws)
        taken = step(slowed)
        energies.append(step_power(taken, slowed) * taken.total)
    least = np.argmin(energies, axis=0)
    return GRID[least], np.min(energies, axis=0)
