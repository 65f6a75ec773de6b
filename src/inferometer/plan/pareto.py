"""The Pareto front: what no other point beats on every objective."""

import numpy as np

from inferometer.candidates import Floats, Ints


def front(objectives: Floats) -> Ints:
    """Return the rows that no other row dominates, in order of the first objective.

    A row dominates another that it is nowhere above and somewhere below; of equal rows the first
    is kept. O(rows x rows on the front).

    Args:
        objectives: Smaller is better; no NaN [row, objective].
    """
    order = np.lexsort(objectives.T[::-1])
    kept = list[int]()
    while len(order):
        best = order[0]  # least in lexical order: nothing left dominates it
        kept.append(int(best))
        beaten = (objectives[order] >= objectives[best]).all(axis=1)
        order = order[~beaten]
    return np.array(kept, dtype=np.int64)
