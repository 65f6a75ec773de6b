"""`inferometer compare`: two scenarios, the same requests, paired runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from inferometer.candidates import one
from inferometer.catalog.efficiency import efficiencies
from inferometer.cli import inputs
from inferometer.cli.options import Format, Stated, deployment_spec
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.scenario import Scenario, read_scenario
from inferometer.errors import ScenarioError
from inferometer.outcome import Outcome
from inferometer.simulate import measures
from inferometer.simulate.comparison import Difference, paired
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import simulate
from inferometer.workload.shape import shape_of

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
    routers: tuple[str, str] = ("least-loaded", "least-loaded"),
    runs: int = 8,
    seed: int = 0,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Compare two deployments of one synthetic workload by paired simulation.

    Every pair of runs shares its seed, hence its requests; the interval is of the difference.

    Args:
        first: Scenario with a [workload] and a [deployment].
        second: Another one with the same workload.
        routers: Router of each.
        runs: Pairs of runs.
        seed: Seed of the first pair; the others follow.
        format: A table for people, or JSON.
    """
    scenarios = (read_scenario(first), read_scenario(second))
    if scenarios[0].workload is None or scenarios[0].workload != scenarios[1].workload:
        raise ScenarioError(f"{first}, {second}: both need the same [workload] table")
    played = [
        [outcome(scenario, router, seed + number) for number in range(runs)]
        for scenario, router in zip(scenarios, routers, strict=True)
    ]
    found = [
        paired(name, *([read(run) for run in each] for each in played), seed=seed)
        for name, read in METRICS.items()
    ]
    if format == "json":
        show_json({"differences": found, "runs": runs, "routers": routers})
    else:
        show_rows(f"{second} less {first}, {runs} pairs", [_row(item) for item in found])


def outcome(scenario: Scenario, router: str, seed: int) -> Outcome:
    """Return what a scenario's deployment does with the requests of `seed`.

    Raises:
        ScenarioError: no deployment, or one that cannot be played.
        InfeasibleError: it does not fit.
    """
    catalog = inputs.overlay_of(scenario)
    built = inputs.deployment_of(
        inputs.model_of(scenario), deployment_spec(scenario, Stated()), catalog
    )
    trace = inputs.trace_of_scenario(replace(scenario, seed=seed))
    slo = inputs.slo_of(scenario)
    prediction = inputs.evaluator(slo, catalog)(one(built), shape_of(trace))
    inputs.require_fit(built, prediction)
    run = simulate(
        trace, built, efficiencies=efficiencies(catalog), play=Play(router=router, seed=seed)
    )
    return measures.outcome(run, prediction.outcome(0), slo)


def _row(item: Difference) -> dict[str, Any]:
    return {
        "metric": item.metric,
        "first": item.first,
        "second": item.second,
        "change": item.change,
        "95 % interval": f"{item.low:,.4g} .. {item.high:,.4g}",
        "certain": "yes" if item.certain else "no",
    }
