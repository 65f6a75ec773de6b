"""The plan of a fleet: the cheapest mix, beside the best fleet of one accelerator alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from inferometer.candidates import Floats, Ints
from inferometer.errors import InfeasibleError, LedgerError, ScenarioError
from inferometer.plan.fleet.pool import Load, Market, Pool
from inferometer.plan.fleet.program import Solution
from inferometer.plan.fleet.solve import solve
from inferometer.units import Fraction, Joules, Usd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """A fleet over one period, by cost.

    Attributes:
        pools: Pools that it may use, in the order of the arrays.
        replicas: Replicas on [pool, slot].
        shares: Share of each class on each pool [pool, class, slot].
        rent: Time on, start-ups left out.
        starting: Start-ups: time paid before the first request.
        power: Energy paid apart; 0 where prices hold it.
        energy: Energy at the facility's meter; None where pools state none.
        bound: No fleet of these pools can cost less.
    """

    pools: tuple[Pool, ...]
    replicas: Ints  # [pool, slot]
    shares: Floats  # [pool, class, slot]
    rent: Usd
    starting: Usd
    power: Usd
    energy: Joules | None
    bound: Usd

    @property
    def cost(self) -> float:
        """Sum of the parts, USD per period."""
        return self.rent + self.starting + self.power

    @property
    def gap(self) -> float:
        """Distance of the cost above the bound, over the cost."""
        return max(self.cost - self.bound, 0.0) / self.cost if self.cost else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FleetPlan:
    """The answer.

    Attributes:
        load: What is served.
        best: The cheapest fleet; never dearer than any of `singles`.
        singles: The cheapest fleet of each accelerator alone, the cheapest first; accelerators that
            cannot serve every class alone are absent.
        static: The cheapest fleet of one accelerator that never changes: sized for its peak.
    """

    load: Load
    best: Fleet
    singles: tuple[Fleet, ...]
    static: Fleet | None

    @property
    def saving(self) -> Fraction | None:
        """Share of the best single-type fleet's cost that the mix saves; None without one."""
        return 1 - self.best.cost / self.singles[0].cost if self.singles else None

    @property
    def saving_over_static(self) -> Fraction | None:
        """Share of the cost of the fleet that never changes that the plan saves."""
        return None if self.static is None else 1 - self.best.cost / self.static.cost


def plan_fleet(
    pools: Sequence[Pool],
    load: Load,
    market: Market | None = None,
    *,
    gap: Fraction = 1e-2,
    time_limit: float = 60.0,
) -> FleetPlan:
    """Return the cheapest fleet that serves `load`, and the best of every accelerator alone.

    A gap that is not closed could leave the mix dearer than a single type: the cheapest found of
    all is returned, each being a fleet of `pools`.

    Args:
        pools: What can be rented.
        load: What is asked.
        market: What energy costs, and how long a replica stays; rent alone without one.
        gap: Relative distance to the bound at which to stop.
        time_limit: Seconds for the mix, and again for each single type.

    Raises:
        ScenarioError: no pool.
        InfeasibleError: a class that no pool serves within its SLO, or too few replicas on offer.
    """
    if not pools:
        raise ScenarioError("no pool to choose from; name at least one accelerator")
    market = market or Market()
    _check_served(pools, load)
    kinds = dict.fromkeys(pool.kind for pool in pools)
    singles = [
        _fleet(pools, load, market, of=kind, gap=gap, time_limit=time_limit) for kind in kinds
    ]
    found = sorted((one for one in singles if one is not None), key=lambda fleet: fleet.cost)
    mixed = _fleet(pools, load, market, of=None, gap=gap, time_limit=time_limit)
    if mixed is None:
        raise InfeasibleError(
            "no fleet carries the load: the replicas on offer (and the spot share allowed) do not "
            "reach the busiest slot; raise --max-gpus, --have or --spot-share"
        )
    best = min([mixed, *found], key=lambda fleet: fleet.cost)
    if best is not mixed:
        best = replace(best, bound=min(mixed.bound, best.cost))
    return FleetPlan(
        load=load, best=best, singles=tuple(found), static=_static(pools, load, market)
    )


