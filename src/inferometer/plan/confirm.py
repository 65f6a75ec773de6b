"""The first of a plan's options played on the trace: replicas that hold there, ranked anew.

The closed form spreads requests evenly and knows no bursts within a minute. Played, an option may
need a replica more than planned, or do with one fewer, and another may then be cheaper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from inferometer.catalog.efficiency import Efficiencies
from inferometer.deployment import Deployment
from inferometer.outcome import Outcome
from inferometer.plan.option import Option
from inferometer.simulate import measures
from inferometer.simulate.play import Play
from inferometer.simulate.simulation import simulate
from inferometer.units import Fraction, UsdPerSecond
from inferometer.workload.slo import Slo
from inferometer.workload.trace import Trace

FACTOR = 2
"""Times the planned replicas up to which more are tried."""

Played = Callable[[Deployment], tuple[Outcome, Fraction]]
"""Plays a trace to a deployment: what it does, and the share of requests within all limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """One option, played.

    Attributes:
        deployment: It with the fewest replicas that hold, or the most that were tried.
        planned: Replicas that the closed form took.
        outcome: What it does on the trace.
        good: Share of the requests that arrived that stay within what the headroom leaves of the
            limits of all targets.
        missed: Targets that it misses; empty if it holds.
        cost: Price of all accelerators; None if unpriced.
    """

    deployment: Deployment
    planned: int
    outcome: Outcome
    good: Fraction
    missed: tuple[str, ...]
    cost: UsdPerSecond | None

    @property
    def holds(self) -> bool:
        """Whether it meets every target."""
        return not self.missed


def confirm(options: Sequence[Option], slo: Slo, played: Played) -> tuple[Confirmed, ...]:
    """Return the options with the replicas that they need on the trace, the cheapest first.

    Those that miss a target with `FACTOR` times the planned replicas come last.

    Args:
        options: Options of a plan.
        slo: The targets, less the headroom that is to stay free.
        played: How a deployment fares.
    """
    found = [_walked(option, slo, played) for option in options]
    return tuple(
        sorted(
            found,
            key=lambda one: (
                not one.holds,
                float("inf") if one.cost is None else one.cost,
                one.deployment.accelerators,
            ),
        )
    )


def player(
    trace: Trace, slo: Slo, efficiencies: Efficiencies, outcome: Outcome, seed: int
) -> Played:
    """Return what plays `trace` to a deployment.

    Args:
        trace: The requests.
        slo: The targets.
        efficiencies: Parameters of the step time.
        outcome: The closed form's, for what one run does not tell.
        seed: Of everything random.
    """

    def played(deployment: Deployment) -> tuple[Outcome, Fraction]:
        run = simulate(trace, deployment, efficiencies=efficiencies, play=Play(seed=seed))
        return measures.outcome(run, outcome, slo), measures.good_fraction(run, slo.strict)

    return played


def _walked(option: Option, slo: Slo, played: Played) -> Confirmed:
    """Return an option with one replica fewer while it holds, or one more until it does."""
    planned = option.deployment.replicas
    best = _played(option, planned, slo, played)
    step = -1 if best.holds else 1
    count = planned + step
    while 1 <= count <= FACTOR * planned:
        other = _played(option, count, slo, played)
        if step < 0 and not other.holds:
            return best
        best = other
        if step > 0 and other.holds:
            return best
        count += step
    return best


def _played(option: Option, replicas: int, slo: Slo, played: Played) -> Confirmed:
    planned = option.deployment.replicas
    built = replace(option.deployment, replicas=replicas)
    outcome, good = played(built)
    return Confirmed(
        deployment=built,
        planned=planned,
        outcome=outcome,
        good=good,
        missed=missed(outcome, good, slo),
        cost=None if option.cost is None else option.cost * replicas / planned,
    )


def missed(outcome: Outcome, good: Fraction, slo: Slo) -> tuple[str, ...]:
    """Return the targets that an outcome misses, or that requests turned away would have missed."""
    free = 1 - slo.headroom
    found = [
        str(target)
        for target in slo.targets
        if not getattr(getattr(outcome, target.metric), target.quantile) <= target.limit * free
    ]
    if slo.goodput is not None and good < slo.goodput:
        found.append(f"goodput >= {slo.goodput:g}")
    counts = outcome.counts
    if counts.finished < counts.arrived:
        found.append(f"{counts.arrived - counts.finished:,.0f} requests unanswered")
    return tuple(found)
