"""What so many replicas carry in one slot, and what that costs beyond their rent: by duality.

Work shared out at the least cost w(n) = min e x with each x <= n, sum x = 1 is convex in the
replicas n. Any prices pi of capacity bound it from below, w(n) >= phi(pi) - pi n with phi(pi) the
sum over classes of min_g (each_g pi_g + e_g), and the right ones meet it. Where no x exists,
prices without e show it: phi(pi) - pi n > 0. The prices of one slot hold in all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from highspy._core import _Highs  # the public class prints a banner to stdout when made

from inferometer.candidates import Flags, Floats
from inferometer.plan.fleet.pool import Load, Market, Pool
from inferometer.units import Usd

TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """The work of all slots as every pool would do it.

    Attributes:
        each: Replicas of a pool that a whole class keeps busy; endless where it cannot [pool,
            class, slot].
        cost: What energy costs a whole class there [pool, class, slot], USD.
        spot: Which pools are spot [pool].
        most_spot: Largest spot share of each class [class].
        asked: Which classes have requests [class, slot].
    """

    each: Floats
    cost: Floats
    spot: Flags
    most_spot: Floats
    asked: Flags

    @property
    def priced(self) -> bool:
        """Whether sharing out the work costs anything."""
        return bool(self.cost.any())


def work_of(pools: Sequence[Pool], load: Load, market: Market) -> Work:
    """Return the work of a load."""
    joule = np.zeros(load.slots) if market.energy is None else market.energy
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.stack([load.peak / (pool.throughput * pool.available)[:, None] for pool in pools])
    able = np.stack([np.broadcast_to((p.throughput > 0)[:, None], load.peak.shape) for p in pools])
    none = np.zeros(len(load.names))
    joules = np.stack([none if pool.energy is None else pool.energy for pool in pools])
    cost = load.slot * load.mean * joules[:, :, None] * joule
    return Work(
        each=np.where(able, each, np.inf),
        cost=np.where(able, cost, 0.0),
        spot=np.array([pool.spot for pool in pools]),
        most_spot=load.most_spot,
        asked=load.peak > 0,
    )


def least_work(work: Work, prices: Floats, *, costs: bool) -> Floats:
    """Return phi(prices) of every slot [slot], with the costs of sharing out or without."""
    with np.errstate(invalid="ignore"):
        value = work.each * prices[:, None, None]
    value = np.where(np.isfinite(work.each), value + (work.cost if costs else 0.0), np.inf)
    none = np.full(value.shape[1:], np.inf)
    firm = value[~work.spot].min(axis=0, initial=np.inf) if (~work.spot).any() else none
    spot = value[work.spot].min(axis=0, initial=np.inf) if work.spot.any() else none
    limit = work.most_spot[:, None]
    with np.errstate(invalid="ignore"):
        mixed = np.where(limit < 1, limit * spot + (1 - limit) * firm, spot)
    best = np.where(spot < firm, mixed, firm)
    return np.where(work.asked, best, 0.0).sum(axis=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Carried:
    """What replicas do in one slot.

    Attributes:
        lacks: Whether capacity is missing.
        cost: Least cost of sharing out the work, where nothing is missing.
        prices: Prices of capacity that prove it [pool].
        shares: Share of each class on each pool [pool, class].
    """

    lacks: bool
    cost: Usd
    prices: Floats
    shares: Floats


class Sharing:
    """The linear program of one slot: the work shared out to given replicas."""

    def __init__(self, work: Work, slot: int, rents: Floats) -> None:
        self.pools, self.classes = work.each.shape[:2]
        each, self.cost = work.each[:, :, slot], work.cost[:, :, slot].ravel()
        able = np.isfinite(each) & work.asked[:, slot]
        self.able, self.rents = able, rents
        self.solver = _Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("random_seed", 0)):
            self.solver.setOptionValue(option, value)
        self.solver.passModel(self._model(work, np.where(able, each, 0.0), slot))
        self.columns = np.arange(self.pools * (1 + self.classes), dtype=np.int32)

    def carried(self, replicas: Floats) -> Carried:
        """Return what `replicas` [pool] do, by one program, or two where sharing out costs."""
        for pool in range(self.pools):
            self.solver.changeRowBounds(pool, -np.inf, float(replicas[pool]))
        found = self._run(self.rents, np.zeros_like(self.cost), np.inf)
        if found.lacks or not self.cost.any():
            return found
        return self._run(np.zeros(self.pools), self.cost, 0.0)

    def _run(self, extra: Floats, cost: Floats, most: float) -> Carried:
        costs = np.concatenate([extra, cost])
        self.solver.changeColsCost(len(costs), self.columns, costs)
        for pool in range(self.pools):
            self.solver.changeColBounds(pool, 0.0, most)
        self.solver.run()
        found = self.solver.getSolution()
        values = np.array(found.col_value)
        shares = values[self.pools :].reshape(self.pools, self.classes)
        objective = float(self.solver.getInfo().objective_function_value)
        asking = bool(np.isinf(most))  # for missing capacity, at the pools' rents
        return Carried(
            lacks=asking and objective > TOLERANCE * float(self.rents.max()),
            cost=0.0 if asking else objective,
            prices=np.maximum(-np.array(found.row_dual)[: self.pools], 0.0),
            shares=shares,
        )

    def _model(self, work: Work, each: Floats, slot: int) -> highspy.HighsLp:
        """Return rows of capacity, demand and spot limits over extra capacity and shares."""
        table, low, high = self._rows(work, each, slot)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = table.shape[1], len(table)
        model.col_cost_ = np.zeros(table.shape[1])
        model.col_lower_ = np.zeros(table.shape[1])
        most = [np.full(self.pools, np.inf), self.able.ravel().astype(np.float64)]
        model.col_upper_ = np.concatenate(most)
        model.row_lower_, model.row_upper_ = low, high
        row, column = np.nonzero(table)
        matrix = model.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kRowwise
        matrix.start_ = np.searchsorted(row, np.arange(len(table) + 1))
        matrix.index_, matrix.value_ = column, table[row, column]
        return model

    def _rows(self, work: Work, each: Floats, slot: int) -> tuple[Floats, Floats, Floats]:
        pools, classes = self.pools, self.classes
        none = np.zeros((pools, classes))
        carrying = [np.where(np.arange(pools)[:, None] == pool, each, 0.0) for pool in range(pools)]
        asked = np.flatnonzero(work.asked[:, slot])
        whole = [np.where(np.arange(classes) == kind, self.able, none) for kind in asked]
        limited = asked[work.most_spot[asked] < 1] if work.spot.any() else asked[:0]
        spot = [np.where(np.arange(classes) == k, self.able & work.spot[:, None], none)
                for k in limited]  # fmt: skip
        shares = np.stack([*carrying, *whole, *spot]).reshape(-1, pools * classes)
        extra = np.vstack([-np.eye(pools), np.zeros((len(shares) - pools, pools))])
        ones, endless = np.ones(len(asked)), -np.inf
        low = np.concatenate([np.full(pools, endless), ones, np.full(len(limited), endless)])
        high = np.concatenate([np.zeros(pools), ones, work.most_spot[limited]])
        return np.hstack([extra, shares]), low, high
