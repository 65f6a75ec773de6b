"""The integer program of a fleet: its rows and columns, as HiGHS takes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np

from inferometer.candidates import Flags, Floats, Ints
from inferometer.errors import ScenarioError
from inferometer.plan.fleet.pool import Load, Market, Pool
from inferometer.units import Usd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """What to run.

    Attributes:
        replicas: Replicas on [pool, slot].
        starts: Replicas started [pool, slot].
        shares: Share of each class that each pool serves [pool, class, slot]; they add up to 1
            where a class has requests.
        cost: Objective.
        bound: No fleet can cost less.
    """

    replicas: Ints
    starts: Floats
    shares: Floats
    cost: Usd
    bound: Usd


class Program:
    """Rows and columns: replicas [pool, slot], starts [pool, slot], shares [pool, class, slot]."""

    def __init__(self, pools: Sequence[Pool], load: Load, market: Market) -> None:
        if not pools:
            raise ScenarioError("no pool to choose from; name at least one accelerator")
        self.pools, self.load, self.market = pools, load, market
        sizes = (len(pools), len(load.names), load.slots)
        if any(len(pool.throughput) != sizes[1] for pool in pools):
            raise ScenarioError(f"pools: each needs a throughput for all {sizes[1]} classes")
        places = np.arange(sizes[0] * sizes[2]).reshape(sizes[0], sizes[2])
        self.on, self.started = places, places + places.size
        shares = np.arange(sizes[0] * sizes[1] * sizes[2]).reshape(sizes)
        self.share = shares + 2 * places.size
        self.columns = 2 * places.size + shares.size
        self.rows: list[tuple[Ints, Floats, float, float]] = []
        self.low, self.high = np.zeros(self.columns), self._limits()
        self._demand()
        self._capacity()
        self._switching()

    def split(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Return replicas, starts and shares of a column vector."""
        return values[self.on], values[self.started], values[self.share]

    def model(self) -> highspy.HighsLp:
        """Return the program as HiGHS takes it."""
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self.columns, len(self.rows)
        model.col_cost_ = self._costs()
        model.col_lower_, model.col_upper_ = self.low, self.high
        model.row_lower_ = np.array([row[2] for row in self.rows])
        model.row_upper_ = np.array([row[3] for row in self.rows])
        matrix = model.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kRowwise
        matrix.start_ = np.cumsum([0, *(len(row[0]) for row in self.rows)])
        matrix.index_ = np.concatenate([row[0] for row in self.rows])
        matrix.value_ = np.concatenate([row[1] for row in self.rows])
        whole = np.zeros(self.columns, np.bool_)
        whole[self.on] = True
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[int(value)] for value in whole]
        return model

    def hold_above(self, slot: int, floor: Usd) -> None:
        """Add that a slot costs no less than `floor`, what it costs alone."""
        costs = self._costs()
        columns = np.append(self.on[:, slot], self.share[:, :, slot].ravel())
        columns = columns[costs[columns] > 0]
        self._add(columns, costs[columns], floor * (1 - 1e-9), np.inf)

    def keep_but(self, solution: "Solution", at: slice) -> None:
        """Hold the replicas of all slots but `at` as `solution` has them."""
        low, high = solution.replicas.astype(np.float64), solution.replicas.astype(np.float64)
        low[:, at], high[:, at] = 0.0, self._limits()[self.on[:, at]]
        self.low[self.on], self.high[self.on] = low, high

    def column(self, solution: "Solution") -> Floats:
        """Return a fleet as a column vector, its starts made anew from its replicas."""
        on, values = solution.replicas.astype(np.float64), np.zeros(self.columns)
        values[self.on], values[self.share] = on, solution.shares
        values[self.started] = np.maximum(on - np.roll(on, 1, axis=1), 0.0)
        return values

    def _costs(self) -> Floats:
        costs, load = np.zeros(self.columns), self.load
        joule = np.zeros(load.slots) if self.market.energy is None else self.market.energy
        for place, pool in enumerate(self.pools):
            costs[self.on[place]] = load.slot * (pool.price + pool.idle * joule)
            costs[self.started[place]] = pool.start * (pool.price + pool.idle * joule)
            if pool.energy is not None:
                work = load.slot * load.mean * pool.energy[:, None] * joule
                costs[self.share[place]] = np.where(self._can(pool), work, 0.0)
        return costs

    def _limits(self) -> Floats:
        limits = np.full(self.columns, np.inf)
        for place, pool in enumerate(self.pools):
            limits[self.on[place]] = pool.most
            limits[self.share[place]] = np.where(self._can(pool), 1.0, 0.0)
        return limits

    def _can(self, pool: Pool) -> Flags:
        return np.broadcast_to((pool.throughput > 0)[:, None], self.load.peak.shape)

    def _add(self, columns: Ints, values: Floats, low: float, high: float) -> None:
        self.rows.append((columns, values, low, high))

    def _demand(self) -> None:
        """Every class with requests is served whole, at most so much of it on spot replicas."""
        spot = np.array([pool.spot for pool in self.pools])
        for kind, slot in np.argwhere(self.load.peak > 0):
            columns = self.share[:, kind, slot]
            self._add(columns, np.ones(len(columns)), 1.0, 1.0)
            limit = float(self.load.most_spot[kind])
            if spot.any() and limit < 1:
                self._add(columns[spot], np.ones(int(spot.sum())), -np.inf, limit)

    def _capacity(self) -> None:
        """No pool carries more than its replicas can."""
        for place, pool in enumerate(self.pools):
            with np.errstate(divide="ignore"):
                each = self.load.peak / (pool.throughput * pool.available)[:, None]
            served = pool.throughput > 0
            for slot in range(self.load.slots):
                columns = np.append(self.share[place, served, slot], self.on[place, slot])
                self._add(columns, np.append(each[served, slot], -1.0), -np.inf, 0.0)

    def _switching(self) -> None:
        """Replicas grow by starts only, and what was started stays on for `min_on` slots."""
        slots, kept = self.load.slots, self.market.min_on
        for place, slot in np.ndindex(len(self.pools), slots):
            if slots == 1:
                continue  # the slot before is the slot itself: nothing ever starts
            now, before = self.on[place, slot], self.on[place, slot - 1]
            columns = np.array([now, before, self.started[place, slot]])
            self._add(columns, np.array([1.0, -1.0, -1.0]), -np.inf, 0.0)
            if kept > 1:
                span = np.unique(np.arange(slot - kept + 1, slot + 1) % slots)
                recent = np.append(self.started[place, span], now)
                self._add(recent, np.append(np.ones(len(span)), -1.0), -np.inf, 0.0)


