"""What `inferometer energy` values savings at: rent, electricity, colocation, carbon."""

from dataclasses import dataclass, replace

from inferometer.catalog import tables
from inferometer.catalog.ownership import Colocation
from inferometer.cli import inputs
from inferometer.cli.footprints import carbon_price_of
from inferometer.cli.scenario import Scenario
from inferometer.plan.provenance import Fact, facts_of
from inferometer.plan.savings import Prices

COLOCATION = "na-primary"
"""Kind of colocation at which provisioned power is valued where the scenario names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valued:
    """The prices of savings.

    Attributes:
        prices: Them.
        building: Where provisioned power is bought.
        facts: Sources of rent and building; those of grid and carbon are the footprint's.
    """

    prices: Prices
    building: Colocation
    facts: tuple[Fact, ...]


def valued(scenario: Scenario, chip: str) -> Valued:
    """Return what savings on accelerators `chip` are worth; on-demand rent, whatever is planned.

    Raises:
        CatalogError: an unknown grid or kind of colocation.
        ScenarioError: a price of carbon that cannot be read.
    """
    catalog, owned, grid = inputs.overlay_of(scenario), scenario.ownership, scenario.prices.grid
    rent = inputs.price_of(chip, replace(scenario.prices, commitment="on-demand"), catalog)
    building = tables.colocation(owned.colocation or COLOCATION, catalog)
    metered = tables.grid(grid, catalog).price if grid else None
    facts = [*facts_of(f"colocation {building.key}", building.sources)]
    if rent is not None:
        facts += facts_of(f"price {rent.accelerator} {rent.commitment}", {"": rent.source})
    prices = Prices(
        rent=None if rent is None else rent.price,
        energy=metered if owned.electricity is None else owned.electricity,
        provisioned=building.price,
        carbon=carbon_price_of(scenario),
    )
    return Valued(prices=prices, building=building, facts=tuple(facts))
