"""The answer of `inferometer tco` as tables for people."""

from collections.abc import Iterator
from typing import Any

from inferometer.cli.money import Money, commitments
from inferometer.cli.result import show_rows
from inferometer.plan.tco import PRICE_SCALED_DOWN, PRICE_WITH_IDLE, WayCost
from inferometer.plan.uncertainty import LEVELS, Information, Spread, Verdict
from inferometer.report.numerals import MILLION, MONTH, dollars


def show_tco(found: Money, said: Verdict | None) -> None:
    """Print the answer."""
    served = found.served
    years = served.service.horizon.years
    show_rows(f"{served.option.deployment}: every way of paying, {years:g} years", [
        _row(cost, found.costs[0]) for cost in found.costs
    ])  # fmt: skip
    formulas = (PRICE_WITH_IDLE, PRICE_SCALED_DOWN)
    show_rows("Formulas", [{"": text} for text in formulas])
    show_rows("First year by part", list(_parts(found)))
    show_rows("Where a week's capacity goes", list(_buckets(found)))
    show_rows("Commitment with on-demand above it, first week", list(_mixes(found)))
    if found.unowned:
        show_rows("Owning is unpriced", [{"": found.unowned}])
    derived = [
        f"{q.commitment}: {q.derived} ({q.source.source})" for q in found.quotes if q.derived
    ]
    show_rows("Derived rents", [{"": text} for text in derived])
    if said is not None:
        show_verdict(said)


def _row(cost: WayCost, cheapest: WayCost) -> dict[str, Any]:
    back = cost.paid_back
    return {
        "way": cost.way,
        "first year": dollars(cost.first_year),
        "whole time": dollars(cost.total),
        "over the cheapest": f"{cost.total / cheapest.total - 1:+.0%}",
        "at the start": dollars(cost.upfront) if cost.upfront else None,
        "$/Mtok, idle paid": cost.pays_for_idle * MILLION,
        "$/Mtok, scaled down": cost.scaled_down * MILLION,
        "owning pays back, months": None if back is None else back / MONTH,
    }


def _parts(found: Money) -> Iterator[dict[str, Any]]:
    for cost in found.costs:
        for name, amount in cost.parts.items():
            share = f"{amount / cost.first_year:.1%}"
            yield {
                "way": cost.way,
                "part": name.replace("_", " "),
                "first year": dollars(amount),
                "share": share,
            }


def _buckets(found: Money) -> Iterator[dict[str, Any]]:
    provided = found.served.provision
    names = {
        "work": "serving, at capacity",
        "targets": "left free for the latency targets",
        "idle": "idle: whole replicas, peaks within the hour, hours between peaks",
        "spares": "spares, and replicas stated or planned beyond the load's need",
        "cold": "cold starts",
    }
    for name, text in names.items():
        mean = getattr(provided, name)
        yield {"bucket": text, "mean replicas": mean, "share": f"{mean / provided.paid:.1%}"}
    yield {"bucket": "paid for", "mean replicas": provided.paid, "share": "100.0%"}
    yield {"bucket": f"week: {found.served.made_from}", "mean replicas": None, "share": ""}


def _mixes(found: Money) -> Iterator[dict[str, Any]]:
    for name, mix in commitments(found).items():
        yield {
            "commitment": name,
            "accelerators committed": mix.committed,
            "mean on demand": mix.on_demand,
            "$/h": mix.rate * 3600,
            "pays from use": f"{mix.break_point:.1%}",
        }


def show_verdict(said: Verdict) -> None:
    """Print what the draws say."""
    title = f"Whole time, $, over {said.draws:,} draws (seed {said.seed})"
    show_rows(title, [_spread(item) for item in said.spreads])
    show_rows("Probability that a row costs less than a column", [
        {"way": one} | {two: said.beats[one].get(two) for two in said.beats}
        for one in said.beats
    ])  # fmt: skip
    title = f"What to measure first (choosing {said.best} now risks ${said.regret:,.0f} on average)"
    show_rows(title, [_information(item) for item in said.information])


def _spread(item: Spread) -> dict[str, Any]:
    named = {f"p{p * 100:.0f}": dollars(v) for p, v in zip(LEVELS, item.quantiles, strict=True)}
    return {
        "way": item.way,
        "mean": dollars(item.mean),
        **named,
        "is cheapest": f"{item.cheapest:.0%}",
    }


def _information(item: Information) -> dict[str, Any]:
    return {
        "quantity": item.name,
        "worth knowing": dollars(item.value),
        "best way at low end": dollars(item.low),
        "at high end": dollars(item.high),
        "cheapest then": item.low_choice
        if item.low_choice == item.high_choice
        else f"{item.low_choice} .. {item.high_choice}",
        "range rests on": item.source,
    }
