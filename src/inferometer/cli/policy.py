"""How a fleet is operated: the `[policy]` table of a scenario."""

import math
from dataclasses import dataclass

from inferometer.errors import ScenarioError
from inferometer.simulate.faults import Faults
from inferometer.simulate.play import Gateway, Play
from inferometer.simulate.scaling import Scaling
from inferometer.simulate.throttle import Throttle
from inferometer.units import Duration, Fraction, PerSecond, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """Router, admission, clients, scaling, clocks and failures of a fleet.

    Attributes:
        router: "least-loaded", "round-robin", "power-of-two", "session-sticky", "prefix-affinity"
            or "cost-aware".
        clients: Closed loop: so many clients, the next request to whoever is free; 0 plays the
            arrivals.
        think: Closed sessions: time between the end of a session's request and its next.
        queue_limit: Requests that may wait at one replica; more are refused.
        timeout: How long a client waits before it gives up.
        retries: How often a client sends a request again that was refused, lost or given up.
        backoff: Mean pause before it does so first; each further pause is twice as long.
        scaling: "static", "hpa", "threshold" or "forecast".
        scaling_metric: What hpa looks at: "requests" in the system, "waiting" or "kv".
        scaling_target: Its value per replica; for threshold, requests waiting per replica.
        replica_rate: Requests per second that one replica serves within its targets, for forecast.
        least: Fewest replicas; 0 scales to zero.
        most: Most replicas; 0 for those of the deployment.
        startup_least: Shortest start-up of a replica.
        startup_most: Longest one.
        clocks: "full", "fixed" or "slack": see `simulate.throttle`.
        prefill_clock: Clock of steps with prompt tokens over the highest; the lowest for slack.
        decode_clock: The same of all other steps.
        itl_limit: Limit of the 99th percentile of the gaps between tokens, for slack.
        between_failures: Mean time in which one replica fails.
        between_preemptions: Mean time in which one spot replica is taken back.
        warning: Warning before it is.
    """

    router: str = "least-loaded"
    clients: int = 0
    think: Duration | None = None
    queue_limit: int | None = None
    timeout: Duration = math.inf
    retries: int = 0
    backoff: Duration = 1.0
    scaling: str = "static"
    scaling_metric: str = "requests"
    scaling_target: float = 0.0
    replica_rate: PerSecond = 0.0
    least: int = 1
    most: int = 0
    startup_least: Duration = 120.0
    startup_most: Duration = 420.0
    clocks: str = "full"
    prefill_clock: Fraction = 1.0
    decode_clock: Fraction = 1.0
    itl_limit: Seconds = 0.0
    between_failures: Duration = math.inf
    between_preemptions: Duration = math.inf
    warning: Duration = 120.0

    @property
    def scaled(self) -> bool:
        """Whether replicas come and go."""
        return self.scaling != "static" or self.faults is not None

    @property
    def faults(self) -> Faults | None:
        """What takes replicas away; None for nothing."""
        if math.inf == self.between_failures == self.between_preemptions:
            return None
        return Faults(
            between=self.between_failures, spot=self.between_preemptions, warning=self.warning
        )


def play_of(policy: PolicySpec, seed: int, *, timestamps: bool = False) -> Play:
    """Return how a workload is played.

    Args:
        policy: How the fleet is operated.
        seed: Of everything that is random.
        timestamps: Whether calls of agents come at the times of the trace.

    Raises:
        ScenarioError: a setting that is at fault.
    """
    scaling = Scaling(
        policy=policy.scaling,
        metric=policy.scaling_metric,
        target=policy.scaling_target,
        rate=policy.replica_rate,
        least=policy.least,
        most=policy.most,
        startup_least=policy.startup_least,
        startup_most=policy.startup_most,
    )
    return Play(
        router=policy.router,
        seed=seed,
        clients=policy.clients,
        think=policy.think,
        timestamps=timestamps,
        gateway=Gateway(
            queue=policy.queue_limit,
            timeout=policy.timeout,
            retries=policy.retries,
            backoff=policy.backoff,
        ),
        scaling=scaling if policy.scaled else None,
        throttle=throttle_of(policy),
        faults=policy.faults,
    )


def throttle_of(policy: PolicySpec) -> Throttle | None:
    """Return how clocks are set; None for the highest throughout.

    Raises:
        ScenarioError: clocks that are none, or stated where they do not count.
    """
    asked = (policy.prefill_clock, policy.decode_clock)
    if policy.clocks == "full":
        if asked != (1.0, 1.0) or policy.itl_limit:
            raise ScenarioError(
                "policy.clocks is full: prefill_clock, decode_clock and itl_limit count with fixed "
                "or slack alone"
            )
        return None
    if not all(0 < clock <= 1 for clock in asked):
        raise ScenarioError(f"policy: clocks of {asked}; shares above 0, at most 1, are wanted")
    known = Throttle().levels if policy.clocks == "slack" else ()
    levels = tuple(sorted({1.0, *known, *asked}, reverse=True))
    return Throttle(
        policy=policy.clocks,
        levels=levels,
        prefill=levels.index(policy.prefill_clock),
        decode=levels.index(policy.decode_clock),
        itl=policy.itl_limit,
    )
