"""Why configurations are not feasible, counted by constraint."""

import numpy as np

from inferometer.candidates import Floats
from inferometer.errors import LedgerError
from inferometer.plan.replicas import Sizing
from inferometer.workload.slo import Slo

MEMORY = "weights or longest request do not fit in memory"
SUPPLY = "the supply does not carry the load"


def reasons(sizing: Sizing, ratios: Floats, slo: Slo) -> dict[str, int]:
    """Return the count of infeasible configurations by the constraint that rules each out.

    Args:
        sizing: Replica counts of all configurations.
        ratios: Latency over limit with the whole supply, of those configurations that carry the
            load and still miss the SLO [target, config]; a configuration counts under the target
            that it misses by most.
        slo: The targets.
    """
    counts = {MEMORY: int((~sizing.fits).sum()), SUPPLY: int((sizing.fits & ~sizing.loaded).sum())}
    worst = ratios.argmax(axis=0) if ratios.size else np.zeros(0, np.int64)
    for place, target in enumerate(slo.targets):
        counts[f"misses {target}"] = int((worst == place).sum())
    return {reason: count for reason, count in counts.items() if count}


def check(enumerated: int, counts: dict[str, int], feasible: int) -> None:
    """Refuse counts that lose a configuration.

    Raises:
        LedgerError: excluded + feasible is not enumerated.
    """
    total = sum(counts.values()) + feasible
    if total != enumerated:
        raise LedgerError(f"{enumerated} configurations enumerated, {total} accounted for")
