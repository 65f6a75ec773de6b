"""Sensitivity: which assumption, moved within its range, changes the decision."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from inferometer.candidates import Candidates
from inferometer.perf.prediction import Depth, Prediction
from inferometer.plan.cheapest import cheapest
from inferometer.plan.option import Option
from inferometer.plan.replicas import Evaluate
from inferometer.plan.search import Plan
from inferometer.plan.space import Space
from inferometer.units import Fraction, UsdPerSecond
from inferometer.workload.shape import Shape, with_longer_outputs, with_rate
from inferometer.workload.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """The inputs of one search.

    Attributes:
        space: What may be built, and its prices.
        shape: The workload.
        evaluate: What predicts.
    """

    space: Space
    shape: Shape
    evaluate: Evaluate


Change = Callable[[Case, float], Case]
"""Returns the case with one assumption multiplied by a factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """What one assumption does to the answer at both ends of its range.

    Attributes:
        assumption: What was moved.
        low_factor: Factor at the low end.
        high_factor: Factor at the high end.
        low_cost: Cost of the best plan at the low end; None if there is none.
        high_cost: Cost at the high end.
        low_choice: The best deployment at the low end, "" if there is none.
        high_choice: The same at the high end.
        replicas: Replicas of the plan itself.
        low_replicas: Replicas of `low_choice`; 0 if there is none.
        high_replicas: The same at the high end.
        flips: Whether the accelerator, layout or precision of the best plan changes at either end.
    """

    assumption: str
    low_factor: Fraction
    high_factor: Fraction
    low_cost: UsdPerSecond | None
    high_cost: UsdPerSecond | None
    low_choice: str
    high_choice: str
    replicas: int
    low_replicas: int
    high_replicas: int
    flips: bool

    @property
    def change(self) -> str:
        """What becomes of the choice, in words: "no" only if the replica count stays as well."""
        if self.flips:
            return "yes"
        if {self.low_replicas, self.high_replicas} == {self.replicas}:
            return "no"
        return f"replicas {self.low_replicas} .. {self.high_replicas}"


def _price(accelerator: str) -> Change:
    def change(case: Case, factor: float) -> Case:
        prices = tuple(
            replace(price, price=price.price * factor)
            if price is not None and price.accelerator == accelerator
            else price
            for price in case.space.prices
        )
        return replace(case, space=replace(case.space, prices=prices))

    return change


def _rate(case: Case, factor: float) -> Case:
    return replace(case, shape=with_rate(case.shape, factor))


def _peak(case: Case, factor: float) -> Case:
    peak = max(case.shape.peak_rate * factor, case.shape.rate)
    return replace(case, shape=replace(case.shape, peak_rate=peak))


def _outputs(case: Case, factor: float) -> Case:
    context = case.space.candidates.model.max_context
    return replace(case, shape=with_longer_outputs(case.shape, factor, context))


def _cached(case: Case, factor: float) -> Case:
    """Move the share of prompt tokens that is *not* cached."""
    cached = max(1 - (1 - case.shape.cached_fraction) * factor, 0.0)
    return replace(case, shape=replace(case.shape, cached_fraction=cached))


def _slowness(case: Case, factor: float) -> Case:
    return replace(case, evaluate=slowed(case.evaluate, factor))


def slowed(evaluate: Evaluate, factor: float) -> Evaluate:
    """Return an evaluator whose times are all `factor` as long and whose capacity is less by it."""

    def changed(candidates: Candidates, shape: Shape, *, depth: Depth = Depth.ENERGY) -> Prediction:
        faster = with_rate(shape, factor)  # time scaled: the same system on a slower clock
        found = evaluate(candidates, faster, depth=depth)
        times = {name: getattr(found, name) * factor for name in ("ttft", "tpot", "itl", "e2e")}
        return replace(found, shape=shape, capacity=found.capacity / factor, **times)

    return changed


def assumptions(best: str) -> dict[str, tuple[Change, float, float]]:
    """Return what is moved, and within which factors: a range of doubt, not a forecast.

    The model's own error is the one of the closed form against public measurements; prices move by
    a quarter as quotes of one part do between providers.
    """
    return {
        f"price of {best}": (_price(best), 0.75, 1.25),
        "model error (all times)": (_slowness, 0.8, 1.25),
        "request rate": (_rate, 0.75, 1.25),
        "peak over mean": (_peak, 0.75, 1.25),
        "output length": (_outputs, 0.75, 1.25),
        "uncached share of prompts": (_cached, 0.7, 1.0),
    }


def tornado(plan: Plan, case: Case, slo: Slo) -> tuple[Swing, ...]:
    """Return the swing of every assumption, the widest first; searches everything again.

    Everything: what is out of reach today, or serves with nothing that is on offer, may be the best
    at an end of a range.
    """
    best = plan.best.deployment.accelerator.key
    swings = [
        _swing(name, change, (low, high), case, slo, plan)
        for name, (change, low, high) in assumptions(best).items()
    ]
    return tuple(sorted(swings, key=_width, reverse=True))


def _swing(
    name: str, change: Change, ends: tuple[float, float], case: Case, slo: Slo, plan: Plan
) -> Swing:
    moved = (change(case, factor) for factor in ends)
    low, high = (cheapest(m.space, m.shape, slo, m.evaluate) for m in moved)
    return Swing(
        assumption=name,
        low_factor=ends[0],
        high_factor=ends[1],
        low_cost=None if low is None else low.cost,
        high_cost=None if high is None else high.cost,
        low_choice="" if low is None else str(low.deployment),
        high_choice="" if high is None else str(high.deployment),
        replicas=plan.best.deployment.replicas,
        low_replicas=0 if low is None else low.deployment.replicas,
        high_replicas=0 if high is None else high.deployment.replicas,
        flips=len({_identity(plan.best), _identity(low), _identity(high)}) > 1,
    )


def _identity(option: Option | None) -> tuple[str, str, str] | None:
    if option is None:
        return None
    chosen = option.deployment
    return chosen.accelerator.key, str(chosen.parallelism), str(chosen.precision)


def _width(swing: Swing) -> float:
    if swing.low_cost is None or swing.high_cost is None:
        return float("inf")
    return abs(swing.high_cost - swing.low_cost)
