"""What every lever does alone, and what all of them do together: evaluated, never multiplied."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from inferometer.errors import InfeasibleError, ScenarioError
from inferometer.plan.comparison import changes
from inferometer.plan.whatif.case import Case, State, sized, state_of
from inferometer.plan.whatif.levers import LEVERS, SAME, Lever, Toolbox
from inferometer.plan.whatif.split import split
from inferometer.units import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One lever, or several together, at the user's load.

    Attributes:
        name: The lever.
        state: What comes of it; None where it does not apply or does not serve.
        why: Why there is none; "" otherwise.
        chosen: What it set, "" where its name says it.
        cost: Change of cost over the base; None if either is unpriced.
        energy: Change of energy per own request.
        ttft: Change of TTFT p99.
        tpot: Change of TPOT p99.
        quality: What is known of the effect on answers.
    """

    name: str
    state: State | None
    why: str = ""
    chosen: str = ""
    cost: Fraction | None = None
    energy: Fraction | None = None
    ttft: Fraction | None = None
    tpot: Fraction | None = None
    quality: str = SAME


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The answer.

    Attributes:
        base: The deployment with the fewest replicas that serve.
        alone: Every lever by itself.
        joint: The levers of `together` at once.
        together: Their names.
        multiplied: What multiplying their single cost ratios would have claimed.
    """

    base: State
    alone: tuple[Effect, ...]
    joint: Effect | None
    together: tuple[str, ...]
    multiplied: Fraction | None


def what_if(case: Case, box: Toolbox, names: Sequence[str] = ()) -> WhatIf:
    """Return every lever's effect, and that of some of them together.

    Args:
        case: Today.
        box: What levers need.
        names: Levers to put together; all that save alone and need no decision without.

    Raises:
        InfeasibleError: today's deployment does not serve with any number of replicas.
        ScenarioError: an unknown lever.
    """
    known = {lever.name: lever for lever in LEVERS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ScenarioError(f"no lever {unknown[0]!r}; there are: {', '.join(known)}")
    base = state_of(case, (sized(case),))
    alone = tuple(effect(lever.name, [lever], case, box, base) for lever in LEVERS)
    saving = [
        one.name for one in alone
        if known[one.name].joint and one.cost is not None and one.cost < -1e-9
    ]  # fmt: skip
    chosen, joint = list(names) or saving, None
    if chosen:
        joint = effect("together", [known[name] for name in chosen], case, box, base)
    while joint is not None and joint.state is None and not names and len(chosen) > 1:
        least = max(chosen, key=lambda name: _cost(alone, name))
        chosen = [name for name in chosen if name != least]  # does not go with the others
        joint = effect("together", [known[name] for name in chosen], case, box, base)
    ratios = [1 + _cost(alone, name) for name in chosen]
    multiplied = reduce(lambda a, b: a * b, ratios, 1.0) - 1 if ratios else None
    return WhatIf(
        base=base, alone=alone, joint=joint, together=tuple(chosen), multiplied=multiplied
    )


def _cost(effects: Sequence[Effect], name: str) -> float:
    return next((one.cost or 0.0 for one in effects if one.name == name), 0.0)


def effect(name: str, levers: Sequence[Lever], case: Case, box: Toolbox, base: State) -> Effect:
    """Return what `levers` do together: of all cases they can make, the cheapest one's."""
    cases: list[Case] = [case]
    for lever in levers:
        grown = list[Case]()
        for before in cases:
            made = lever.change(before, box)
            if isinstance(made, str):
                if len(levers) == 1:
                    return Effect(name=name, state=None, why=made)
                made = [before]  # what another lever made moot
            grown += made
        cases = grown
    best, why = _best(cases)
    if best is None:
        return Effect(name=name, state=None, why=why)
    state, chosen = best
    return Effect(
        name=name,
        state=state,
        chosen=_set(case, chosen),
        cost=_change(state.cost, base.cost),
        energy=_change(state.energy_per_request, base.energy_per_request),
        ttft=_change(state.ttft.p99, base.ttft.p99),
        tpot=_change(state.tpot.p99, base.tpot.p99),
        quality="; ".join(dict.fromkeys(chosen.quality)) or SAME,
    )


def _best(cases: Sequence[Case]) -> tuple[tuple[State, Case] | None, str]:
    """Return the cheapest case with its state, or why none serves; ties go to less energy."""
    best, why = None, ""
    for case in cases:
        try:
            state = measured(case)
        except InfeasibleError as error:
            why = why or str(error)
            continue
        if best is None or _rank(state) < _rank(best[0]):
            best = state, case
    return best, why


def measured(case: Case) -> State:
    """Return the state of a case, on one pool or on two.

    Raises:
        InfeasibleError: nothing serves.
    """
    return state_of(case, (sized(case),) if case.handover is None else split(case))


def _rank(state: State) -> tuple[float, float, float]:
    cost = float("inf") if state.cost is None else state.cost
    full = float("inf") if state.at_capacity is None else state.at_capacity
    return (round(cost, 9), float(f"{state.energy_per_request:.3g}"), full)


def _change(new: float | None, old: float | None) -> float | None:
    return None if new is None or not old else new / old - 1


def _set(before: Case, after: Case) -> str:
    return ", ".join((*changes(before.deployment, after.deployment), *after.chosen))
