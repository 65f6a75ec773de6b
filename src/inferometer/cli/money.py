"""All ways of paying for a scenario's service, priced: what `tco` and `breakeven` answer from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inferometer.account.cloud import CommittedUse, committed_use
from inferometer.account.electricity import YEAR
from inferometer.account.ownership import YearlyCost, yearly_cost
from inferometer.catalog import tables
from inferometer.cli import inputs
from inferometer.cli.doubt import uncertain
from inferometer.cli.owning import Owned, UnpricedError, owned
from inferometer.cli.renting import (
    Offers,
    Quote,
    apis,
    effective,
    facts_of_terms,
    name_of,
    offers_of,
    quotes_of,
    rents,
    shown,
)
from inferometer.cli.scenario import Scenario
from inferometer.cli.service import Served, served
from inferometer.errors import ScenarioError
from inferometer.plan.flip import Flip, against_api, against_rent
from inferometer.plan.horizon import Factors, Way
from inferometer.plan.provenance import Fact
from inferometer.plan.provision import replicas_needed
from inferometer.plan.tco import WayCost, totals, way_costs
from inferometer.plan.uncertainty import Uncertain, Verdict, judge
from inferometer.plan.ways import own
from inferometer.units import UsdPerSecond
from inferometer.workload.trace import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Money:
    """A service and every way of paying for it.

    Attributes:
        served: The service.
        owned: One owned server; None where ownership cannot be priced.
        unowned: Why not; "" where it is.
        year: Yearly cost of that server by part.
        quotes: Rents of one accelerator.
        rates: What a useful second of one costs by commitment.
        offers: Offers of APIs by model.
        ways: Ways of paying.
        costs: What they cost, the cheapest first.
        doubt: What is uncertain of them.
        facts: Catalogue facts behind all of it.
    """

    served: Served
    owned: Owned | None
    unowned: str
    year: YearlyCost | None
    quotes: tuple[Quote, ...]
    rates: Mapping[str, UsdPerSecond]
    offers: Offers
    ways: tuple[Way, ...]
    costs: tuple[WayCost, ...]
    doubt: tuple[Uncertain, ...]
    facts: tuple[Fact, ...]


def money(scenario: Scenario) -> Money:
    """Return all ways of paying for what a scenario serves.

    Raises:
        ScenarioError: nothing is priced at all, or a figure is out of range.
        InfeasibleError: nothing serves the workload.
    """
    catalog = inputs.overlay_of(scenario)
    years = years_of(scenario, catalog)
    service = served(scenario, years)
    option = service.option
    server, unowned = _owned(scenario, service, catalog)
    quotes = quotes_of(option.deployment.accelerator.key, scenario, catalog)
    offers = offers_of(scenario, option.deployment.model.key, service.shape, catalog)
    year = None if server is None else yearly_cost(server.ownership)
    rates = effective(quotes, scenario, service.service.horizon.years * YEAR, catalog)
    change = tables.trends(catalog)["electricity"].change
    ways = (
        *((own("own", server.ownership, electricity_change=change, year=year),) if server else ()),
        *rents(rates, scenario, option.outcome.output_rate, catalog),
        *apis(offers, scenario, catalog),
    )
    if not ways:
        raise ScenarioError(
            f"{option.deployment.accelerator.key}: no way of paying is priced; {unowned}"
        )
    tokens = service.shape.mean_input + service.shape.mean_output
    facts = inputs.sources_of(option, catalog) + (server.facts if server else ())
    facts += facts_of_terms(quotes, shown(offers, scenario.api.offers), scenario, catalog)
    return Money(
        served=service, owned=server, unowned=unowned, year=year, quotes=quotes, rates=rates,
        offers=offers,
        ways=ways, costs=way_costs(ways, service.service, tokens, years * YEAR),
        doubt=uncertain(scenario, ways, server, catalog), facts=tuple(dict.fromkeys(facts)),
    )  # fmt: skip


def years_of(scenario: Scenario, catalog: Path | None) -> float:
    """Return the life of owned servers, years: how far ahead is looked unless stated."""
    stated = scenario.ownership.years
    habits = tables.owner_habits(scenario.ownership.habits, catalog)
    return habits.years if stated is None else stated


def _owned(scenario: Scenario, service: Served, catalog: Path | None) -> tuple[Owned | None, str]:
    """Return one owned server, or why ownership is unpriced: no server or electricity price."""
    outcome, deployment = service.option.outcome, service.option.deployment
    draw = outcome.power / deployment.accelerators
    stated = scenario.ownership
    try:
        return owned(deployment.accelerator, stated, scenario.prices, draw, catalog), ""
    except UnpricedError as error:
        if stated.server or stated.price is not None or stated.electricity is not None:
            raise
        return None, str(error)


def verdict(found: Money, scenario: Scenario) -> Verdict | None:
    """Return what the draws say; None where no draws are wanted.

    Raises:
        ScenarioError: a number of draws out of range.
    """
    if scenario.doubt.draws == 0:
        return None
    costs = partial(_totals, found)
    return judge(found.doubt, costs, draws=scenario.doubt.draws, seed=scenario.seed)


def _totals(found: Money, factors: Factors, draws: int) -> dict[str, Floats]:
    return totals(found.ways, found.served.service, factors, draws)


def flips(found: Money, scenario: Scenario) -> Iterator[Flip]:
    """Yield where each fixed cost overtakes each alternative: owning, then renting all hours."""
    option, kept = found.served.option, 1 - scenario.ownership.taxes.income
    paid_back = {row.way: row.paid_back for row in found.costs}
    offers = shown(found.offers, scenario.api.offers)
    mine = own_rate(found)
    if mine is not None:
        for name, rate in found.rates.items():
            names = ("own", f"rent {name}")
            yield against_rent(option, names, mine, rate * kept, paid_back[names[1]])
        for offer in offers:
            yield against_api("own", option, mine / kept, offer, paid_back[name_of(offer)])
    for name, rate in found.rates.items():
        for offer in offers:
            cost = rate * option.deployment.accelerators
            yield against_api(f"rent {name}", option, cost, offer)


def commitments(found: Money) -> dict[str, CommittedUse]:
    """Return the cheapest mix of each commitment with on-demand for the hours of the first week."""
    if "on-demand" not in found.rates:
        return {}
    service = found.served.service
    counts = replicas_needed(service.week) + service.operating.spares
    needed = [int(count) * service.per_replica for count in counts]
    return {
        name: committed_use(needed, rate, found.rates["on-demand"])
        for name, rate in found.rates.items()
        if name.startswith("reserved")
    }


def own_rate(found: Money) -> UsdPerSecond | None:
    """Return what owning whole servers for the deployment costs; None if unpriced."""
    if found.owned is None or found.year is None:
        return None
    each = found.owned.ownership.accelerators
    servers = -(-found.served.option.deployment.accelerators // each)
    return servers * found.year.total / YEAR
