"""`inferometer breakeven`: where one way of paying overtakes another: load, volume, months."""

from pathlib import Path
from typing import Any

from inferometer.cli import inputs
from inferometer.cli.money import flips, money, verdict
from inferometer.cli.options import Format, Question, Stated, scenario_of
from inferometer.cli.prices import instant
from inferometer.cli.result import show_json, show_rows
from inferometer.cli.tco import Years, with_years
from inferometer.plan.break_even import PAY_FOR_IDLE, SCALE_DOWN
from inferometer.plan.flip import BOUGHT, CACHED, RENTED_BY_USE, Flip
from inferometer.report.numerals import DAY, HOUR, MILLION, MONTH

FORMULAS = (PAY_FOR_IDLE, SCALE_DOWN, RENTED_BY_USE, BOUGHT, CACHED)


def breakeven(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    years: Years | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
    report: Path | None = None,
) -> None:
    """Name the load, tokens per day and months at which one way of paying overtakes another.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        deployment: The deployment; without one, the plan's.
        years: How far ahead; draws only count for the report.
        format: A table for people, or JSON.
        report: HTML file to write the answer to, with charts; a .png or .svg for a chart alone.
    """
    scenario = scenario_of(file, question or Question(), deployment)
    scenario = with_years(scenario, years or Years())
    found = money(scenario)
    rows = tuple(flips(found, scenario))
    if report is not None:
        from inferometer.cli.tco_report import save_report

        save_report(report, found, verdict(found, scenario), scenario)
    if format == "json":
        show_json({
            "option": found.served.option,
            "break_even": rows,
            "formulas": FORMULAS,
            "costs": found.costs,
            "ownership_unpriced": found.unowned,
            "prices_at": instant(scenario.prices, inputs.overlay_of(scenario)),
            "sources": found.facts,
            "scenario": scenario,
        })  # fmt: skip
        return
    show_rows(f"{found.served.option.deployment}: where it flips", [_row(flip) for flip in rows])
    if found.unowned:
        show_rows("Owning is unpriced", [{"": found.unowned}])
    show_rows("Formulas", [{"": text} for text in FORMULAS])


def _row(flip: Flip) -> dict[str, Any]:
    return {
        "way": flip.one,
        "against": flip.other,
        "from load": "never" if flip.utilisation is None else f"{flip.utilisation:.1%}",
        "now": f"{flip.now:.1%}",
        "Mtok/day": _daily(flip.tokens),
        "one replica": _daily(flip.tokens_of_one_replica),
        "months": None if flip.months is None else flip.months / MONTH,
        "saves $/h": None if flip.saving is None else flip.saving * HOUR,
        "scaled down": "pays" if flip.scaled_down else "never",
        "why never": flip.never,
    }


def _daily(rate: float | None) -> float | None:
    return None if rate is None else rate * DAY / MILLION
