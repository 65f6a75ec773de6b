"""The core clock of least energy: of a step of each phase, and of the whole deployment at its load.

A step is judged with the idle draw of its time, since a faster step leaves the accelerator to other
work. The deployment is judged over its span, where the idle draw is there at any clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.account.bill import Tariff
from inferometer.candidates import Floats, one
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.perf.clocks import Laws, at_clock, best_clock
from inferometer.perf.demand import Demand, demand
from inferometer.perf.lanes import divide
from inferometer.perf.power import step_power
from inferometer.perf.roofline import Batch, Machine, StepTime, compile_candidates, step_time
from inferometer.perf.steady import busy_batch, decode_step, running_sequences, steady
from inferometer.plan.option import Option, stated
from inferometer.plan.replicas import Evaluate, meets
from inferometer.units import Fraction, Joules, Seconds, Watts
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

ASSUMED = "assumed"
CLOCKS = tuple(round(1 - 0.05 * step, 2) for step in range(11))
"""Clocks at which a deployment is evaluated, over the highest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseClock:
    """The clock of least energy of one phase.

    Attributes:
        phase: "prefill" or "decode".
        clock: That clock, over the highest.
        law: Silicon generation whose clocks were measured, else "assumed".
        saving: Energy of a step saved over the highest clock.
        slower: Time of a step over that at the highest clock, less one.
        step: Time of a step at the highest clock.
        power: Draw of one accelerator in that step.
        power_at_best: The same at the clock of least energy.
    """

    phase: str
    clock: Fraction
    law: str
    saving: Fraction
    slower: Fraction
    step: Seconds
    power: Watts
    power_at_best: Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPoint:
    """The whole deployment at one clock, at its load.

    Attributes:
        clock: Over the highest.
        option: What it does and draws.
        energy: Energy of the span at the facility's meter.
        kept: Whether it carries the load within the SLO.
    """

    clock: Fraction
    option: Option
    energy: Joules
    kept: bool


def phase_clocks(
    deployment: Deployment, shape: Shape, efficiencies: Efficiencies, laws: Laws
) -> tuple[PhaseClock, PhaseClock]:
    """Return the clock of least energy of a prompt chunk alone and of a decode step alone.

    The batch is that of the busiest minute, the chunk that of a step which carries one.
    """
    table = one(deployment)
    machine = compile_candidates(table, efficiencies)
    asked = demand(shape, tuple(machine.shard.reaches), prefix_caching=table.prefix_caching)
    lanes = divide(machine, asked)
    running = running_sequences(shape.peak_rate / lanes.count, lanes.limit, machine, asked)
    batch = np.minimum(busy_batch(running), lanes.limit)
    chunk = steady(batch, machine, asked).chunk
    found = laws.get(deployment.accelerator.architecture)
    law = found.key if found is not None and found.measured else ASSUMED
    return (
        _phase("prefill", lambda slowed: _prompt(chunk, slowed, asked), machine, laws, law),
        _phase("decode", lambda slowed: decode_step(batch, slowed, asked), machine, laws, law),
    )


def _prompt(chunk: Floats, machine: Machine, asked: Demand) -> StepTime:
    nothing = np.zeros_like(chunk)
    batch = Batch(
        sequences=nothing, context=asked.context, prefill=chunk,
        prefill_context=asked.prefill_context,
    )  # fmt: skip
    return step_time(batch, machine)


def _phase(
    phase: str, step: Callable[[Machine], StepTime], machine: Machine, laws: Laws, law: str
) -> PhaseClock:
    clock, least = (float(values[0]) for values in best_clock(step, machine, laws))
    slowed = at_clock(machine, clock, laws)
    full, best = step(machine), step(slowed)
    power = float(step_power(full, machine)[0])
    time = float(full.total[0])
    return PhaseClock(
        phase=phase,
        clock=clock,
        law=law,
        saving=1 - least / (power * time),
        slower=float(best.total[0]) / time - 1,
        step=time,
        power=power,
        power_at_best=float(step_power(best, slowed)[0]),
    )


def highest_draw(
    deployment: Deployment, shape: Shape, efficiencies: Efficiencies, laws: Laws, clock: Fraction
) -> Watts:
    """Return the draw of all accelerators in the heaviest step: a chunk and the fullest batch."""
    table = one(deployment)
    machine = at_clock(compile_candidates(table, efficiencies), clock, laws)
    asked = demand(shape, tuple(machine.shard.reaches), prefix_caching=table.prefix_caching)
    step = steady(divide(machine, asked).limit, machine, asked).mixed
    return float(step_power(step, machine)[0]) * deployment.accelerators


def clock_points(
    deployment: Deployment,
    shape: Shape,
    slo: Slo,
    at: Callable[[Fraction], Evaluate],
    site: Tariff,
    clocks: Sequence[Fraction] = CLOCKS,
) -> tuple[ClockPoint, ...]:
    """Return what `deployment` does and draws at each clock, one clock for both phases.

    Args:
        deployment: The deployment; its replicas stay.
        shape: The workload.
        slo: The targets.
        at: Evaluator at a clock.
        site: Building and grid.
        clocks: Clocks over the highest.
    """
    found = []
    for clock in clocks:
        prediction = at(clock)(one(deployment), shape)
        option = stated(deployment, None, prediction, slo, site)
        kept = bool(meets(prediction, slo)[0])
        energy = option.bill.energy.total
        found.append(ClockPoint(clock=clock, option=option, energy=energy, kept=kept))
    return tuple(found)


def least_energy(points: Sequence[ClockPoint]) -> ClockPoint | None:
    """Return the point of least energy among those that keep the SLO, None if none does."""
    kept = [point for point in points if point.kept]
    return min(kept, key=lambda point: point.energy) if kept else None
