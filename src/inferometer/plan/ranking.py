"""Which of the deployments that serve comes first."""

import numpy as np

from inferometer.candidates import Floats, Ints
from inferometer.perf.prediction import Prediction
from inferometer.plan.replicas import excess
from inferometer.plan.space import Space
from inferometer.workload.slo import Slo


def cost(space: Space) -> Floats:
    """Return the price of every configuration with its replicas [config], USD/s."""
    return space.cost_per_replica * space.candidates.replicas


def ranking(space: Space, prediction: Prediction, slo: Slo) -> Ints:
    """Return the rows in order: by cost, then accelerators, headroom, capacity, row.

    Args:
        space: Configurations that serve, with their replicas.
        prediction: What they do.
        slo: The targets; the headroom is that under the tightest.
    """
    total = space.candidates.accelerators_per_replica * space.candidates.replicas
    tightest = excess(prediction, slo).max(axis=0, initial=0.0)
    return np.lexsort((-prediction.capacity, tightest, total, cost(space)))
