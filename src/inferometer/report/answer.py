"""All that a report tells: the plan, what it was asked for, and what it rests on."""

import datetime as dt
from dataclasses import dataclass, field

from inferometer.account.api import ApiCost
from inferometer.catalog.efficiency import Efficiencies
from inferometer.plan.comparison import Comparison
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
        weights: Where weights in the plan's formats come from, with the quality that is known.
        facts: Catalogue facts behind the numbers.
        efficiencies: Parameters of the performance model, for their values.
        assumptions: What holds beside them.
        scenario: The question as it was resolved, as a scenario file.
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
    weights: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    efficiencies: Efficiencies = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    scenario: str = ""
    command: tuple[str, ...] = ()
    version: str = ""
