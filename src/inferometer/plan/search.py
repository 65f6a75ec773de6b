"""The search: the cheapest deployment that serves a workload within its SLO, and what is beside it.

Exhaustive: every configuration of the space is evaluated and ends as feasible or under the reason
that rules it out.
"""

from dataclasses import dataclass, replace

import numpy as np

from inferometer.account.bill import Tariff
from inferometer.candidates import Candidates, Floats, Ints
from inferometer.perf.prediction import Prediction
from inferometer.plan.infeasible import NoPlanError, nearest
from inferometer.plan.option import RENTED, Option, option
from inferometer.plan.pareto import front
from inferometer.plan.prune import check, reasons
from inferometer.plan.ranking import cost, ranking
from inferometer.plan.replicas import Evaluate, Sizing, excess, size, with_replicas
from inferometer.plan.risk import Risk, likely, probabilities
from inferometer.plan.space import Space
from inferometer.units import Fraction
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo

HOUR = 3600.0
"""Seconds."""

ABSURD = 10
"""Times the cost of the best one; a dearer alternative is counted, not shown to people."""

ALIKE = 0.02
"""Points of the front closer than this, relative, count as one: the closed form is not finer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer of a search.

    Attributes:
        slo: What had to be met.
        best: The cheapest feasible deployment.
        alternatives: The cheapest one of every accelerator, `best` first.
        front: What no other beats on cost, speed per user and energy, by rising cost.
        curves: What no other of the same accelerator beats on cost and speed per user.
        enumerated: Configurations looked at.
        feasible: Of these, feasible ones.
        excluded: Infeasible ones by reason; with `feasible` they add up to `enumerated`.
        evaluations: Predictions made, replica counts included.
        unpriced: Accelerators that were left out for want of a price.
        confidence: Probability with which the SLO had to hold; None: as predicted.
        why: Sentences on what limits the best one and what the next ones lack.
    """

    slo: Slo
    best: Option
    alternatives: tuple[Option, ...]
    front: tuple[Option, ...]
    curves: tuple[Option, ...]
    enumerated: int
    feasible: int
    excluded: dict[str, int]
    evaluations: int
    unpriced: tuple[str, ...]
    confidence: Fraction | None = None
    why: tuple[str, ...] = ()

    @property
    def near(self) -> tuple[Option, ...]:
        """The first alternatives, at up to `ABSURD` times the cost of the best: worth showing."""
        limit = None if self.best.cost is None else ABSURD * self.best.cost
        return tuple(o for o in self.alternatives if _within(o.cost, limit))


def _within(cost: float | None, limit: float | None) -> bool:
    return cost is None or limit is None or cost <= limit


def search(
    space: Space,
    shape: Shape,
    slo: Slo,
    evaluate: Evaluate,
    site: Tariff = RENTED,
    risk: Risk | None = None,
) -> Plan:
    """Return the cheapest deployment of `space` that serves `shape` within `slo`.

    Ties go to fewer accelerators, then to more headroom under the tightest target, then to more
    capacity, then to the earlier configuration.

    Args:
        space: What can be built, with prices.
        shape: The workload.
        slo: The targets.
        evaluate: What predicts.
        site: Building and grid, for energy and carbon of the options shown.
        risk: Error of the predictions; with a confidence, what serves must serve with it.

    Raises:
        NoPlanError: nothing does; it carries the nearest deployment and what would have to give.
    """
    if not len(space.candidates):
        raise NoPlanError("no configuration can be built", counts=space.excluded)
    strict = evaluate if risk is None else risk.strict(evaluate)
    sizing = size(space.candidates, space.most_replicas, shape, slo, strict)
    missed = sizing.ratios[:, sizing.loaded & (sizing.replicas == 0)]
    counts = space.excluded | reasons(sizing, missed, slo)
    rows = np.flatnonzero(sizing.replicas > 0)
    check(space.enumerated, counts, len(rows))
    if not len(rows):
        raise nearest(space, sizing, shape, slo, strict, counts)
    sized = replace(space, candidates=_sized(space, sizing, rows))
    prediction = evaluate(sized.candidates, shape)
    order = ranking(sized, prediction, slo)
    chosen = _best_of_each(sized, order)
    ends = order[front(_objectives(sized, prediction)[order])]
    curves = _curves(sized, prediction, order)
    shown = {
        int(row): option(int(row), sized, prediction, slo, site)
        for row in dict.fromkeys((*chosen.tolist(), *ends.tolist(), *curves.tolist()))
    }
    if risk is not None:
        shown = _doubted(shown, shape, slo, evaluate, risk)
    options = tuple(shown[int(row)] for row in chosen)
    return Plan(
        slo=slo,
        best=options[0],
        alternatives=options,
        front=tuple(shown[int(row)] for row in ends),
        curves=tuple(shown[int(row)] for row in curves),
        enumerated=space.enumerated,
        feasible=len(rows),
        excluded=counts,
        evaluations=sizing.evaluations + len(rows),
        unpriced=space.unpriced,
        confidence=None if risk is None else risk.confidence,
        why=_why(sized.take(chosen[:1]), options, shape, slo, strict, risk),
    )


