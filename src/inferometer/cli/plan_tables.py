"""The answer of `inferometer plan` as tables for people."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from inferometer.account.api import ApiCost
from inferometer.catalog.prices import COMMITMENTS
from inferometer.cli import inputs
from inferometer.cli.confirm import show_confirmed
from inferometer.cli.result import show_rows
from inferometer.cli.scenario import Scenario
from inferometer.plan.break_even import PAY_FOR_IDLE, SCALE_DOWN, BreakEven
from inferometer.plan.comparison import Comparison
from inferometer.plan.infeasible import NoPlanError
from inferometer.plan.option import Option
from inferometer.plan.search import ABSURD, Plan
from inferometer.plan.sensitivity import Swing
from inferometer.report.numerals import DAY, HOUR, MILLION

UNAIMED = "No SLO given: cheapest that carries the load"


def show_infeasible(
    error: NoPlanError, api: Sequence[ApiCost], confidence: float | None = None
) -> None:
    """Print the nearest deployment, what would have to give, and what an API charges."""
    title = "Infeasible. The nearest deployment:"
    if confidence is not None:
        title = (
            f"Infeasible with a probability of {confidence:.0%}. The nearest deployment, as slow "
            "as it may turn out with that probability:"
        )
    if error.nearest is not None:
        show_rows(title, [_row(error.nearest)])
    show_rows("What would have to give", [{"change": text} for text in error.relax])
    show_rows("Ruled out", [{"reason": k, "configurations": n} for k, n in error.counts.items()])
    show_rows("The same traffic from an API", [_api_row(offer) for offer in api[:5]])


def show_plan(answer: Mapping[str, Any]) -> None:
    """Print the answer, whose parts are those of the JSON document."""
    found: Plan = answer["plan"]
    api: Sequence[ApiCost] = answer["api"]
    even: Sequence[BreakEven] = answer["break_even"]
    today: Comparison | None = answer["comparison"]
    swings: Sequence[Swing] = answer["sensitivity"]
    goal = f"Cheapest plan for {found.slo}" if found.slo.terms else UNAIMED
    if found.confidence is not None:
        goal = f"{goal}, with a probability of {found.confidence:.0%}"
    show_rows(goal, [_row(found.best)])
    show_rows("Why", [{"": text} for text in found.why])
    show_confirmed(answer.get("confirmed", ()))
    _show_alternatives(found)
    show_rows("Pareto front: cost, speed per user, energy", [_row(o) for o in found.front[:12]])
    show_rows("The same traffic from an API", [_api_row(offer) for offer in api[:5]])
    title = "Break-even of the plan against every API, at this mix of tokens"
    show_rows(title, [_even_row(item) for item in even])
    show_rows("Formulas", [{"": text} for text in (PAY_FOR_IDLE, SCALE_DOWN) if even])
    if today is not None:
        _show_comparison(today)
    show_rows("Sensitivity", [_swing_row(swing) for swing in swings])
    counts = found.excluded | {"feasible": found.feasible, "enumerated": found.enumerated}
    show_rows("Configurations", [{"reason": name, "count": n} for name, n in counts.items()])
    scenario: Scenario = answer["scenario"]
    show_rows(
        f"Unpriced ({scenario.prices.commitment})", [_unpriced(k, scenario) for k in found.unpriced]
    )


def _show_alternatives(found: Plan) -> None:
    """Show the best of every accelerator, but for those that nobody would buy."""
    show_rows("Best of every accelerator", [_row(option) for option in found.near])
    far = [o.deployment.accelerator.key for o in found.alternatives[len(found.near) :]]
    if far:
        text = f"{len(far)} at more than {ABSURD} x the cost of the plan: {', '.join(far)}"
        show_rows("Left out", [{"": text}])


def _unpriced(key: str, scenario: Scenario) -> dict[str, str]:
    """Return an accelerator without a price, and the commitments under which it has one."""
    catalog = inputs.overlay_of(scenario)
    prices = replace(scenario.prices, provider="", region="")
    found = [
        name
        for name in COMMITMENTS
        if inputs.price_of(key, replace(prices, commitment=name), catalog)
    ]
    return {"accelerator": key, "priced as": ", ".join(found) or "nothing"}


def _show_comparison(today: Comparison) -> None:
    show_rows("Today", [_row(today.current) | {"meets SLO": str(today.meets_slo)}])
    saving = None if today.saving is None else today.saving * HOUR
    show_rows("Saving", [{"$/h": saving, "share": today.saving_fraction}])
    show_rows("Changes", [{"": text} for text in today.changes])


def _row(option: Option) -> dict[str, Any]:
    outcome, priced = option.outcome, option.by_allocation
    return {
        "deployment": str(option.deployment),
        "$/h": None if option.cost is None else option.cost * HOUR,
        "$/Mtok": None if priced is None else priced * MILLION,
        "at capacity": None if option.by_usage is None else option.by_usage * MILLION,
        "TTFT p99 ms": outcome.ttft.p99 * 1e3,
        "TPOT p99 ms": outcome.tpot.p99 * 1e3,
        "tok/s/user": option.speed,
        "load": outcome.utilisation,
        "P(SLO)": option.probability,
        "J/tok out": option.energy_per_output,
        "limited by": outcome.binding,
    }


def _api_row(offer: ApiCost) -> dict[str, Any]:
    price = offer.price
    return {
        "provider": price.provider,
        "model": price.model,
        "tier": price.tier,
        "$/h": offer.rate * HOUR,
        "$/Mtok": offer.blended * MILLION,
    }


def _even_row(even: BreakEven) -> dict[str, Any]:
    volumes = (even.tokens, even.tokens_of_one_replica, even.requests)
    return {
        "API": f"{even.provider} {even.model} {even.tier}",
        "API $/Mtok": even.api * MILLION,
        "pays from load": "never" if even.utilisation is None else even.utilisation,
        "load now": even.now,
        **{name: _daily(v) for name, v in zip(DAILY, volumes, strict=True)},
        "scaled down": "pays" if even.pays_scaled_down else "never",
        "saves $/h": None if even.saving is None else even.saving * HOUR,
        "why never": even.never,
    }


DAILY = ("tok/day", "of one replica", "requests/day")


def _daily(rate: float | None) -> float | None:
    return None if rate is None else rate * DAY


def _swing_row(swing: Swing) -> dict[str, Any]:
    return {
        "assumption": swing.assumption,
        "range": f"x {swing.low_factor:g} .. {swing.high_factor:g}",
        "$/h low": None if swing.low_cost is None else swing.low_cost * HOUR,
        "$/h high": None if swing.high_cost is None else swing.high_cost * HOUR,
        "flips": swing.change,
    }
