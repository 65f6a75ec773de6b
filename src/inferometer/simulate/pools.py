"""The fleet of one run: pools of equal replicas, made from deployments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from inferometer.candidates import one
from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError
from inferometer.perf.clocks import at_clock
from inferometer.perf.predict import predict
from inferometer.perf.roofline import Machine
from inferometer.simulate.coefficients import coefficients
from inferometer.simulate.fleet import OPEN, Fleet
from inferometer.simulate.kinds import kinds_of
from inferometer.simulate.paging import beyond
from inferometer.simulate.play import Play, rules_of
from inferometer.simulate.router import ROUTERS, THRIFTY, Offers
from inferometer.simulate.serving import NOTHING, Serving
from inferometer.simulate.state import NEVER
from inferometer.simulate.world import column, limits_of, machine_of, world_of
from inferometer.units import UsdPerSecond
from inferometer.workload.shape import shape_of
from inferometer.workload.trace import Floats, Ints, Trace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Equal replicas of one deployment.

    Attributes:
        deployment: The deployment; its replicas are those at the start.
        machines: It compiled, by clock level; the first is the full clock.
        most: Replicas that there may be at once.
        price: Price of one accelerator; of use to routers that look at it.
    """

    deployment: Deployment
    machines: tuple[Machine, ...]
    most: int
    price: UsdPerSecond = 1.0

    @property
    def lanes_each(self) -> int:
        """Lanes of a replica."""
        return self.deployment.parallelism.lanes


def pool_of(deployment: Deployment, efficiencies: Efficiencies, play: Play) -> Pool:
    """Return the pool of a deployment, with room for all replicas that the play may ask for.

    One that goes with a warning overlaps with its replacement, so faults double the room.

    Raises:
        ScenarioError: more replicas at the start than scaling allows.
        InfeasibleError: the layout cannot be built, or the weights do not fit.
    """
    machine, most = machine_of(deployment, efficiencies), play.scaling_of(deployment).most
    if most < deployment.replicas:
        raise ScenarioError(
            f"scaling.most is {most}, below the {deployment.replicas} replicas of the start"
        )
    levels = play.throttle.levels if play.throttle else (1.0,)
    return Pool(
        deployment=deployment,
        machines=(machine, *(at_clock(machine, level) for level in levels[1:])),
        most=most * (1 if play.faults is None else 2),
    )


def fleet_of(
    trace: Trace,
    pools: Sequence[Pool],
    play: Play,
    *,
    compiled: bool,
    efficiencies: Efficiencies | None = None,
    serving: Serving = NOTHING,
) -> Fleet:
    """Return the fleet at the start of a run, with the replicas of every deployment open.

    Args:
        trace: The workload.
        pools: What serves it.
        play: How it is played.
        compiled: Whether lanes and requests are arrays.
        efficiencies: For routers that ask what a request costs.
        serving: How the engines serve beyond their settings.

    Raises:
        ScenarioError: settings that no engine would accept, or pools of different models.
    """
    if len({pool.deployment.model.key for pool in pools}) != 1:
        raise ScenarioError("a fleet serves one model; simulate each model's fleet apart")
    if len({pool.deployment.settings.prefix_caching for pool in pools}) != 1:
        raise ScenarioError("prefix caching: turn it on, or off, in all deployments of a fleet")
    check_pools(serving, pools, play)
    limits = [limits_of(pool.deployment, pool.machines[0], play, trace, serving) for pool in pools]
    steps = [
        beyond(coefficients(machine, limit.budget), pool.deployment, machine, serving)
        for pool, limit in zip(pools, limits, strict=True)
        for machine in pool.machines
    ]
    lanes = [pool.most * pool.lanes_each for pool in pools]
    kind = np.repeat(np.arange(len(pools)), lanes)
    row = np.concatenate([[0], np.cumsum([len(pool.machines) for pool in pools])])[kind]
    widest = max(steps, key=lambda step: len(step.reaches))
    world = world_of(
        trace, play, [limits[number] for number in kind], widest,
        prefix_caching=pools[0].deployment.settings.prefix_caching,
        serving=serving,
        compiled=compiled,
    )._replace(step=steps[0], mixed=steps[0])  # fmt: skip
    count, attempts = len(kind), _attempts(trace, play)
    fleet = Fleet(
        world=world,
        kinds=kinds_of(steps, limits, kind, row),
        rules=rules_of(play),
        order=opening(world.requests),
        open=np.zeros(count, np.int64),
        notice=np.zeros(count, np.int64),
        plain=row.copy(),
        mixed=row.copy(),
        spent=np.zeros((len(steps), 6)),
        booked=np.zeros((count, 6)),
        deadlines=np.zeros(attempts, np.int64),
        sent=np.zeros(attempts),
        worth=np.repeat(_worth(trace, pools, play, efficiencies), lanes, axis=0),
        offers=_offers(count),
        clock=np.zeros(1),
        counters=np.zeros(8, np.int64),
    )
    starts = np.cumsum([0, *lanes])
    opened = [
        np.arange(start, start + pool.deployment.replicas * pool.lanes_each)
        for start, pool in zip(starts, pools, strict=False)
    ]
    set_open(fleet, np.concatenate(opened))
    return fleet


