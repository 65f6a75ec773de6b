"""Fleets small enough to try every one of them."""

from itertools import product

import numpy as np
from scipy.optimize import linprog

from inferometer.plan.fleet.pool import Load, Market, Pool

HOUR = 3600.0


def pool(name: str, hourly: float, throughput: list[float], **fields: object) -> Pool:
    return Pool(
        name=name,
        kind=str(fields.pop("kind", name)),
        price=hourly / HOUR,
        most=int(str(fields.pop("most", 4))),
        throughput=np.array(throughput),
        start=float(str(fields.pop("start", 0.0))),
        spot=bool(fields.pop("spot", False)),
    )


def load(peak: list[list[float]], *, spot: float = 1.0) -> Load:
    rates = np.array(peak)
    return Load(
        names=tuple(f"class {place}" for place in range(len(rates))),
        peak=rates,
        mean=0.8 * rates,
        slot=HOUR,
        spot_share=(spot,) * len(rates),
    )


def serves(pools: list[Pool], counts: tuple[int, ...], asked: Load, slot: int) -> bool:
    """Return whether so many replicas carry a slot: a linear program in the shares (SciPy)."""
    kinds = len(asked.names)
    each = np.array([
        [asked.peak[c, slot] / p.throughput[c] if p.throughput[c] else 0.0 for c in range(kinds)]
        for p in pools
    ])  # fmt: skip
    able = np.array([p.throughput > 0 for p in pools])
    size = len(pools) * kinds
    carried = np.zeros((len(pools), size))
    for place in range(len(pools)):
        carried[place, place * kinds : (place + 1) * kinds] = each[place]
    whole = np.array([[float(at % kinds == c) for at in range(size)] for c in range(kinds)])
    spot = np.array([p.spot for p in pools]).repeat(kinds) * whole
    found = linprog(
        np.zeros(size),
        A_ub=np.vstack([carried, spot]), b_ub=np.append(counts, asked.most_spot),
        A_eq=whole, b_eq=np.ones(kinds),
        bounds=[(0.0, float(flag)) for flag in able.ravel()],
    )  # fmt: skip
    return bool(found.status == 0)


def cheapest_of_all(pools: list[Pool], asked: Load, market: Market) -> float:
    """Return the cost of the cheapest fleet, found by trying every one."""
    choices = [
        [c for c in product(*(range(p.most + 1) for p in pools)) if serves(pools, c, asked, slot)]
        for slot in range(asked.slots)
    ]
    each, start = np.array([p.price for p in pools]), np.array([p.start for p in pools])
    best = np.inf
    for way in product(*choices):
        on = np.array(way)  # [slot, pool]
        begun = np.maximum(on - np.roll(on, 1, axis=0), 0) if len(on) > 1 else 0 * on
        spans = [np.unique((np.arange(market.min_on) * -1 + t) % len(on)) for t in range(len(on))]
        kept = market.min_on == 1 or all(
            (begun[span].sum(axis=0) <= on[t]).all() for t, span in enumerate(spans)
        )
        cost = float((on * each * HOUR + begun * start * each).sum())
        best = min(best, cost) if kept else best
    return best
