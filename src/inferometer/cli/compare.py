"""`inferometer compare`: two scenarios, the same requests, paired runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from inferometer.cli import inputs
from inferometer.cli.options import Format
from inferometer.cli.playing import played, predicted, setting_of
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.scenario import Scenario, read_scenario
from inferometer.errors import ScenarioError
from inferometer.outcome import Outcome
from inferometer.simulate import measures
from inferometer.simulate.comparison import Difference, paired

METRICS: dict[str, Callable[[Outcome], float]] = {
    "ttft p50 ms": lambda o: o.ttft.p50 * 1e3,
    "ttft p99 ms": lambda o: o.ttft.p99 * 1e3,
    "tpot mean ms": lambda o: o.tpot.mean * 1e3,
    "itl p99 ms": lambda o: o.itl.p99 * 1e3,
    "e2e p50 ms": lambda o: o.e2e.p50 * 1e3,
    "e2e p99 ms": lambda o: o.e2e.p99 * 1e3,
    "goodput 1/s": lambda o: o.goodput,
    "power W": lambda o: o.power,
}
"""What is compared, from an `Outcome`."""


def compare(
    first: Path,
    second: Path,
    /,
    *,
    runs: int = 8,
    seed: int = 0,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Compare two fleets of one synthetic workload by paired simulation.

    They may differ in their [deployment], or in their [policy]: router, scaling, clocks, retries.
    Every pair of runs shares its seed, hence its requests; the interval is of the difference.

    Args:
        first: Scenario with a [workload], a [deployment], and a [policy] if it has one.
        second: Another one with the same workload.
        runs: Pairs of runs.
        seed: Seed of the first pair; the others follow.
        format: A table for people, or JSON.
    """
    scenarios = (read_scenario(first), read_scenario(second))
    if scenarios[0].workload is None or scenarios[0].workload != scenarios[1].workload:
        raise ScenarioError(f"{first}, {second}: both need the same [workload] table")
    each = [[measured(scenario, seed + number) for number in range(runs)] for scenario in scenarios]
    found = [
        paired(name, *([row[name] for row in rows] for rows in each), seed=seed)
        for name in each[0][0]
    ]
    policies = [scenario.policy for scenario in scenarios]
    if format == "json":
        show_json({"differences": found, "runs": runs, "policies": policies})
    else:
        show_rows(f"{second} less {first}, {runs} pairs", [_row(item) for item in found])


def measured(scenario: Scenario, seed: int) -> dict[str, float]:
    """Return what a scenario's fleet does with the requests of `seed`, by metric.

    Raises:
        ScenarioError: no deployment, or one that cannot be played.
        InfeasibleError: it does not fit.
    """
    setting = setting_of(replace(scenario, seed=seed))
    trace = inputs.trace_of_scenario(setting.scenario)
    run = played(setting, trace)
    outcome = measures.outcome(run, predicted(setting, trace), setting.slo)
    hours = sum(usage.accelerator_hours for usage in run.usage)
    return {name: read(outcome) for name, read in METRICS.items()} | {
        "energy kWh": outcome.energy.total / 3.6e6,
        "accelerator hours": hours,
        "missed targets": 1 - measures.good_fraction(run, setting.slo),
    }


def _row(item: Difference) -> dict[str, Any]:
    return {
        "metric": item.metric,
        "first": item.first,
        "second": item.second,
        "change": item.change,
        "95 % interval": f"{item.low:,.4g} .. {item.high:,.4g}",
        "certain": "yes" if item.certain else "no",
    }