def _check_served(pools: Sequence[Pool], load: Load) -> None:
    able = np.max([pool.throughput for pool in pools], axis=0, initial=0.0)
    lost = [name for name, rate in zip(load.names, able, strict=True) if rate == 0]
    if lost:
        raise InfeasibleError(
            f"no pool serves {', '.join(lost)} within the SLO; relax it, or offer larger replicas"
        )


def _fleet(
    pools: Sequence[Pool], load: Load, market: Market, *, of: str | None, gap: float,
    time_limit: float,
) -> Fleet | None:  # fmt: skip
    chosen = tuple(pool for pool in pools if of in {None, pool.kind})
    solution = solve(chosen, load, market, gap=gap, time_limit=time_limit)
    return None if solution is None else priced(chosen, load, market, solution)


def priced(pools: tuple[Pool, ...], load: Load, market: Market, solution: Solution) -> Fleet:
    """Return a solution with its cost by part.

    Raises:
        LedgerError: the parts do not add up to the program's objective.
    """
    on = solution.replicas.astype(np.float64)  # [pool, slot]
    each = np.array([pool.price for pool in pools])[:, None]
    start = np.array([pool.start for pool in pools])[:, None]
    joules = _joules(pools, load, solution)
    price = np.zeros(load.slots) if market.energy is None else market.energy
    fleet = Fleet(
        pools=pools,
        replicas=solution.replicas,
        shares=solution.shares,
        rent=float((each * on).sum() * load.slot),
        starting=float((each * start * solution.starts).sum()),
        power=float((joules * price).sum()),
        energy=float(joules.sum()) if any(pool.energy is not None for pool in pools) else None,
        bound=solution.bound,
    )
    if abs(fleet.cost - solution.cost) > 1e-6 * max(fleet.cost, 1.0):
        raise LedgerError(f"fleet costs {fleet.cost} USD by part, {solution.cost} USD as a whole")
    return fleet


def _joules(pools: Sequence[Pool], load: Load, solution: Solution) -> Floats:
    """Return the energy of each slot [slot], J: idle draw of what is on, and work on top."""
    idle = np.array([pool.idle for pool in pools])[:, None]
    start = np.array([pool.start for pool in pools])[:, None]
    on = load.slot * solution.replicas + start * solution.starts
    work = np.stack(
        [np.zeros(len(load.names)) if pool.energy is None else pool.energy for pool in pools]
    )  # [pool, class]
    served = load.slot * load.mean * solution.shares  # [pool, class, slot]
    return (idle * on).sum(axis=0) + (work[:, :, None] * served).sum(axis=(0, 1))


def _static(pools: Sequence[Pool], load: Load, market: Market) -> Fleet | None:
    """Return the cheapest pool alone, as many replicas all the time as its busiest slot needs."""
    found = [_constant(pool, load, market) for pool in pools if not pool.spot]
    return min((one for one in found if one is not None), key=lambda one: one.cost, default=None)


def _constant(pool: Pool, load: Load, market: Market) -> Fleet | None:
    asked = load.peak.sum(axis=1) > 0
    if not (pool.throughput[asked] > 0).all():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        each = load.peak / (pool.throughput * pool.available)[:, None]
    count = int(np.ceil(np.where(load.peak > 0, each, 0.0).sum(axis=0).max() - 1e-9))
    if count > pool.most:
        return None
    solution = Solution(
        replicas=np.full((1, load.slots), count),
        starts=np.zeros((1, load.slots)),
        shares=np.ones((1, *load.peak.shape)),
        cost=0.0,
        bound=0.0,
    )
    joules = _joules([pool], load, solution)
    price = np.zeros(load.slots) if market.energy is None else market.energy
    cost = float(count * pool.price * load.slot * load.slots + (joules * price).sum())
    return priced((pool,), load, market, replace(solution, cost=cost, bound=cost))
