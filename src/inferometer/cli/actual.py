"""`explain --actual`: the plan's price of a token against what the ledger says it was."""

import sys
from typing import Any

from inferometer.candidates import one
from inferometer.cli import inputs
from inferometer.cli.costs import FOREVER, instant
from inferometer.cli.options import Format
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.scenario import Scenario
from inferometer.cli.traffic import attempts_of, name_of
from inferometer.deployment import Deployment
from inferometer.errors import LedgerError, ScenarioError
from inferometer.meter.served import Served as Measured
from inferometer.meter.served import served
from inferometer.plan.actual import Served, Speed, corrections, culprit
from inferometer.workload.shape import Shape, shape_of


def compare(
    scenario: Scenario,
    built: Deployment,
    shape: Shape,
    ledger: str,
    between: tuple[str, str],
    usd_per_hour: float | None,
    format: Format,  # noqa: A002
) -> None:
    """Print the way from the planned to the actual price, and the assumption that was off.

    Raises:
        LedgerError: a ledger without answered requests in that time.
        ScenarioError: an unpriced deployment, which has no planned price to go from, or a rent that
            is not positive.
    """
    window = instant(between[0], "since", 0), instant(between[1], "until", FOREVER)
    if window[1] <= window[0]:
        raise LedgerError(f"until {between[1]} is not after since {between[0]}")
    name_of(ledger)  # before anything shows it
    found = served(ledger, *window)
    planned = _planned(scenario, built, shape)
    rent = planned.cost if usd_per_hour is None else usd_per_hour / 3600
    if not 0 < rent < float("inf"):
        raise ScenarioError(f"usd_per_hour is {usd_per_hour}; more than 0 is wanted")
    actual = Served(
        cost=rent, rate=found.rate, input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
    )  # fmt: skip
    steps = corrections(planned, actual)
    traffic = shape_of(attempts_of(ledger, *window).trace)
    speeds = _speeds(scenario, built, traffic, found)
    said = culprit(steps, speeds)
    if format == "json":
        show_json({"waterfall": steps, "speeds": speeds, "served": found, "said": said})
        return
    show_rows("From the planned price of a token to the actual one", [
        {"assumption": s.assumption, "planned": _shown(s.assumption, s.planned),
         "actual": _shown(s.assumption, s.actual), "adds $/Mtok": s.added * 1e6,
         "$/Mtok": s.price * 1e6}
        for s in steps
    ])  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"latency p50": s.metric, "predicted ms": s.predicted * 1e3, "actual ms": s.actual * 1e3,
         "actual / predicted": s.ratio}
        for s in speeds
    ]  # fmt: skip
    show_rows("Speed of the engine under the actual traffic", rows)
    sys.stdout.write(
        f"{said}\n{found.requests} answered requests over {found.span:.4g} s; "
        f"{found.wasted:.1%} of attempts brought nothing; {found.cached:.1%} of prompt tokens "
        "came from the cache\n"
    )


def _shown(assumption: str, value: float) -> str:
    scale, unit = {"as planned": (1e6, "$/Mtok"), "rent": (3600.0, "$/h"),
                   "arrivals": (1.0, "requests/s")}.get(assumption, (1.0, "tokens"))  # fmt: skip
    return f"{value * scale:.4g} {unit}"


def _planned(scenario: Scenario, built: Deployment, shape: Shape) -> Served:
    catalog = inputs.overlay_of(scenario)
    price = inputs.price_of(built.accelerator.key, scenario.prices, catalog)
    if price is None:
        raise ScenarioError(f"{built.accelerator.key} is unpriced; choose another --commitment")
    return Served(
        cost=price.price * built.accelerators, rate=shape.rate,
        input_tokens=shape.mean_input, output_tokens=shape.mean_output,
    )  # fmt: skip


def _speeds(
    scenario: Scenario, built: Deployment, traffic: Shape, found: Measured
) -> tuple[Speed, ...]:
    """Return predicted and measured medians for the ledger's own traffic; none if overloaded."""
    evaluate = inputs.evaluator(inputs.slo_of(scenario), inputs.overlay_of(scenario))
    prediction = evaluate(one(built), traffic)
    outcome = prediction.outcome(0)
    pairs = (("ttft", outcome.ttft.p50, found.ttft), ("tpot", outcome.tpot.p50, found.tpot))
    return tuple(
        Speed(metric=name, predicted=ahead, actual=seen)
        for name, ahead, seen in pairs
        if seen is not None and seen > 0 and 0 < ahead < float("inf")
    )
