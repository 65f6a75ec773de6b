"""Options of how a fleet is operated: router, admission, clients, scaling, clocks, failures."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inferometer.cli import inputs
from inferometer.cli.options import Many
from inferometer.cli.policy import PolicySpec
from inferometer.cli.scenario import Scenario, overlaid, read_deployment
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.units import UsdPerSecond

HOUR = 3600.0
"""Seconds."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """How the fleet is operated, on top of the [policy] table.

    Attributes:
        also: TOML file whose [deployment] table joins the fleet; repeat for more.
        router: "least-loaded", "round-robin", "power-of-two", "session-sticky",
            "prefix-affinity" or "cost-aware".
        clients: Closed loop: so many clients, the next request to whoever is free; the arrival
            times then do not count.
        think: Closed sessions: seconds between the end of a session's request and its next.
        queue_limit: Requests that may wait at one replica; more are refused.
        timeout: Seconds after which a client gives up.
        retries: How often a client sends a request again that was refused, lost or given up.
        backoff: Mean seconds before it does so first; each further pause is twice as long.
        scaling: "static", "hpa", "threshold" or "forecast".
        scaling_metric: What hpa looks at: "requests" in the system, "waiting" or "kv".
        scaling_target: Its value per replica; for threshold, requests waiting per replica.
        replica_rate: Requests per second that one replica serves within its targets, for forecast.
        least: Fewest replicas; 0 scales to zero.
        most: Most replicas; those of the deployment if not given.
        startup_least: Shortest start-up of a replica, seconds; 120 if not given.
        startup_most: Longest one, seconds; 420 if not given.
        clocks: "full", "fixed", or "slack": as low as gaps and queues allow.
        prefill_clock: Clock of steps with prompt tokens over the highest; the lowest for slack.
        decode_clock: The same of all other steps.
        itl_limit: Seconds that the 99th percentile of the gaps between tokens may take, for slack.
        hours_between_failures: Mean hours in which one replica fails.
        hours_between_preemptions: Mean hours in which one spot replica is taken back.
        warning: Seconds of warning before it is.
    """

    also: Annotated[tuple[Path, ...], Many] = ()
    router: str = ""
    clients: int | None = None
    think: float | None = None
    queue_limit: int | None = None
    timeout: float | None = None
    retries: int | None = None
    backoff: float | None = None
    scaling: str = ""
    scaling_metric: str = ""
    scaling_target: float | None = None
    replica_rate: float | None = None
    least: int | None = None
    most: int | None = None
    startup_least: float | None = None
    startup_most: float | None = None
    clocks: str = ""
    prefill_clock: float | None = None
    decode_clock: float | None = None
    itl_limit: float | None = None
    hours_between_failures: float | None = None
    hours_between_preemptions: float | None = None
    warning: float | None = None


def policy_of(scenario: Scenario, operating: Operating) -> PolicySpec:
    """Return the policy of a scenario with the options on top."""
    given = {
        field.name: getattr(operating, field.name)
        for field in dataclasses.fields(operating)
        if field.name != "also"
    }
    failures, preemptions = (
        given.pop(f"hours_between_{what}") for what in ("failures", "preemptions")
    )
    result: PolicySpec = overlaid(
        scenario.policy,
        between_failures=None if failures is None else failures * HOUR,
        between_preemptions=None if preemptions is None else preemptions * HOUR,
        **given,
    )
    return result


def others_of(operating: Operating, scenario: Scenario) -> list[Deployment]:
    """Return the deployments that join the stated one.

    Raises:
        ScenarioError: a file that cannot be read, or has no [deployment].
    """
    model, catalog = inputs.model_of(scenario), inputs.overlay_of(scenario)
    return [inputs.deployment_of(model, read_deployment(path), catalog) for path in operating.also]


def rents(built: list[Deployment], scenario: Scenario) -> list[UsdPerSecond | None]:
    """Return the price of an accelerator of each deployment, None where there is none."""
    catalog = inputs.overlay_of(scenario)
    found = [inputs.price_of(one.accelerator.key, scenario.prices, catalog) for one in built]
    return [price.price if price else None for price in found]


def known(prices: list[UsdPerSecond | None], router: str) -> tuple[UsdPerSecond, ...]:
    """Return the prices for the router; none if some are unknown.

    Raises:
        ScenarioError: the router needs them.
    """
    priced = tuple(price for price in prices if price is not None)
    if len(priced) == len(prices):
        return priced
    if router == "cost-aware":
        raise ScenarioError(
            "--router cost-aware: an accelerator is unpriced; give its price with --prices FILE"
        )
    return ()
