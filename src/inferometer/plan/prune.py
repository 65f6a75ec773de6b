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
        ratios: What is used up of each limit with the whole supply, of those configurations that
            carry the load and still miss the SLO [term, config]; a configuration counts under the
            term that it misses by most.
        slo: The targets.
    """
    counts = {MEMORY: int((~sizing.fits).sum()), SUPPLY: int((sizing.fits & ~sizing.loaded).sum())}
    worst = ratios.argmax(axis=0) if ratios.size else np.zeros(0, np.int64)
    for place, term in enumerate(slo.terms):
        counts[f"misses {term}{free(slo)}"] = int((worst == place).sum())
    return {reason: count for reason, count in counts.items() if count}


def free(slo: Slo) -> str:
    """Return what `slo` asks to be kept free of a limit, in words; "" if nothing."""
    return f" with {slo.headroom:.3g} of it free" if slo.headroom else ""


def check(enumerated: int, counts: dict[str, int], feasible: int) -> None:
    """Refuse counts that lose a configuration.

    Raises:
        LedgerError: excluded + feasible is not enumerated.
    """
    total = sum(counts.values()) + feasible
    if total != enumerated:
        raise LedgerError(f"{enumerated} configurations enumerated, {total} accounted for")