def check_pools(serving: Serving, pools: Sequence[Pool], play: Play) -> None:
    """Refuse a prefill pool in a fleet whose replicas differ, come and go, or lose their clients.

    Raises:
        ScenarioError: such a fleet.
    """
    fixed = play.scaling is None and play.faults is None and play.gateway.timeout == NEVER
    if serving.prefill_replicas and not (fixed and len(pools) == 1):
        raise ScenarioError(
            "prefill_replicas: one deployment without scaling, faults and timeouts is wanted"
        )


def set_open(fleet: Fleet, lanes: Ints) -> None:
    """Let exactly `lanes`, rising, take requests from now on."""
    fleet.open[: len(lanes)] = lanes
    fleet.counters[OPEN] = len(lanes)


def _attempts(trace: Trace, play: Play) -> int:
    return len(trace) * (play.gateway.retries + 1) if play.gateway.timeout < NEVER else 1


def _offers(count: int) -> Offers:
    whole, real = np.zeros((4, count), np.int64), np.zeros(count)
    return Offers(lanes=whole[0], loads=whole[1], matches=whole[2], costs=real, seats=whole[3])


def opening(requests: object) -> Ints:
    """Return the requests without predecessors, by arrival."""
    arrival, chosen = column(requests, "arrival"), np.flatnonzero(column(requests, "pending") == 0)
    return chosen[np.argsort(arrival[chosen], kind="stable")]


def _worth(
    trace: Trace, pools: Sequence[Pool], play: Play, efficiencies: Efficiencies | None
) -> Floats:
    """Return what a request costs on a pool, and what each prompt token adds [pool, 2].

    A line through the closed form's cost per request of the shorter and of the longer half of the
    prompts, as a profile by request size would give it.
    """
    if play.router != list(ROUTERS)[THRIFTY]:
        return np.zeros((len(pools), 2))
    if efficiencies is None:
        raise ScenarioError("router cost-aware: efficiencies are wanted to tell costs")
    median = np.median(trace.input_tokens)
    halves = [trace.input_tokens <= median, trace.input_tokens > median]
    if not halves[1].any():
        halves[1] = halves[0]
    means = [float(trace.input_tokens[half].mean()) for half in halves]
    rows = []
    for pool in pools:
        low, high = (_cost(_part(trace, half), pool, efficiencies) for half in halves)
        slope = (high - low) / (means[1] - means[0]) if means[1] > means[0] else 0.0
        rows.append((low - slope * means[0], slope))
    return np.array(rows)


def _part(trace: Trace, chosen: np.ndarray) -> Trace:
    return Trace(
        arrival=trace.arrival[chosen],
        input_tokens=trace.input_tokens[chosen],
        output_tokens=trace.output_tokens[chosen],
    )


def _cost(trace: Trace, pool: Pool, efficiencies: Efficiencies) -> float:
    single = replace(pool.deployment, replicas=1)
    capacity = float(predict(one(single), shape_of(trace), efficiencies=efficiencies).capacity[0])
    return single.accelerators * pool.price / capacity if capacity > 0 else NEVER
