"""The page of total cost: one HTML file that needs nothing else, the same bytes for one answer."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inferometer.plan.break_even import PAY_FOR_IDLE, SCALE_DOWN
from inferometer.plan.flip import BOUGHT, CACHED, RENTED_BY_USE, Flip
from inferometer.plan.tco import PRICE_SCALED_DOWN, PRICE_WITH_IDLE, WayCost
from inferometer.report.charts import ENDINGS, save
from inferometer.report.money_answer import MoneyAnswer
from inferometer.report.money_exhibits import exhibits, parts_figure
from inferometer.report.numerals import DAY, HOUR, MILLION, MONTH, dollars, number, share
from inferometer.report.page import PAGES, save_page
from inferometer.report.table import Table, table


def write(answer: MoneyAnswer, path: Path) -> None:
    """Write the answer as an HTML page, or its parts as a chart by the ending of `path`.

    Raises:
        ScenarioError: the file cannot be written.
    """
    if path.suffix.lower() in ENDINGS:
        save(parts_figure(answer), path)
        return
    save_page(render(answer), path)


def render(answer: MoneyAnswer) -> str:
    """Return the page."""
    return PAGES.get_template("money.html.j2").render(_content(answer))


def _content(answer: MoneyAnswer) -> Mapping[str, Any]:
    said, best = answer.verdict, answer.costs[0]
    return {
        "title": f"{answer.option.deployment.model.name}: what every way of paying costs",
        "headline": headline(answer),
        "keys": _keys(answer, best),
        "notes": answer.notes,
        "costs": _costs(answer),
        "flips": _flips(answer.flips),
        "formulas": (
            PRICE_WITH_IDLE, PRICE_SCALED_DOWN, PAY_FOR_IDLE, SCALE_DOWN,
            RENTED_BY_USE, BOUGHT, CACHED,
        ),
        "spreads": said is not None,
        "doubt": "" if said is None else doubt(answer),
        "beats": _beats(answer),
        "buckets": _buckets(answer),
        "charts": {exhibit.key: exhibit for exhibit in exhibits(answer)},
        "sources": _sources(answer),
        "badges": (),
        "scenario": answer.scenario,
        "command": shlex.join(answer.command),
        "version": answer.version,
    }  # fmt: skip


def headline(answer: MoneyAnswer) -> str:
    """Return the answer in one sentence."""
    best = answer.costs[0]
    years = answer.service.horizon.years
    text = f"{best.way} is the cheapest way over {years:g} years: {dollars(best.total)}"
    if len(answer.costs) == 1:
        return f"{text}; nothing else is priced."
    second = answer.costs[1]
    return f"{text}, {share(1 - best.total / second.total)} below {second.way}."


def doubt(answer: MoneyAnswer) -> str:
    """Return what the draws say in one sentence; "" without draws."""
    said = answer.verdict
    if said is None:
        return ""
    first = said.spreads[0]
    text = (
        f"Over {said.draws:,} draws (seed {said.seed}), {said.best} costs least on average and is "
        f"cheapest in {first.cheapest:.0%} of them."
    )
    if said.information and said.information[0].value > 0:
        item = said.information[0]
        text += f" Measure {item.name} first: knowing it is worth {dollars(item.value)} on average."
    return text


def _keys(answer: MoneyAnswer, best: WayCost) -> tuple[tuple[str, str, str], ...]:
    provided = answer.provision
    return (
        ("first year", dollars(best.first_year), f"{best.way}, purchases written off"),
        ("per million tokens", dollars(best.pays_for_idle * MILLION), "idle time paid"),
        ("scaled down", dollars(best.scaled_down * MILLION), "only time in work paid"),
        ("replicas paid for", number(provided.paid), f"{provided.peak} at the busiest minute"),
        ("over-provisioning", f"{provided.over:.2f} x", "paid for over kept busy"),
    )


def _costs(answer: MoneyAnswer) -> Table:
    columns = (
        "way", "first year", "whole time", "at the start", "USD/Mtok, idle paid",
        "USD/Mtok, scaled down", "owning pays back, months",
    )  # fmt: skip
    rows = [
        (
            row.way, dollars(row.first_year), dollars(row.total),
            dollars(row.upfront) if row.upfront else "",
            number(row.pays_for_idle * MILLION), number(row.scaled_down * MILLION),
            "" if row.paid_back is None else number(row.paid_back / MONTH),
        )
        for row in answer.costs
    ]  # fmt: skip
    return table("Every way of paying", columns, rows)


def _flips(found: tuple[Flip, ...]) -> Table:
    columns = (
        "way", "against", "cheaper from load", "load now", "Mtok per day there",
        "of one replica", "months", "USD/h saved now", "scaled down", "if never, why",
    )  # fmt: skip
    rows = [
        (
            flip.one, flip.other, "" if flip.utilisation is None else share(flip.utilisation),
            share(flip.now), _daily(flip.tokens), _daily(flip.tokens_of_one_replica),
            "" if flip.months is None else number(flip.months / MONTH),
            "unpriced" if flip.saving is None else number(flip.saving * HOUR),
            "pays" if flip.scaled_down else "never", flip.never,
        )
        for flip in found
    ]  # fmt: skip
    return table("From which load, volume and month it pays", columns, rows)


def _daily(rate: float | None) -> str:
    return "" if rate is None else number(rate * DAY / MILLION)


def _beats(answer: MoneyAnswer) -> Table:
    said = answer.verdict
    beats = dict[str, Mapping[str, float]]() if said is None else said.beats
    rows = [
        (one, *(share(others[two]) if two in others else "" for two in beats))
        for one, others in beats.items()
    ]
    return table("Probability that a row costs less than a column", ("way", *beats), rows)


def _buckets(answer: MoneyAnswer) -> Table:
    provided = answer.provision
    rows = [
        (text, number(value), share(value / provided.paid))
        for text, value in (
            ("serving, at capacity", provided.work),
            ("left free for the latency targets", provided.targets),
            ("idle: whole replicas, peaks within the hour, hours between peaks", provided.idle),
            ("spares, and replicas beyond the load's need", provided.spares),
            ("cold starts", provided.cold),
            ("paid for", provided.paid),
        )
    ]
    return table("Mean replicas over the week", ("bucket", "replicas", "share"), rows)


def _sources(answer: MoneyAnswer) -> Table:
    rows = [
        (fact.record, fact.field or "all", fact.source, fact.as_of.isoformat(), str(fact.evidence))
        for fact in answer.facts
    ]
    columns = ("record", "field", "source", "as of", "kind")
    return table("Facts behind the numbers", columns, rows)
