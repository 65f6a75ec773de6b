"""`inferometer tco`: what every way of paying for a service costs, by part, and how sure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from inferometer.cli import inputs
from inferometer.cli.cluster import Cluster, cluster
from inferometer.cli.cluster_tables import show_cluster
from inferometer.cli.money import Money, commitments, money, verdict
from inferometer.cli.options import Format, Question, Stated, scenario_of
from inferometer.cli.prices import instant
from inferometer.cli.result import show_json
from inferometer.cli.scenario import Scenario, overlaid
from inferometer.cli.tco_tables import show_tco
from inferometer.errors import ScenarioError
from inferometer.plan.tco import PRICE_SCALED_DOWN, PRICE_WITH_IDLE
from inferometer.plan.uncertainty import Verdict


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Years:
    """How far ahead, and how sure.

    Attributes:
        years: How far ahead; the life of owned servers without it.
        growth: Growth of the load per year, a fraction.
        spares: Replicas kept beyond what the load needs.
        scaling: "fixed" or "hourly".
        draws: Draws of the Monte Carlo; 0 for none.
    """

    years: float | None = None
    growth: float | None = None
    spares: int | None = None
    scaling: str = ""
    draws: int | None = None


def with_years(scenario: Scenario, years: Years) -> Scenario:
    """Return the scenario with these options on top."""
    demand = overlaid(
        scenario.demand, years=years.years, growth=years.growth, spares=years.spares,
        scaling=years.scaling,
    )  # fmt: skip
    return replace(scenario, demand=demand, doubt=overlaid(scenario.doubt, draws=years.draws))


def tco(
    file: Path | None = None,
    /,
    *,
    question: Question | None = None,
    deployment: Stated | None = None,
    years: Years | None = None,
    accelerators: int | None = None,
    utilisation: float | None = None,
    format: Format = "table",  # noqa: A002 - the option's name
    report: Path | None = None,
) -> None:
    """Compare the total cost of owning, renting and an API for one service, part by part.

    Without a model it is the cost sheet of a cluster: --gpu, --accelerators and --utilisation.

    Args:
        file: Scenario, a TOML file; options lie on top of it.
        question: What is asked.
        deployment: The deployment; without one, the plan's.
        years: How far ahead, and how sure.
        accelerators: Accelerators of a cluster without a model.
        utilisation: Share of the time in which they work; the catalogue's without it.
        format: A table for people, or JSON.
        report: HTML file to write the answer to, with charts; a .png or .svg for the chart alone.
    """
    scenario = scenario_of(file, question or Question(), deployment)
    scenario = with_years(scenario, years or Years())
    if not scenario.model:
        _sheet(cluster(scenario, accelerators, utilisation), scenario, format, report)
        return
    if accelerators is not None or utilisation is not None:
        raise ScenarioError(
            "--accelerators and --utilisation are for a cluster without a model; with a model they "
            "follow from the workload"
        )
    found = money(scenario)
    said = verdict(found, scenario)
    if report is not None:
        from inferometer.cli.tco_report import save_report

        save_report(report, found, said, scenario)
    if format == "json":
        show_json(answer(found, said, scenario))
    else:
        show_tco(found, said)


def _sheet(found: Cluster, scenario: Scenario, form: Format, report: Path | None) -> None:
    if report is not None:
        raise ScenarioError("--report: give a model and a workload, of which the report tells")
    if form == "json":
        show_json({"cluster": found, "scenario": scenario})
    else:
        show_cluster(found)


def answer(found: Money, said: Verdict | None, scenario: Scenario) -> Mapping[str, Any]:
    """Return the answer as a JSON document."""
    served = found.served
    return {
        "option": served.option,
        "users_at_once": served.concurrency,
        "week": {
            "made_from": served.made_from,
            "rates_per_s": served.service.week.rates.tolist(),
            "burst": served.service.week.burst,
        },
        "provision": served.provision,
        "horizon": served.service.horizon,
        "ownership": None if found.owned is None else found.owned.ownership,
        "ownership_unpriced": found.unowned,
        "server_year": found.year,
        "quotes": found.quotes,
        "committed_use": commitments(found),
        "costs": found.costs,
        "formulas": (PRICE_WITH_IDLE, PRICE_SCALED_DOWN),
        "uncertain": found.doubt,
        "uncertainty": said,
        "prices_at": instant(scenario.prices, inputs.overlay_of(scenario)),
        "sources": found.facts,
        "scenario": scenario,
    }
