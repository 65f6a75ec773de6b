"""Draw of an accelerator from what it is doing: idle, arithmetic, memory traffic, the rest."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Candidates, Floats
from inferometer.catalog.efficiency import Efficiencies
from inferometer.perf.roofline import StepTime
from inferometer.perf.steady import Steady

_WEIGHTS = ("power_busy", "power_compute", "power_memory")


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


def step_power(step: StepTime, candidates: Candidates, efficiencies: Efficiencies) -> Floats:
    """Return the mean draw of one accelerator during a step, W [config].

    idle + (TDP - idle) (busy + a_c u_c + a_m u_m), at most TDP, where u_c and u_m are the shares of
    the step in which arithmetic and memory run at their attainable rates. The weights are catalogue
    parameters `power_busy`, `power_compute` and `power_memory`.
    """
    idle = idle_power(candidates)
    limit = np.array([chip.tdp for chip in candidates.accelerators])[candidates.accelerator]
    busy, compute, moved = (_weight(name, candidates, efficiencies) for name in _WEIGHTS)
    total = step.total
    activity = busy + compute * np.minimum(step.compute / total, 1.0)
    activity = activity + moved * np.minimum(step.memory / total, 1.0)
    return idle + (limit - idle) * np.clip(activity, 0.0, 1.0)


def draw(
    state: Steady, running: Floats, candidates: Candidates, efficiencies: Efficiencies
) -> Draw:
    """Return the mean draw of one accelerator whose lane has `running` sequences on average.

    Steps run while any sequence does, 1 - exp(-running) of the time (see `steady.busy_batch`). What
    a step with a prompt chunk draws beyond a plain one is the chunk's.
    """
    idle = idle_power(candidates)
    plain = (step_power(state.plain, candidates, efficiencies) - idle) * state.plain.total
    mixed = (step_power(state.mixed, candidates, efficiencies) - idle) * state.mixed.total
    steps = -np.expm1(-running) / state.step  # per second
    prefill = steps * state.share * np.maximum(mixed - plain, 0.0)
    whole = steps * (plain + state.share * (mixed - plain))
    return Draw(prefill=prefill, decode=whole - prefill, idle=idle)


def _weight(name: str, candidates: Candidates, efficiencies: Efficiencies) -> Floats:
    per_chip = [
        efficiencies[name].value((f"architecture:{chip.architecture}", f"accelerator:{chip.key}"))
        for chip in candidates.accelerators
    ]
    return np.array(per_chip)[candidates.accelerator]
