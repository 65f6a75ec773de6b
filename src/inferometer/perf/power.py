"""Draw of an accelerator from what it is doing: idle, arithmetic, memory traffic, the rest."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Candidates, Floats
from inferometer.perf.roofline import Machine, StepTime
from inferometer.perf.steady import Steady


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draw:
    """Mean draw of one accelerator by cause, W [config]; the parts add up to `total`.

    Attributes:
        prefill: Above idle, for prompt chunks.
        decode: Above idle, for decode steps.
        idle: Idle draw.
    """

    prefill: Floats
    decode: Floats
    idle: Floats

    @property
    def total(self) -> Floats:
        """Sum of the parts, W [config]."""
        return self.prefill + self.decode + self.idle


def idle_power(candidates: Candidates) -> Floats:
    """Return the idle draw of one accelerator, W [config]."""
    return np.array([chip.idle_power for chip in candidates.accelerators])[candidates.accelerator]


def step_power(step: StepTime, machine: Machine) -> Floats:
    """Return the mean draw of one accelerator during a step, W [config].

    idle + (TDP - idle) (busy + a_c u_c + a_m u_m), at most TDP, where u_c and u_m are the shares of
    the step in which arithmetic and memory run at their attainable rates. Kernels that route,
    permute and quantise for experts are overhead by time, but keep the accelerator as busy as its
    memory does. The weights are catalogue parameters `power_busy`, `power_compute` and
    `power_memory`.
    """
    candidates, rate = machine.candidates, machine.rates
    idle = idle_power(candidates)
    limit = np.array([chip.tdp for chip in candidates.accelerators])[candidates.accelerator]
    total = step.total
    moving = step.memory + rate.expert_overhead * machine.shard.moe_layers
    activity = rate.power_busy + rate.power_compute * np.minimum(step.compute / total, 1.0)
    activity = activity + rate.power_memory * np.minimum(moving / total, 1.0)
    return idle + (limit - idle) * np.clip(activity, 0.0, 1.0)


def draw(state: Steady, running: Floats, machine: Machine) -> Draw:
    """Return the mean draw of one accelerator whose lane has `running` sequences on average.

    Steps run while any sequence does, 1 - exp(-running) of the time (see `steady.busy_batch`).
    """
    return busy_draw(state, -np.expm1(-running), machine)


def busy_draw(state: Steady, busy: Floats | float, machine: Machine) -> Draw:
    """Return the mean draw of one accelerator that runs steps for a share `busy` of the time.

    What a step with a prompt chunk draws beyond a plain one is the chunk's.
    """
    idle = idle_power(machine.candidates)
    plain = (step_power(state.plain, machine) - idle) * state.plain.total
    mixed = (step_power(state.mixed, machine) - idle) * state.mixed.total
    steps = busy / state.step  # per second
    prefill = steps * state.share * np.maximum(mixed - plain, 0.0)
    whole = steps * (plain + state.share * (mixed - plain))
    return Draw(prefill=prefill, decode=whole - prefill, idle=idle)