def kept_on(solution: Solution, min_on: int) -> Solution:
    """Return a fleet, nowhere smaller, whose replicas stay `min_on` slots once started.

    Round the slots, each takes at least what was started in the `min_on` - 1 slots before it.
    Where two rounds do not settle that, each takes the most that the `min_on` slots up to it have:
    a rise is then followed by no fall within that time.
    """
    on, slots = solution.replicas.copy(), solution.replicas.shape[1]
    begun = np.zeros_like(on)
    for step in range(3 * slots):
        slot = step % slots
        recent = np.unique(np.arange(slot - min_on + 1, slot) % slots)
        on[:, slot] = np.maximum(solution.replicas[:, slot], begun[:, recent].sum(axis=1))
        begun[:, slot] = np.maximum(on[:, slot] - on[:, slot - 1], 0)
    found = replace(solution, replicas=on)
    if keeps(found, min_on):
        return found
    earlier = [np.roll(solution.replicas, shift, axis=1) for shift in range(min_on)]
    return replace(solution, replicas=np.max(earlier, axis=0))


def keeps(solution: Solution, min_on: int) -> bool:
    """Return whether all replicas of a fleet stay `min_on` slots once started."""
    on = solution.replicas
    begun = np.maximum(on - np.roll(on, 1, axis=1), 0)
    spans = min(min_on, on.shape[1])
    recent = np.sum([np.roll(begun, shift, axis=1) for shift in range(spans)], axis=0)
    return bool((recent <= on).all())
