"""The report that `tco --report` and `breakeven --report` write."""

import dataclasses
from importlib.metadata import version
from pathlib import Path

from inferometer.cli import inputs
from inferometer.cli.money import Money, flips
from inferometer.cli.prices import instant
from inferometer.cli.scenario import Scenario
from inferometer.cli.scenario_text import toml
from inferometer.plan.uncertainty import Verdict
from inferometer.report.money_answer import MoneyAnswer
from inferometer.report.money_page import write


def save_report(path: Path, found: Money, said: Verdict | None, scenario: Scenario) -> None:
    """Write the report.

    Raises:
        ScenarioError: the file cannot be written.
    """
    day = instant(scenario.prices, inputs.overlay_of(scenario)).isoformat()
    dated = dataclasses.replace(scenario, prices=dataclasses.replace(scenario.prices, at=day))
    derived = [f"{q.commitment} is derived: {q.derived}" for q in found.quotes if q.derived]
    unowned = [f"Owning is unpriced. {found.unowned}"] if found.unowned else []
    answer = MoneyAnswer(
        option=found.served.option,
        service=found.served.service,
        provision=found.served.provision,
        made_from=found.served.made_from,
        ways=found.ways,
        costs=found.costs,
        flips=tuple(flips(found, scenario)),
        verdict=said,
        notes=(*unowned, *derived, f"Prices of {day}."),
        facts=found.facts,
        scenario=toml(dated),
        command=("inferometer", "tco", "scenario.toml", "--report", path.name),
        version=version("inferometer"),
    )
    write(answer, path)
