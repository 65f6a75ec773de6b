"""The cheapest fleet, by HiGHS."""

from collections.abc import Sequence
from dataclasses import replace

import highspy
import numpy as np
from highspy._core import _Highs  # the public class prints a banner to stdout when made

from inferometer.errors import InfeasibleError
from inferometer.plan.fleet.path import cheapest_way, kept_way, search_of
from inferometer.plan.fleet.pool import Load, Market, Pool
from inferometer.plan.fleet.program import Program, Solution, keeps, kept_on
from inferometer.units import Fraction

IMPOSSIBLE = (
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)
"""What HiGHS says where no fleet serves; costs are never negative, so nothing is unbounded."""


WINDOW = 12
"""Slots set anew at a time, the others as they are, where a start has to be improved."""


def solve(
    pools: Sequence[Pool],
    load: Load,
    market: Market,
    *,
    gap: Fraction = 1e-4,
    time_limit: float = 600.0,
) -> Solution | None:
    """Return the cheapest fleet of `pools` that serves `load`, None if none does.

    min sum_t slot (price_g + idle_g e_t) n_gt + price_g start_g s_gt + slot mean_ct energy_gc e_t
    x_gct with sum_c peak_ct / (throughput_gc available_g) x_gct <= n_gt (Griggs et al. 2024,
    arXiv 2404.14527, here over time), sum_g x_gct = 1, spot shares, n_gt - n_g,t-1 <= s_gt, and
    the last `min_on` s_g <= n_gt in sum.

    Every slot is solved alone first, which is the answer where starting is free. Otherwise the
    cheapest way through the slots is looked for (`path`). Where that ends short of `gap`, no slot
    can cost less than it does alone, which as a row of the program closes much of the gap that
    fractional replicas leave, and what was found is a fleet to start from.

    Args:
        pools: What can be rented.
        load: What is asked.
        market: What energy costs, and how long a replica stays.
        gap: Relative distance to the bound at which to stop.
        time_limit: Seconds after which to stop with the best found.

    Raises:
        ScenarioError: no pool, or throughputs of other classes than the load's.
        InfeasibleError: no solution within the time limit.
    """
    alone = list[Solution]()
    for slot in range(load.slots):
        piece = _piece(pools, load, market, slice(slot, slot + 1))
        part = _solved(piece, gap / 4, time_limit / 4 / load.slots, None)
        if part is None:
            return None
        alone.append(part)
    together = _joined(alone)
    starting = any(pool.start for pool in pools)
    if load.slots == 1 or (market.min_on == 1 and not starting):
        return together
    search = search_of(pools, load, market, alone, gap)
    way = cheapest_way(search) or together
    if market.min_on > 1 and not keeps(way, market.min_on):
        kept = kept_way(search, way)
        way = way if kept is None else kept
    if keeps(way, market.min_on) and way.cost - way.bound <= gap * way.cost:
        return way
    return _improved(pools, load, market, (alone, way), (gap, time_limit))


def _improved(
    pools: Sequence[Pool],
    load: Load,
    market: Market,
    known: tuple[Sequence[Solution], Solution],
    limits: tuple[float, float],
) -> Solution | None:
    """Return the best fleet found from one that may not keep its replicas long enough.

    Args:
        pools: What can be rented.
        load: What is asked.
        market: How long a replica stays.
        known: Each slot alone, and all of them together with what no fleet costs less than.
        limits: Gap and time limit.
    """
    (alone, together), (gap, time_limit) = known, limits
    floor = together.bound
    program = Program(pools, load, market)
    for slot, part in enumerate(alone):
        program.hold_above(slot, part.bound)
    kept = keeps(together, market.min_on)
    found = together if kept else kept_on(together, market.min_on)
    for at in range(0, load.slots, WINDOW):
        program.keep_but(found, slice(at, at + WINDOW))
        found = _solved(program, gap / 4, time_limit / 6 * WINDOW / load.slots, found) or found
    if found.cost - floor <= gap * found.cost:
        return replace(found, bound=floor)
    program.keep_but(found, slice(0, load.slots))
    last = _solved(program, gap, 3 * time_limit / 4, found)
    return None if last is None else replace(last, bound=max(last.bound, min(floor, last.cost)))


def _piece(pools: Sequence[Pool], load: Load, market: Market, at: slice) -> Program:
    """Return the program of some slots alone, in which starting is free."""
    part = replace(load, peak=load.peak[:, at], mean=load.mean[:, at])
    return Program(pools, part, Market(energy=None if market.energy is None else market.energy[at]))


def _joined(parts: Sequence[Solution]) -> Solution:
    return Solution(
        replicas=np.concatenate([part.replicas for part in parts], axis=1),
        starts=np.concatenate([part.starts for part in parts], axis=1),
        shares=np.concatenate([part.shares for part in parts], axis=2),
        cost=sum(part.cost for part in parts),
        bound=sum(part.bound for part in parts),
    )


def _solved(
    program: Program, gap: float, time_limit: float, first: Solution | None
) -> Solution | None:
    solver = _Highs()
    for option, value in (
        ("output_flag", False), ("mip_rel_gap", gap), ("time_limit", max(time_limit, 1.0)),
        ("threads", 1), ("random_seed", 0),
    ):  # fmt: skip
        solver.setOptionValue(option, value)
    solver.passModel(program.model())
    if first is not None:
        start = highspy.HighsSolution()
        start.col_value = program.column(first).tolist()
        solver.setSolution(start)
    solver.run()
    if solver.getModelStatus() in IMPOSSIBLE:
        return None
    info = solver.getInfo()
    if not info.primal_solution_status:
        raise InfeasibleError(f"no fleet found within {time_limit:g} s; allow more, or a wider gap")
    replicas, starts, shares = program.split(np.array(solver.getSolution().col_value))
    return Solution(
        replicas=np.rint(replicas).astype(np.int64),
        starts=np.maximum(starts, 0.0),
        shares=shares,
        cost=float(info.objective_function_value),
        bound=float(info.mip_dual_bound),
    )
