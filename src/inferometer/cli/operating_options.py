"""Options of how a fleet is operated: admission, clients, scaling, failures."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inferometer.cli import inputs
from inferometer.cli.options import Many
from inferometer.cli.scenario import Scenario, read_deployment
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.simulate.faults import Faults
from inferometer.simulate.play import Gateway
from inferometer.simulate.scaling import Scaling
from inferometer.units import UsdPerSecond

HOUR = 3600.0
"""Seconds."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """How the fleet is operated.

    Attributes:
        also: TOML file whose [deployment] table joins the fleet; repeat for more.
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
        startup_least: Shortest start-up of a replica, seconds.
        startup_most: Longest one, seconds.
        hours_between_failures: Mean hours in which one replica fails.
        hours_between_preemptions: Mean hours in which one spot replica is taken back.
        warning: Seconds of warning before it is.
    """

    also: Annotated[tuple[Path, ...], Many] = ()
    queue_limit: int | None = None
    timeout: float = math.inf
    retries: int = 0
    backoff: float = 1.0
    scaling: str = "static"
    scaling_metric: str = "requests"
    scaling_target: float = 0.0
    replica_rate: float = 0.0
    least: int = 1
    most: int = 0
    startup_least: float = 120.0
    startup_most: float = 420.0
    hours_between_failures: float = math.inf
    hours_between_preemptions: float = math.inf
    warning: float = 120.0

    @property
    def steady(self) -> bool:
        """Whether one deployment keeps its replicas throughout."""
        return not self.also and self.scaling == "static" and self.faults is None

    @property
    def gateway(self) -> Gateway:
        """What is admitted, and what clients do."""
        return Gateway(
            queue=self.queue_limit,
            timeout=self.timeout,
            retries=self.retries,
            backoff=self.backoff,
        )

    @property
    def policy(self) -> Scaling | None:
        """How every pool is scaled; None where replicas neither come nor go."""
        if self.scaling == "static" and self.faults is None:
            return None
        return Scaling(
            policy=self.scaling,
            metric=self.scaling_metric,
            target=self.scaling_target,
            rate=self.replica_rate,
            least=self.least,
            most=self.most,
            startup_least=self.startup_least,
            startup_most=self.startup_most,
        )

    @property
    def faults(self) -> Faults | None:
        """What takes replicas away; None for nothing."""
        times = (self.hours_between_failures, self.hours_between_preemptions)
        if math.inf == times[0] == times[1]:
            return None
        return Faults(between=times[0] * HOUR, spot=times[1] * HOUR, warning=self.warning)


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
