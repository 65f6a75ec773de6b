"""Pools of a search space: what one replica of each kind carries of each class within its SLO."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.account.bill import Tariff
from inferometer.candidates import Candidates, Floats, Ints
from inferometer.deployment import Deployment
from inferometer.perf.prediction import Depth
from inferometer.plan.fleet.classes import RequestClass
from inferometer.plan.fleet.pool import Pool
from inferometer.plan.replicas import Evaluate, size, with_replicas
from inferometer.plan.space import Space
from inferometer.units import Duration, Fraction, PerSecond
from inferometer.workload.shape import Shape, shape_of_lengths

RESOLUTION = 64
"""Replicas of the best configuration that the test load keeps busy: throughput is known to 1/64,
from below."""

PLENTY = 1 << 20
"""Replicas allowed while throughput is measured: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms replicas are had.

    Attributes:
        start: Time from renting one to its first request.
        interruptions: How often a spot replica is taken back, per second of its time.
        sizes: Layouts kept per accelerator and clock, the cheapest per request first.
    """

    start: Duration = 0.0
    interruptions: PerSecond = 0.0
    sizes: int = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """A pool and the deployment that one of its replicas is.

    Attributes:
        pool: The pool.
        deployment: One replica.
        clock: Core clock over the highest.
    """

    pool: Pool
    deployment: Deployment
    clock: Fraction


def offers(
    space: Space,
    classes: Sequence[RequestClass],
    weights: Floats,
    clocks: Mapping[float, Evaluate],
    site: Tariff,
    terms: Terms,
) -> tuple[Offer, ...]:
    """Return the pools of `space` worth having, with what a replica carries of each class.

    Of each layout and precision the engine settings are kept that carry the mix at the least time;
    of those, `terms.sizes` per accelerator and clock, and none that another beats in every way.

    Args:
        space: What can be built, with prices.
        classes: What is served.
        weights: Mean rate of each class [class], 1/s.
        clocks: Evaluator at each core clock.
        site: Building, for energy at the meter.
        terms: On what terms replicas are had.
    """
    found = list[Offer]()
    for clock, evaluate in clocks.items():
        carried = np.stack(
            [_throughput(space.candidates, one, evaluate) for one in classes], axis=1
        )
        for row in _kept(space, carried, weights, terms.sizes):
            found.append(
                _offer(space, int(row), carried[row], classes, (clock, evaluate), site, terms)
            )
    return tuple(found)


def _test_shape(one: RequestClass, rate: float) -> Shape:
    return shape_of_lengths(
        one.inputs, one.outputs, rate, cached_fraction=one.cached_fraction, name=one.name
    )


def _throughput(candidates: Candidates, one: RequestClass, evaluate: Evaluate) -> Floats:
    """Return the requests per second that one replica carries within the SLO [config].

    A load that keeps many replicas busy, over the least replicas that serve it.
    """
    single = with_replicas(candidates, np.ones(len(candidates), np.int64))
    probe = evaluate(single, _test_shape(one, 1.0), depth=Depth.CAPACITY)
    best = np.nanmax(np.where(probe.fits, probe.capacity, 0.0), initial=0.0)
    if best <= 0:
        return np.zeros(len(candidates))
    rate = RESOLUTION * float(best)
    most = np.full(len(candidates), PLENTY)
    sizing = size(candidates, most, _test_shape(one, rate), one.slo, evaluate)
    return np.where(sizing.replicas > 0, rate / np.maximum(sizing.replicas, 1), 0.0)


def _kept(space: Space, carried: Floats, weights: Floats, sizes: int) -> Ints:
    """Return the rows worth having, per accelerator the cheapest per request first."""
    table = space.candidates
    with np.errstate(divide="ignore"):
        time = np.where(carried > 0, weights / np.maximum(carried, 1e-300), 0.0).sum(axis=1)
    lost, price = (carried <= 0).sum(axis=1), space.cost_per_replica
    order = np.lexsort((price * time, lost))
    order = order[lost[order] < carried.shape[1]]
    layout = np.stack([table.accelerator, table.tensor, table.pipeline, table.data,
                       table.expert.astype(np.int64), table.precision])  # fmt: skip
    _, first = np.unique(layout[:, order], axis=1, return_index=True)
    kept = list[int]()
    for row in order[np.sort(first)]:
        chip = int(table.accelerator[row])
        rivals = [k for k in kept if table.accelerator[k] == chip]
        beaten = any((carried[k] >= carried[row]).all() and price[k] <= price[row] for k in rivals)
        if len(rivals) < sizes and not beaten:
            kept.append(int(row))
    return np.array(kept, dtype=np.int64)


def _offer(
    space: Space, row: int, carried: Floats, classes: Sequence[RequestClass],
    at: tuple[float, Evaluate], site: Tariff, terms: Terms,
) -> Offer:  # fmt: skip
    clock, evaluate = at
    table = space.candidates.take(np.array([row]))
    deployment, chip = table.deployment(0), int(space.candidates.accelerator[row])
    price = space.prices[chip]
    spot = price is not None and price.commitment == "spot"
    host = deployment.node.host_power / deployment.node.accelerators
    each = deployment.accelerators
    idle = (deployment.accelerator.idle_power + host) * each * site.pue
    energy = [
        _energy(table, one, rate, evaluate) for one, rate in zip(classes, carried, strict=True)
    ]
    pool = Pool(
        name=f"{each} {deployment.accelerator.key} ({deployment.parallelism}, "
        f"{deployment.precision}{_clock_name(clock)}{', spot' if spot else ''})",
        kind=deployment.accelerator.key,
        price=float(space.cost_per_replica[row]),
        most=int(space.most_replicas[row]),
        throughput=carried,
        start=terms.start,
        spot=spot,
        interruptions=terms.interruptions if spot else 0.0,
        idle=idle,
        energy=np.array(energy) * site.pue,
    )
    return Offer(pool=pool, deployment=deployment, clock=clock)


def _clock_name(clock: float) -> str:
    return "" if clock == 1 else f", clock {clock:g}"


def _energy(table: Candidates, one: RequestClass, rate: float, evaluate: Evaluate) -> float:
    """Return the energy above idle of one request of a class, J; 0 where it is not served."""
    if rate <= 0:
        return 0.0
    shape = _test_shape(one, rate)
    found = evaluate(table, shape)
    return float((found.energy_prefill + found.energy_decode)[0] / shape.requests)
