"""All that a report tells: the plan, what it was asked for, and what it rests on."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inferometer.account.api import ApiCost
from inferometer.plan.comparison import Comparison
from inferometer.plan.precision import Weights
from inferometer.plan.provenance import Fact
from inferometer.plan.search import Plan
from inferometer.plan.sensitivity import Swing
from inferometer.plan.waterfall import Step
from inferometer.workload.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """The answer of `inferometer plan`, ready to be shown.

    Attributes:
        plan: The answer of the search.
        shape: The workload it was asked for.
        prices_at: Day of the prices.
        waterfall: From the ideal price of a token to the actual one; empty if not made.
        api: Price of the same traffic at APIs, the cheapest first.
        swings: What each assumption does to the cost, the widest first; empty if not searched.
        comparison: The plan against today's deployment, if that was stated.
        weights: Where weights of the best plan's formats come from.
        facts: Catalogue facts behind the numbers.
        assumptions: What holds beside them.
        scenario: The question as resolved: file, options and defaults, as JSON can hold it.
        command: Command line that repeats the answer, one argument each.
        version: Version of Inferometer that made it.
    """

    plan: Plan
    shape: Shape
    prices_at: dt.date
    waterfall: tuple[Step, ...] = ()
    api: tuple[ApiCost, ...] = ()
    swings: tuple[Swing, ...] = ()
    comparison: Comparison | None = None
    weights: tuple[Weights, ...] = ()
    facts: tuple[Fact, ...] = ()
    assumptions: tuple[str, ...] = ()
    scenario: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    version: str = ""
