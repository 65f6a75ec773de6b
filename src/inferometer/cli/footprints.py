"""The footprint of a scenario's deployment: energy, emissions by the hour, manufacture; by unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inferometer.account.carbon import Use, manufacture, use_by_hour
from inferometer.account.footprint import UnitFootprint, by_unit, whole_footprint
from inferometer.catalog import tables
from inferometer.catalog.carbon import Embodied
from inferometer.catalog.grid_file import GridHours, read_grid_hours
from inferometer.cli import inputs
from inferometer.cli.scenario import Scenario
from inferometer.cli.service import option_of
from inferometer.deployment import Deployment
from inferometer.errors import ScenarioError, UnitError
from inferometer.plan.option import Option
from inferometer.plan.provenance import Fact, facts_of
from inferometer.units import Unit, parse
from inferometer.workload.shape import Shape
from inferometer.workload.week import week_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What a deployment draws and emits.

    Attributes:
        shape: The workload.
        option: The deployment and its outcome.
        whole: Footprint of the whole span.
        units: Footprint of each unit, by name.
        use: Emissions by the hour; None if the grid is unknown.
        hours: The intensities behind them.
        made_from: What the shape of the week was made from.
        made: What making the hardware emitted.
    """

    shape: Shape
    option: Option
    whole: UnitFootprint
    units: Mapping[str, UnitFootprint]
    use: Use | None
    hours: GridHours | None
    made_from: str
    made: Embodied


def measured(scenario: Scenario, built: Deployment, shape: Shape) -> Measured:
    """Return the footprint of `built` under `shape`.

    Raises:
        InfeasibleError: it does not fit, or does not carry the load.
        ScenarioError: hours or a price of carbon that cannot be read.
        CatalogError: an unknown grid, or a file of hours at fault.
    """
    option = option_of(scenario, built, shape)
    hours = hours_of(scenario)
    use, made_from = use_of(option, shape, hours, scenario)
    known = tables.embodied(inputs.overlay_of(scenario))
    made = known.get(built.accelerator.key, known["typical"])
    outcome = option.outcome
    whole = whole_footprint(
        option.bill.energy,
        use=None if use is None else use.total,
        embodied=manufacture(
            made.accelerator, made.host, built.accelerators, made.life, outcome.span
        ),
        price=carbon_price_of(scenario),
    )
    return Measured(
        shape=shape, option=option, whole=whole, units=by_unit(whole, outcome), use=use,
        hours=hours, made_from=made_from, made=made,
    )  # fmt: skip


def use_of(
    option: Option, shape: Shape, hours: GridHours | None, scenario: Scenario
) -> tuple[Use | None, str]:
    """Return the emissions of a deployment by the hour, and what its week was made from."""
    week, made_from = week_of(shape, scenario.demand.starts_at)
    if hours is None:
        return None, made_from
    energy, pue = option.outcome.energy, inputs.site_of(scenario).pue
    use = use_by_hour(
        week,
        hours.values,
        standing=pue * (energy.idle + option.bill.energy.host),
        work=pue * (energy.prefill + energy.decode),
        span=option.outcome.span,
    )
    return use, made_from


def hours_of(scenario: Scenario) -> GridHours | None:
    """Return the grid's intensity by the hour; None where neither grid nor file is named.

    Raises:
        ScenarioError: a shape of the day without a grid whose mean it could scale.
        CatalogError: an unknown grid or shape, or a file at fault.
    """
    stated_, catalog = scenario.energy.hours, inputs.overlay_of(scenario)
    if stated_ and (stated_.lower().endswith(".csv") or Path(stated_).is_file()):
        return read_grid_hours(Path(stated_))
    if not scenario.prices.grid:
        if stated_:
            raise ScenarioError(f"hours {stated_!r} scale a grid's mean: give --grid too")
        return None
    place = tables.grid(scenario.prices.grid, catalog)
    shapes = tables.hour_shapes(catalog).values()
    usual = next((one.key for one in shapes if place.key in one.grids), "flat")
    shape = tables.hour_shape(stated_ or usual, catalog)
    return GridHours(
        values=tuple(place.carbon * factor for factor in shape.factors),
        name=f"{place.name}, {shape.name.lower()}",
        assumed=shape.key != "flat",
    )


def carbon_price_of(scenario: Scenario) -> float | None:
    """Return the price of carbon, USD/g; None where none is stated.

    Raises:
        CatalogError: no quantity, and no price of that name.
        ScenarioError: a quantity that is no price of carbon.
    """
    text = scenario.energy.carbon_price.strip()
    if not text:
        return None
    if text[0] not in "+-.0123456789":
        return tables.carbon_price(text, inputs.overlay_of(scenario)).price
    try:
        price = parse(text, Unit("USD/g"))
    except UnitError as error:
        raise ScenarioError(f"carbon price: {error}; write it as '80 USD/t'") from error
    if price < 0:
        raise ScenarioError(f"carbon price {text!r}: it cannot be negative")
    return price


def carbon_facts(scenario: Scenario, found: Measured) -> tuple[Fact, ...]:
    """Return the sources behind emissions: grid, building, manufacture, price of carbon."""
    prices, catalog = scenario.prices, inputs.overlay_of(scenario)
    building = tables.facility(prices.facility, catalog)
    rows = [*facts_of(f"facility {prices.facility}", building.sources)]
    if prices.grid:
        place = tables.grid(prices.grid, catalog)
        rows += facts_of(f"grid {place.key}", place.sources)
        for shape in tables.hour_shapes(catalog).values():
            if found.hours is not None and found.hours.name.endswith(shape.name.lower()):
                rows += facts_of(f"hours {shape.key}", shape.sources)
    rows += facts_of(f"embodied {found.made.key}", found.made.sources)
    text = scenario.energy.carbon_price.strip()
    if text and text[0] not in "+-.0123456789":
        chosen = tables.carbon_price(text, catalog)
        rows += facts_of(f"carbon price {chosen.key}", chosen.sources)
    return tuple(rows)
