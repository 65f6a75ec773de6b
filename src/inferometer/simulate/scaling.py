"""Autoscaling policies: how many replicas a pool shall have, from what an autoscaler can see.

A policy is a function of the signals of all polls so far, the latest last; it keeps no state, so
what it asks for can be worked out again from what it saw.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.units import Duration, Fraction, PerSecond, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the metrics of one pool say at one poll.

    Attributes:
        at: When, since the first arrival.
        ready: Replicas that serve.
        starting: Replicas that start up.
        waiting: Requests in the engines' queues.
        running: Sequences in the engines' batches.
        held: Requests that the gateway holds, no replica being up.
        kv_fraction: Share of KV blocks in use.
        rate: Requests that reached the gateway since the last poll, over the time since.
        itl: 99th percentile of the gaps between tokens since the last poll; NaN without any.
    """

    at: Duration
    ready: int
    starting: int
    waiting: int
    running: int
    held: int
    kv_fraction: Fraction
    rate: PerSecond
    itl: Seconds

    @property
    def replicas(self) -> int:
        """Replicas, those that start up included: what Kubernetes counts."""
        return self.ready + self.starting

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.waiting + self.running + self.held == 0 and self.rate == 0


METRICS: dict[str, Callable[[Signals], float]] = {
    "requests": lambda seen: seen.waiting + seen.running + seen.held,
    "waiting": lambda seen: seen.waiting + seen.held,
    "kv": lambda seen: seen.kv_fraction * seen.ready + seen.held,
}
"""What the `hpa` policy divides by its target: requests in the system, requests waiting, or the sum
of the replicas' shares of KV blocks in use; requests held at the gateway count with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How a pool is scaled. Defaults are those of Kubernetes and KEDA where they have any.

    Attributes:
        policy: Name of a policy of `SCALERS`.
        least: Fewest replicas; 0 scales to zero.
        most: Most replicas; 0 for those of the deployment.
        metric: Name of a metric of `METRICS`, for "hpa".
        target: Its wanted value per replica; requests waiting per replica for "threshold".
        tolerance: Deviation from the target within which nothing changes.
        poll: Time between two looks.
        up_window: More replicas only if asked for throughout this time.
        down_window: Fewer replicas only if asked for throughout this time.
        cooldown: Idle time after which the last replica goes, where `least` is 0.
        startup_least: Shortest time from asking for a replica to its serving.
        startup_most: Longest one; each start-up is drawn evenly between the two.
        grace: How long a replica that goes may finish what it has; then it is stopped.
        kv_high: Share of KV blocks above which "threshold" adds a replica.
        kv_low: Share below which it takes one away.
        rate: Requests per second that one replica serves within its targets, for "forecast".
        margin: Share that "forecast" adds to the rate it expects.
        season: Period of the load, for "forecast"; it looks back one season once it has seen one.
    """

    policy: str = "static"
    least: int = 1
    most: int = 0
    metric: str = "requests"
    target: float = 0.0
    tolerance: Fraction = 0.1
    poll: Duration = 15.0
    up_window: Duration = 0.0
    down_window: Duration = 300.0
    cooldown: Duration = 300.0
    startup_least: Duration = 120.0
    startup_most: Duration = 420.0
    grace: Duration = math.inf
    kv_high: Fraction = 0.8
    kv_low: Fraction = 0.3
    rate: PerSecond = 0.0
    margin: Fraction = 0.1
    season: Duration = 86400.0

    def __post_init__(self) -> None:
        if self.policy not in SCALERS:
            known = ", ".join(SCALERS)
            raise ScenarioError(f"scaling policy {self.policy!r} is unknown; known: {known}")
        if self.metric not in METRICS:
            known = ", ".join(METRICS)
            raise ScenarioError(f"scaling metric {self.metric!r} is unknown; known: {known}")
        for bad, text in _faults(self):
            if bad:
                raise ScenarioError(f"scaling.{text}")


def _faults(scaling: Scaling) -> list[tuple[bool, str]]:
    times = ("up_window", "down_window", "cooldown", "startup_least", "grace")
    return [
        (scaling.least < 0, f"least is {scaling.least}; at least 0 is wanted"),
        (
            scaling.most != 0 and scaling.most < max(scaling.least, 1),
            f"most is {scaling.most}, below least, {scaling.least}",
        ),
        (not scaling.poll > 0, f"poll is {scaling.poll}; a time above 0 is wanted"),
        *((not getattr(scaling, name) >= 0, f"{name}: at least 0 s is wanted") for name in times),
        (
            not scaling.startup_least <= scaling.startup_most < math.inf,
            "startup_most: at least startup_least is wanted",
        ),
        (not 0 <= scaling.tolerance < 1, f"tolerance is {scaling.tolerance}; 0 to 1 is wanted"),
        (
            scaling.policy in {"hpa", "threshold"} and not scaling.target > 0,
            f"target: {scaling.policy} needs a value above 0",
        ),
        (
            scaling.policy == "forecast" and not scaling.rate > 0,
            "rate: forecast needs the requests per second that one replica serves",
        ),
        (not 0 <= scaling.kv_low < scaling.kv_high, "kv_low: is not below kv_high"),
    ]


def static(history: Sequence[Signals], scaling: Scaling) -> int:
    """Keep the most replicas: sized for the peak."""
    return scaling.most


