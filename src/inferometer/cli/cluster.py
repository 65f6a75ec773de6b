"""The cost sheet of a cluster without a model: yearly parts, hours in use, against rent."""

from collections.abc import Mapping
from dataclasses import dataclass

from inferometer.account.breakeven import break_even_time, break_even_utilisation
from inferometer.account.ownership import HOURS_PER_YEAR, Ownership, useful_rate, yearly_cost
from inferometer.catalog import tables
from inferometer.cli import inputs
from inferometer.cli.owning import owned
from inferometer.cli.prices import price_of
from inferometer.cli.renting import Quote, quotes_of
from inferometer.cli.scenario import PriceSpec, Scenario, overlaid
from inferometer.errors import ScenarioError
from inferometer.plan.provenance import Fact
from inferometer.units import Duration, Fraction, Usd, UsdPerSecond, Watts

USES = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the time for which the price of a useful hour is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """Owning against renting at one price.

    Attributes:
        commitment: The commitment.
        provider: Who charges it.
        rent: Price of one accelerator.
        derived: How it follows from another price, "" where a row states it.
        break_even_use: Share of the time in use from which owning is cheaper; None if never.
        break_even_hours: Time in use after which the purchases are paid back, of all accelerators;
            None if never.
        hours_per_day: The same spread over the life of the servers, a day; None if never.
    """

    commitment: str
    provider: str
    rent: UsdPerSecond
    derived: str
    break_even_use: Fraction | None
    break_even_hours: Duration | None
    hours_per_day: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster's cost sheet.

    Attributes:
        accelerator: Key of the accelerator.
        accelerators: Their number, whole servers.
        servers: Servers.
        server: Name of the server.
        utilisation: Share of the time in use.
        draw: Mean draw of all IT equipment.
        purchase: What is paid at the start.
        parts: Cost per year by part.
        total: Their sum.
        hour: Cost of an accelerator, in use or not.
        useful: Cost of an accelerator in use, by the share of the time in use.
        published: All-in costs of owners, as published, by their name.
        against: Against renting, by commitment.
        facts: Catalogue facts behind it.
    """

    accelerator: str
    accelerators: int
    servers: int
    server: str
    utilisation: Fraction
    draw: Watts
    purchase: Usd
    parts: Mapping[str, float]
    total: Usd
    hour: UsdPerSecond
    useful: Mapping[str, float]
    published: Mapping[str, float]
    against: tuple[Against, ...]
    facts: tuple[Fact, ...]


def cluster(scenario: Scenario, count: int | None, utilisation: float | None) -> Cluster:
    """Return the cost sheet of so many accelerators.

    Raises:
        ScenarioError: no accelerator named, a count or utilisation out of range, or unpriced.
    """
    catalog, prices = inputs.overlay_of(scenario), scenario.prices
    name = scenario.deployment.gpu if scenario.deployment else ""
    if not name:
        raise ScenarioError("no model: give --model and a workload, or --gpu for a cost sheet")
    chip = tables.accelerator(name, catalog)
    habits = tables.owner_habits(scenario.ownership.habits, catalog)
    use = habits.utilisation if utilisation is None else utilisation
    if not 0 < use <= 1:
        raise ScenarioError(f"--utilisation is {use}; it must be above 0 and at most 1")
    draw = chip.idle_power + use * (chip.tdp - chip.idle_power)
    found = owned(chip, scenario.ownership, prices, draw, catalog)
    one = found.ownership
    servers = _servers(one.accelerators if count is None else count, one.accelerators)
    year = yearly_cost(one)
    total, all_of_them = servers * year.total, servers * one.accelerators
    return Cluster(
        accelerator=chip.key,
        accelerators=all_of_them,
        servers=servers,
        server=found.server.name,
        utilisation=use,
        draw=servers * one.power.draw[0],
        purchase=servers * one.purchase,
        parts={name: servers * amount for name, amount in year.parts.items() if amount},
        total=total,
        hour=useful_rate(total, all_of_them, 1.0),
        useful={f"{share:.0%}": useful_rate(total, all_of_them, share) * 3600
                for share in sorted({*USES, use})},
        published=_published(chip.key, prices, scenario),
        against=tuple(_against(quote, one, year.total, year.running, scenario)
                      for quote in quotes_of(chip.key, scenario, catalog)),
        facts=found.facts,
    )  # fmt: skip


def _servers(count: int, each: int) -> int:
    if count < 1:
        raise ScenarioError(f"--accelerators is {count}; at least 1 is wanted")
    return -(-count // each)


def _published(key: str, prices: PriceSpec, scenario: Scenario) -> dict[str, float]:
    """Return all-in costs of owners per accelerator-hour, as published."""
    found = {}
    for provider in ("hyperscaler", "neocloud"):
        asked = overlaid(prices, commitment="owned", provider=provider)
        row = price_of(key, asked, inputs.overlay_of(scenario))
        if row is not None:
            found[provider] = row.price * 3600
    return found


def _against(
    quote: Quote, owned_one: Ownership, total: float, running: float, scenario: Scenario
) -> Against:
    """Return owning one server against renting its accelerators."""
    kept = 1 - scenario.ownership.taxes.income
    hourly = quote.rate * 3600 * owned_one.accelerators * kept
    hours = break_even_time(owned_one.purchase, hourly, running / HOURS_PER_YEAR)
    return Against(
        commitment=quote.commitment,
        provider=quote.provider,
        rent=quote.rate,
        derived=quote.derived,
        break_even_use=break_even_utilisation(total, HOURS_PER_YEAR, hourly),
        break_even_hours=None if hours is None else hours * 3600,
        hours_per_day=None if hours is None else hours / (owned_one.years * 365),
    )
