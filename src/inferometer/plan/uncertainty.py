"""What is not known for certain, drawn; and what follows for the choice.

An uncertain quantity is a factor on its base value: one in ten below `low`, one in ten above
`high`, the median 1, logarithms normal on either side.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from inferometer.errors import ScenarioError
from inferometer.units import Fraction, Usd
from inferometer.workload.synthesis import generator
from inferometer.workload.trace import Floats

TENTH = NormalDist().inv_cdf(0.9)
LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
"""Quantiles that are reported."""
BINS = 32
"""Groups of draws, alike in one quantity, over which its information is valued."""
ROUNDING = 1e-12
"""Relative size below which a saving is the rounding of a mean."""
FEWEST, MOST = 100, 100_000

Costs = Callable[[Mapping[str, Floats], int], Mapping[str, Floats]]
"""Returns the cost of every way [draw] for draws of the factors, and their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """One quantity that is not known for certain.

    Attributes:
        name: The driver.
        low: Factor that one in ten stays below, above 0, at most 1.
        high: Factor that one in ten exceeds, at least 1.
        source: What the range rests on.
    """

    name: str
    low: float
    high: float
    source: str

    def __post_init__(self) -> None:
        if not (0 < self.low <= 1 <= self.high < math.inf):
            raise ScenarioError(
                f"range of {self.name!r} is {self.low} to {self.high}; factors on the base value "
                "are wanted, such as 0.8 to 1.3, with 1 between them"
            )


def draw(uncertain: Sequence[Uncertain], draws: int, seed: int) -> dict[str, Floats]:
    """Return independent draws of every factor [draw]; each quantity has its own source of chance.

    Raises:
        ScenarioError: too few draws to say anything of a tail, or too many.
    """
    if not FEWEST <= draws <= MOST:
        raise ScenarioError(f"draws is {draws}; from {FEWEST} to {MOST} are wanted")
    if not 0 <= seed < 2**63:
        raise ScenarioError(f"seed is {seed}; a whole number from 0 to 2^63 - 1 is wanted")
    return {
        item.name: np.where(
            scores < 0, item.low ** (-scores / TENTH), item.high ** (scores / TENTH)
        )
        for item in uncertain
        for scores in (generator(seed, item.name).standard_normal(draws),)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Distribution of what one way costs over the horizon.

    Attributes:
        way: The way.
        base: Cost with every quantity at its base value.
        mean: Mean over draws.
        quantiles: Costs at `LEVELS`.
        cheapest: Probability that no other way costs less.
    """

    way: str
    base: Usd
    mean: Usd
    quantiles: tuple[float, ...]
    cheapest: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """What it would be worth to know one quantity before choosing.

    Attributes:
        name: The quantity.
        value: Expected saving over choosing now: the value of partial perfect information.
        low: Cost of the best way of today at the low end of the range.
        high: Cost at the high end.
        low_choice: Cheapest way at the low end.
        high_choice: Cheapest way at the high end.
        source: What the range rests on.
    """

    name: str
    value: Usd
    low: Usd
    high: Usd
    low_choice: str
    high_choice: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the draws say.

    Attributes:
        draws: How many.
        seed: Where they began.
        best: Way with the least mean cost.
        regret: Expected loss of choosing it now against knowing everything first: the value of
            perfect information.
        spreads: Distribution of every way, the least mean first.
        beats: Probability that one way costs less than another, by both names.
        information: Value of knowing each quantity, the highest first: "measure this first".
    """

    draws: int
    seed: int
    best: str
    regret: Usd
    spreads: tuple[Spread, ...]
    beats: Mapping[str, Mapping[str, float]]
    information: tuple[Information, ...]


def judge(uncertain: Sequence[Uncertain], costs: Costs, *, draws: int, seed: int) -> Verdict:
    """Return the distribution of every way's cost, who beats whom, and what to measure first.

    Args:
        uncertain: What is not known.
        costs: What every way costs for given factors.
        draws: How many draws.
        seed: Same seed, same answer.

    Raises:
        ScenarioError: no way at all, a quantity given twice, or a number of draws out of range.
    """
    names = [item.name for item in uncertain]
    if len(set(names)) != len(names):
        raise ScenarioError(f"uncertain quantities are named twice: {', '.join(sorted(names))}")
    factors = draw(uncertain, draws, seed)
    found, base = costs(factors, draws), costs({}, 1)
    if not found:
        raise ScenarioError("no way of paying is priced: nothing to compare")
    ways, table = list(found), np.array(list(found.values()))  # [way, draw]
    order = np.argsort(table.mean(axis=1), kind="stable")
    best = ways[order[0]]
    first = np.bincount(table.argmin(axis=0), minlength=len(ways)) / draws
    spreads = tuple(
        Spread(
            way=ways[row],
            base=float(base[ways[row]][0]),
            mean=float(table[row].mean()),
            quantiles=tuple(map(float, np.quantile(table[row], LEVELS))),
            cheapest=float(first[row]),
        )
        for row in order
    )
    values = [_information(item, factors[item.name], table, costs, best) for item in uncertain]
    return Verdict(
        draws=draws,
        seed=seed,
        best=best,
        regret=float(table[order[0]].mean() - table.min(axis=0).mean()),
        spreads=spreads,
        beats={
            one: {two: float((table[i] < table[j]).mean()) for j, two in enumerate(ways) if j != i}
            for i, one in enumerate(ways)
        },
        information=tuple(sorted(values, key=lambda item: (-item.value, item.name))),
    )


def partial_information(known: Floats, table: Floats) -> float:
    """Return the value of knowing one quantity before choosing the row with the least cost.

    min over ways of the mean cost, less the mean over groups of draws alike in the quantity of the
    least mean cost within the group (Strong and Oakley 2013 call the grouping the ordered-bins
    estimator). A few draws per group overstate it; zero where the choice never changes.

    Args:
        known: Draws of the quantity [draw].
        table: Costs [way, draw].
    """
    ranked = table[:, np.argsort(known, kind="stable")]
    groups = np.array_split(ranked, BINS, axis=1)
    informed = sum(group.mean(axis=1).min() * group.shape[1] for group in groups) / table.shape[1]
    now = float(table.mean(axis=1).min())
    return now - float(informed) if now - informed > ROUNDING * abs(now) else 0.0


def _information(
    item: Uncertain, known: Floats, table: Floats, costs: Costs, best: str
) -> Information:
    ends = costs({item.name: np.array([item.low, item.high])}, 2)
    low, high = (
        min(ends, key=lambda way, place=place: ends[way][place])  # the first of equals
        for place in range(2)
    )
    return Information(
        name=item.name,
        value=partial_information(known, table),
        low=float(ends[best][0]),
        high=float(ends[best][1]),
        low_choice=low,
        high_choice=high,
        source=item.source,
    )