def hpa(history: Sequence[Signals], scaling: Scaling) -> int:
    """Ask for ceil(metric / target), as KEDA has the Horizontal Pod Autoscaler do.

    Within the tolerance nothing changes; what is asked for must hold throughout the stabilisation
    window; one poll adds at most the larger of 4 replicas and as many again. Between 0 and 1 KEDA
    decides alone: up as soon as anything comes, down after the cooldown. Source: Kubernetes
    documentation, Horizontal Pod Autoscaling, algorithm details and default behaviour; KEDA
    documentation, scaling deployments.
    """
    now = history[-1]
    if now.replicas == 0:
        return 0 if now.idle else 1
    if scaling.least == 0 and _idle_for(history, scaling.cooldown):
        return 0
    wanted = _recommended(now, scaling)
    up = min([_recommended(seen, scaling) for seen in since(history, scaling.up_window)])
    down = max([_recommended(seen, scaling) for seen in since(history, scaling.down_window)])
    up, down = min(up, wanted), max(down, wanted)
    steady = min(max(now.replicas, up), down)
    return max(1, min(steady, max(now.replicas + 4, 2 * now.replicas)))


def _recommended(seen: Signals, scaling: Scaling) -> int:
    usage = METRICS[scaling.metric](seen)
    if seen.replicas and abs(usage / (scaling.target * seen.replicas) - 1) <= scaling.tolerance:
        return seen.replicas
    return math.ceil(usage / scaling.target)


def since(history: Sequence[Signals], window: float) -> Sequence[Signals]:
    """Return the signals of the last `window` seconds, the latest included."""
    return between(history, history[-1].at - window, history[-1].at)


def between(history: Sequence[Signals], first: float, last: float) -> Sequence[Signals]:
    """Return the signals from `first` to `last`, s."""
    start = bisect_left(history, first, key=lambda seen: seen.at)
    return history[start : bisect_right(history, last, key=lambda seen: seen.at)]


def _idle_for(history: Sequence[Signals], time: float) -> bool:
    return history[-1].at >= time and all(seen.idle for seen in since(history, time))


def threshold(history: Sequence[Signals], scaling: Scaling) -> int:
    """Add a replica when queues or KV caches are full, take one away when both stay low.

    One more if more than `target` requests wait per replica or `kv_high` of the blocks are in use,
    and none is starting; one fewer if nothing waited and less than `kv_low` was in use throughout
    the down window.
    """
    now = history[-1]
    if now.replicas == 0:
        return 0 if now.idle else 1
    crowded = now.waiting + now.held > scaling.target * max(now.ready, 1)
    if crowded or now.kv_fraction > scaling.kv_high:
        return now.replicas + (1 if now.starting == 0 else 0)
    window = since(history, scaling.down_window)
    long_enough = history[-1].at - history[0].at >= scaling.down_window
    quiet = all(s.waiting + s.held == 0 and s.kv_fraction < scaling.kv_low for s in window)
    steady = all(s.replicas == now.replicas for s in window)
    if not (quiet and steady and long_enough):
        return now.replicas
    return now.replicas - 1 if now.replicas > 1 or now.idle else 1


def forecast(history: Sequence[Signals], scaling: Scaling) -> int:
    """Ask for what the rate to come needs, by the time a replica asked for now can serve.

    The rate to come is last season's at that time, scaled by how today's rate compares; before a
    season has passed it is the straight line through the last half hour. At least today's rate.
    """
    lead = scaling.startup_most + scaling.poll
    lately = float(np.mean([seen.rate for seen in since(history, SMOOTHED)]))
    expected = max(lately, _ahead(history, lead, lately, scaling.season))
    backlog = history[-1].held > 0
    asked = expected * (1 + scaling.margin) / scaling.rate
    # a line through equal rates is level but for rounding, which must not buy a replica
    return max(math.ceil(asked * (1 - ROUNDING)), int(backlog))


ROUNDING = 1e-9
"""Relative error that the arithmetic of `forecast` may make, far above what it does."""

SMOOTHED, LINED = 300.0, 1800.0
"""Seconds over which `forecast` averages the rate of today, and through which it lays its line."""


def _ahead(history: Sequence[Signals], lead: float, lately: float, season: float) -> float:
    now = history[-1].at
    if now - history[0].at >= season + SMOOTHED:
        before = _mean_around(history, now - season)
        return _mean_around(history, now - season + lead) * (lately / max(before, 1e-12))
    recent = since(history, LINED)
    if len(recent) < 3:
        return lately
    slope, level = np.polyfit([seen.at - now for seen in recent], [seen.rate for seen in recent], 1)
    return float(level + slope * lead)


def _mean_around(history: Sequence[Signals], middle: float) -> float:
    near = between(history, middle - SMOOTHED / 2, middle + SMOOTHED / 2)
    return float(np.mean([seen.rate for seen in near])) if near else 0.0


Scaler = Callable[[Sequence[Signals], Scaling], int]

SCALERS: dict[str, Scaler] = {
    "static": static,
    "hpa": hpa,
    "threshold": threshold,
    "forecast": forecast,
}


def wanted(history: Sequence[Signals], scaling: Scaling) -> int:
    """Return the replicas that a policy asks for, within its bounds."""
    return min(max(SCALERS[scaling.policy](history, scaling), scaling.least), scaling.most)
