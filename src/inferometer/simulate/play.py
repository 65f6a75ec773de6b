"""How a workload is played to a fleet: router, clients, gateway."""

from dataclasses import dataclass, field, replace

from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.simulate.faults import Faults
from inferometer.simulate.limits import Rules
from inferometer.simulate.router import ROUTERS
from inferometer.simulate.scaling import Scaling
from inferometer.simulate.state import (
    NEVER,
)
from inferometer.simulate.throttle import Throttle
from inferometer.units import Duration

ENDLESS = 2**62
"""Length of a queue without limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What the gateway admits, and what clients do when it does not.

    Attributes:
        queue: Requests that may wait at one lane, running ones apart; None for no limit. SGLang's
            `--max-queued-requests`.
        gate: Requests that the gateway holds while no replica is up; None for no limit.
        timeout: How long a client waits for the end of its answer before it gives up.
        retries: How often a client sends a request again that was refused, lost or timed out.
        backoff: Mean pause before it does so first; each further pause is twice as long.
    """

    queue: int | None = None
    gate: int | None = None
    timeout: Duration = NEVER
    retries: int = 0
    backoff: Duration = 1.0

    def __post_init__(self) -> None:
        for name in ("queue", "gate"):
            if (getattr(self, name) or 0) < 0:
                raise ScenarioError(f"{name} is {getattr(self, name)}; at least 0 is wanted")
        if not self.timeout > 0:
            raise ScenarioError(f"timeout is {self.timeout}; a time above 0 is wanted")
        if not 0 <= self.retries <= 100:
            raise ScenarioError(f"retries is {self.retries}; 0 to 100 are wanted")
        if not 0 <= self.backoff < NEVER:
            raise ScenarioError(f"backoff is {self.backoff}; a time of at least 0 s is wanted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """How a workload is played to a fleet.

    Attributes:
        router: Name of a router of `router.ROUTERS`.
        seed: Of everything that is random: the routers' coins, pauses, start-ups, failures.
        clients: Closed loop of so many clients before one queue: whoever has none in flight sends
            the next request of the trace; 0 plays the arrivals of the trace.
        think: Closed sessions: time between the end of a session's request and its next; None
            plays the arrivals of the trace.
        timestamps: Whether the calls of agents come at the times of the trace, whatever became of
            those they build on; by default they wait for them.
        horizon: When the clock stops, s after the first arrival.
        interval: Time between two samples of the series; 0 takes a 200th of the trace.
        longest: Prompt and output tokens of one request, at most; 0 takes the model's context.
        gateway: What is admitted, and what clients do.
        scaling: How every pool is scaled; None keeps the replicas of its deployment.
        throttle: How clocks are set; None keeps the highest.
        faults: What takes replicas away; None for nothing.
    """

    router: str = "least-loaded"
    seed: int = 0
    clients: int = 0
    think: Duration | None = None
    timestamps: bool = False
    horizon: Duration = NEVER
    interval: Duration = 0.0
    longest: int = 0
    gateway: Gateway = field(default_factory=Gateway)
    scaling: Scaling | None = None
    throttle: Throttle | None = None
    faults: Faults | None = None

    def __post_init__(self) -> None:
        if self.router not in ROUTERS:
            raise ScenarioError(f"router {self.router!r} is unknown; known: {', '.join(ROUTERS)}")
        for name in ("clients", "interval", "horizon", "longest"):
            if not getattr(self, name) >= 0:
                raise ScenarioError(f"{name} is {getattr(self, name)}; at least 0 is wanted")
        if self.think is not None and not 0 <= self.think < NEVER:
            raise ScenarioError(f"think time is {self.think}; a time of at least 0 s is wanted")

    def scaling_of(self, deployment: Deployment) -> Scaling:
        """Return how a pool of `deployment` is scaled, its bounds filled in."""
        scaling = self.scaling or Scaling()
        return replace(scaling, most=scaling.most or max(deployment.replicas, scaling.least, 1))


def rules_of(play: Play) -> Rules:
    """Return what the gateway and its clients obey."""
    gateway = play.gateway
    return Rules(
        router=list(ROUTERS).index(play.router),
        queue=ENDLESS if gateway.queue is None else gateway.queue,
        gate=ENDLESS if gateway.gate is None else gateway.gate,
        timeout=gateway.timeout,
        retries=gateway.retries,
        backoff=gateway.backoff,
    )