def _doubted(
    shown: dict[int, Option], shape: Shape, slo: Slo, evaluate: Evaluate, risk: Risk
) -> dict[int, Option]:
    """Return the options with the probability that they keep the SLO."""
    deployments = [option.deployment for option in shown.values()]
    found = probabilities(deployments, shape, slo, evaluate, risk.doubts)
    return {
        row: replace(option, probability=float(share))
        for (row, option), share in zip(shown.items(), found, strict=True)
    }


def _sized(space: Space, sizing: Sizing, rows: Ints) -> Candidates:
    return with_replicas(space.candidates.take(rows), sizing.replicas[rows])


def _best_of_each(space: Space, order: Ints) -> Ints:
    """Return the best row of every accelerator, the best of all first."""
    _, first = np.unique(space.candidates.accelerator[order], return_index=True)
    return order[np.sort(first)]


def _objectives(space: Space, prediction: Prediction) -> Floats:
    """Return cost, time per token and power [config, 3], in steps of `ALIKE`."""
    exact = np.column_stack((cost(space), prediction.tpot[:, 0], prediction.power))
    return np.round(np.log(exact) / ALIKE)


def _curves(space: Space, prediction: Prediction, order: Ints) -> Ints:
    """Return the rows that no other of the same accelerator beats on cost and speed per user."""
    objectives, chip = _objectives(space, prediction)[:, :2], space.candidates.accelerator[order]
    members = [order[chip == kind] for kind in np.unique(chip)]
    return np.concatenate([rows[front(objectives[rows])] for rows in members])


def _why(
    best: Space,
    options: tuple[Option, ...],
    shape: Shape,
    slo: Slo,
    evaluate: Evaluate,
    risk: Risk | None,
) -> tuple[str, ...]:
    first = options[0]
    lines = [f"capacity is limited by {first.outcome.binding}"]
    if first.tightest:
        lines.append(
            f"{first.tightest} has {first.headroom:.0%} headroom, the least of all targets"
        )
    if risk is not None and first.probability is not None:
        lines.append(likely(first.probability, slo, risk.doubts[first.deployment.accelerator.key]))
    if first.deployment.replicas > 1:
        sure = (
            "" if risk is None or risk.confidence is None else f"to be {risk.confidence:.0%} sure, "
        )
        lines.append(sure + _one_fewer(best, shape, slo, evaluate))
    lines += [*_price(first, options[1:]), *(_lacks(first, other) for other in options[1:3])]
    return tuple(lines)


def _one_fewer(best: Space, shape: Shape, slo: Slo, evaluate: Evaluate) -> str:
    count = best.candidates.replicas - 1
    trial = evaluate(with_replicas(best.candidates, count), shape)
    load, used = float(trial.utilisation[0]), excess(trial, slo)[:, 0]
    if load >= 1 - slo.headroom:
        word = "is overloaded" if load >= 1 else "leaves too little free"
        lack = f"{word} at the busiest minute ({load:.0%} of capacity)"
    else:
        worst = int(used.argmax())
        lack = f"uses {used[worst]:.0%} of {slo.terms[worst]}"
    return f"one replica fewer ({count[0]}) {lack}"


def _price(first: Option, others: tuple[Option, ...]) -> list[str]:
    """Return what the accelerator costs, and up to which price the decision holds.

    Exact: at any price below it nothing on another accelerator is cheaper than `first`.
    """
    if first.price is None:
        return []
    each, key = first.price.price * HOUR, first.deployment.accelerator.key
    where = f"{first.price.provider}, quote of {first.price.valid_from}"
    where = f"{where}, {first.price.source.source}"
    lines = [f"{key} is taken at {each:.4g} USD/h each ({where})"]
    if others and others[0].cost is not None:
        limit = others[0].cost * HOUR / first.deployment.accelerators
        lines.append(f"it stays the cheapest up to {limit:.4g} USD/h each (x {limit / each:.3g})")
    return lines


def _lacks(best: Option, other: Option) -> str:
    if best.cost is None or other.cost is None or best.price is None or other.price is None:
        return f"{other.deployment.accelerator.key} is unpriced"
    more = other.deployment.accelerators / best.deployment.accelerators
    each = other.price.price / best.price.price
    return (
        f"{other.deployment} costs {other.cost / best.cost - 1:+.0%}: {more:.3g} x the accelerators"
        f" at {each:.3g} x the price of each"
    )
