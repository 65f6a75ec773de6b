"""The charts of the page of total cost, each with its words and the data that it shows."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from inferometer.account.electricity import YEAR
from inferometer.plan.horizon import Way, cost
from inferometer.plan.provision import replicas_needed
from inferometer.report import money_charts
from inferometer.report.exhibits import Exhibit, exhibit
from inferometer.report.money_answer import MoneyAnswer
from inferometer.report.money_charts import Line, Range
from inferometer.report.numerals import MILLION, number
from inferometer.report.table import table

LOADS = np.linspace(0.01, 1.0, 100)
SHOWN = 8
"""Curves of one chart; more would not be told apart."""


def exhibits(answer: MoneyAnswer) -> Iterator[Exhibit]:
    """Yield the charts that the answer has data for."""
    yield parts(answer)
    yield load(answer)
    yield months(answer)
    yield week(answer)
    if answer.verdict is not None:
        yield spread(answer)
        yield information(answer)


def parts(answer: MoneyAnswer) -> Exhibit:
    """Return the parts of every way over the whole time."""
    rows = [
        (way, part, number(value, 6))
        for way, inside in _parts(answer)
        for part, value in inside.items()
    ]
    return exhibit(
        "parts", "What every way costs, part by part",
        f"Present value over {answer.service.horizon.years:g} years, the load growing by "
        f"{answer.service.horizon.growth:+.0%} a year; purchases written off over their life.",
        parts_figure(answer),
        table("Parts over the whole time", ("way", "part", "USD"), rows),
    )  # fmt: skip


def parts_figure(answer: MoneyAnswer) -> Figure:
    """Return the chart of the parts alone."""
    return money_charts.stacked(_parts(answer), "USD over the whole time, present value")


def _parts(answer: MoneyAnswer) -> list[tuple[str, dict[str, float]]]:
    ways = {way.name: way for way in answer.ways}
    found = [cost(ways[row.way], answer.service, {}) for row in answer.costs]
    return [(c.way.name, {name: float(v[0]) for name, v in c.parts.items()}) for c in found]


def load(answer: MoneyAnswer) -> Exhibit:
    """Return the price of a token by mean load: fixed costs fall with it, APIs do not."""
    outcome, ways = answer.option.outcome, {way.name: way for way in answer.ways}
    lines = [_by_load(answer, ways[row.way]) for row in answer.costs[:SHOWN]]
    rows = [
        (f"{point:.0%}", *(number(float(line.values[place])) for line in lines))
        for place, point in enumerate(LOADS)
        if place % 10 == 9
    ]
    return exhibit(
        "load", "Price of a token against load",
        "What is owned or rented for all hours is paid whatever the load; an API (dashed) by the "
        "token. Where a curve falls below a dashed line, that way is cheaper from there on.",
        money_charts.prices_by_load(LOADS, lines, outcome.request_rate / outcome.capacity),
        table("USD per million tokens", ("load", *(line.name for line in lines)), rows),
    )  # fmt: skip


def _by_load(answer: MoneyAnswer, way: Way) -> Line:
    """Return the price of a useful token: servers paid in all hours, traffic by what it is."""
    outcome, service = answer.option.outcome, answer.service
    count = answer.option.deployment.accelerators
    tokens = (outcome.input_rate + outcome.output_rate) / outcome.request_rate
    useful = tokens * (1 - service.operating.wasted) * YEAR
    per = {"server": -(-count // way.per_server), "accelerator": count}
    fixed = sum(part.yearly * per[part.unit] for part in way.parts if part.unit in per)
    moving = sum(part.yearly for part in way.parts if part.unit not in per)
    level = moving / (float(service.week.rates.mean()) * useful)
    values = fixed / (outcome.capacity * useful * LOADS) + level
    return Line(way.name, values * MILLION, level=not fixed)


def months(answer: MoneyAnswer) -> Exhibit:
    """Return what has been paid by the end of each month."""
    ways = {way.name: way for way in answer.ways}
    order = sorted(answer.costs, key=lambda row: not row.upfront)
    lines = []
    for row in order[:SHOWN]:
        found = cost(ways[row.way], answer.service, {})
        bought = np.append(np.cumsum(found.upfront[0]), found.upfront[0].sum())
        lines.append(Line(row.way, bought + np.append(0.0, np.cumsum(found.running[0]))))
    rows = [
        (str(month), *(number(float(line.values[month]), 6) for line in lines))
        for month in range(0, len(lines[0].values), 3)
    ]
    return exhibit(
        "months", "What has been paid so far",
        "Purchases are paid when they are made; nothing is counted for what could be sold. Where "
        "the line of owning falls below another, the purchase has paid for itself. Lines may leave "
        "the chart at the top.",
        money_charts.paid_so_far(lines),
        table("USD paid so far", ("month", *(line.name for line in lines)), rows),
    )  # fmt: skip


def week(answer: MoneyAnswer) -> Exhibit:
    """Return the replicas of a week, provided and busy."""
    load, operating = answer.service.week, answer.service.operating
    needed = replicas_needed(load)
    count = np.full_like(needed, needed.max()) if operating.scaling == "fixed" else needed
    provided, work = count + operating.spares, load.rates / load.capacity
    rows = [
        (str(hour), number(float(rate)), number(float(provided[hour])), number(float(work[hour])))
        for hour, rate in enumerate(load.rates)
    ]
    return exhibit(
        "week", "Replicas over a week",
        f"{answer.made_from.capitalize()}. Orange is paid for; blue is what serving at capacity "
        f"would keep busy. Over-provisioning: {answer.provision.over:.2f} times what works.",
        money_charts.week(load.rates, work, provided),
        table("Hours", ("hour", "requests per second", "replicas", "kept busy"), rows),
    )  # fmt: skip


def spread(answer: MoneyAnswer) -> Exhibit:
    """Return the range of every way's cost over the draws."""
    said = answer.verdict
    found = [Range(s.way, s.quantiles) for s in (() if said is None else said.spreads)]
    rows = [(item.name, *(number(value, 6) for value in item.quantiles)) for item in found]
    return exhibit(
        "spread", "What every way may cost",
        "All draws move at once what is not known for certain.",
        money_charts.spreads(found),
        table("USD over the whole time", ("way", "p5", "p10", "p50", "p90", "p95"), rows),
    )  # fmt: skip


def information(answer: MoneyAnswer) -> Exhibit:
    """Return what knowing each quantity is worth."""
    found = () if answer.verdict is None else answer.verdict.information
    rows = [
        (
            item.name, number(item.value), number(item.low, 6), number(item.high, 6),
            item.low_choice, item.high_choice, item.source,
        )
        for item in found
    ]  # fmt: skip
    columns = (
        "quantity", "worth knowing, USD", "best way at the low end, USD", "at the high end, USD",
        "cheapest at the low end", "cheapest at the high end", "range rests on",
    )  # fmt: skip
    return exhibit(
        "information", "What to measure first",
        "How much less the best choice would cost on average if this quantity were known before "
        "choosing. Zero: knowing it would never change the choice.",
        money_charts.information([(item.name, item.value) for item in found]),
        table("Value of perfect information", columns, rows),
    )  # fmt: skip
