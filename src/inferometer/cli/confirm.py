"""`plan --confirm simulate`: the first options of a plan, played on the workload's requests."""

from collections.abc import Sequence
from typing import Any

from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.result import show_rows
from inferometer.cli.scenario import Scenario
from inferometer.errors import ScenarioError
from inferometer.plan.confirm import Confirmed, confirm, player
from inferometer.plan.search import Plan

HOUR = 3600.0


def confirmed(found: Plan, scenario: Scenario, top: int) -> tuple[Confirmed, ...]:
    """Return the first `top` options of a plan as they fare on the scenario's requests.

    Raises:
        ScenarioError: none is asked for.
    """
    if top < 1:
        raise ScenarioError(f"--confirm-top is {top}; at least 1 is wanted")
    trace = inputs.trace_of_scenario(scenario)
    known = efficiencies(inputs.overlay_of(scenario))
    played = player(trace, found.slo, known, found.best.outcome, scenario.seed)
    return confirm(found.alternatives[:top], found.slo, played)


def show_confirmed(found: Sequence[Confirmed]) -> None:
    """Print the options that were played, the cheapest that holds first."""
    show_rows("Played on the requests themselves, ranked anew", [_row(one) for one in found])


def _row(one: Confirmed) -> dict[str, Any]:
    return {
        "deployment": str(one.deployment),
        "planned replicas": one.planned,
        "$/h": None if one.cost is None else one.cost * HOUR,
        "TTFT p99 ms": one.outcome.ttft.p99 * 1e3,
        "TPOT p99 ms": one.outcome.tpot.p99 * 1e3,
        "within all limits": one.good,
        "misses": ", ".join(one.missed) or "nothing",
    }
