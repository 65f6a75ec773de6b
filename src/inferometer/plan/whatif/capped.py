"""Power caps: the clock at which the heaviest step of a workload keeps to a cap."""

import numpy as np

from inferometer.perf.clocks import Laws, at_clock, clock_under_cap
from inferometer.perf.demand import demand
from inferometer.perf.lanes import divide
from inferometer.perf.predict import Tune
from inferometer.perf.roofline import Machine, StepTime
from inferometer.perf.steady import steady
from inferometer.units import Fraction
from inferometer.workload.shape import Shape


def capped(shape: Shape, share: Fraction, laws: Laws) -> Tune:
    """Return the change that keeps every accelerator to `share` of its shipped power limit.

    The clock is that at which a step with prompt tokens and all sequences running draws no more.
    """

    def tuned(machine: Machine) -> Machine:
        table = machine.candidates
        asked = demand(shape, machine.shard.reaches, prefix_caching=table.prefix_caching)
        limit = divide(machine, asked).limit

        def heaviest(slowed: Machine) -> StepTime:
            return steady(limit, slowed, asked).mixed

        shipped = np.array([chip.tdp for chip in table.accelerators])[table.accelerator]
        clock = clock_under_cap(heaviest, machine, share * shipped, laws)
        return at_clock(machine, clock, laws)

    return tuned
