"""One owned server, from what a scenario says and what the catalogue knows beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from inferometer.account.electricity import Supply
from inferometer.account.ownership import Ownership, Power, Taxes
from inferometer.catalog import tables
from inferometer.catalog.hardware import Accelerator, Node
from inferometer.catalog.ownership import Colocation, OwnerHabits, Server
from inferometer.catalog.source import Source
from inferometer.cli.economics import OwnershipSpec, TaxSpec
from inferometer.cli.scenario import PriceSpec
from inferometer.errors import ScenarioError
from inferometer.plan.provenance import Fact, facts_of
from inferometer.units import Watts


class UnpricedError(ScenarioError):
    """What owning takes is not known: a server's price, or that of electricity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """One server as it is owned, and what that rests on.

    Attributes:
        server: Its record; of the scenario where that states a price.
        ownership: What owning it takes.
        colocation: Its building, if that is somebody else's.
        stated: Whether the scenario states the server's price itself.
        facts: Catalogue facts behind it.
    """

    server: Server
    ownership: Ownership
    colocation: Colocation | None = None
    stated: bool = False
    facts: tuple[Fact, ...] = field(default=())


def owned(
    chip: Accelerator,
    spec: OwnershipSpec,
    prices: PriceSpec,
    draw: Watts,
    catalog: Path | None = None,
) -> Owned:
    """Return one server of `chip` as the scenario owns it.

    Args:
        chip: The accelerator.
        spec: What the scenario says of ownership.
        prices: Its grid and facility.
        draw: Mean draw of one of its accelerators.
        catalog: File of own records.

    Raises:
        UnpricedError: no server is known, or electricity has no price.
        ScenarioError: a figure is out of range.
        CatalogError: an unknown name.
    """
    server = server_of(chip, spec, catalog)
    habits = tables.owner_habits(spec.habits, catalog)
    building = tables.colocation(spec.colocation, catalog) if spec.colocation else None
    power = _power(chip, server, spec, draw, _Site(prices, building, catalog))
    ownership = _ownership(server, spec, habits, power, catalog)
    records: dict[str, Mapping[str, Source]] = {
        f"server {server.key}": server.sources,
        f"habits {habits.key}": _used(spec, habits),
        f"facility {prices.facility}": tables.facility(prices.facility, catalog).sources,
    }
    if prices.grid and spec.electricity is None:
        records[f"grid {prices.grid}"] = tables.grid(prices.grid, catalog).sources
    if building is not None:
        records[f"colocation {building.key}"] = building.sources
    if spec.taxes.income:
        schedule = tables.depreciation(spec.taxes.depreciation, catalog)
        records[f"depreciation {schedule.key}"] = schedule.sources
    found = tuple(fact for name, sources in records.items() for fact in facts_of(name, sources))
    return Owned(
        server=server, ownership=ownership, colocation=building,
        stated=spec.price is not None, facts=found,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Site:
    prices: PriceSpec
    building: Colocation | None
    catalog: Path | None


def server_of(chip: Accelerator, spec: OwnershipSpec, catalog: Path | None) -> Server:
    """Return the server that a scenario means, with its own price on top.

    Raises:
        UnpricedError: none is known and none is stated in full.
        ScenarioError: it holds another accelerator, or its price is not positive.
    """
    server = _found(chip, spec, catalog)
    if spec.accelerators is not None:
        server = replace(server, accelerators=spec.accelerators)
    if spec.price is None:
        return server
    if spec.price <= 0:
        raise ScenarioError(f"ownership.price is {spec.price} USD; it must be positive")
    return replace(server, price=spec.price, low=spec.price, high=spec.price, sources={})


def _found(chip: Accelerator, spec: OwnershipSpec, catalog: Path | None) -> Server:
    """Return the server of the catalogue that is meant, or one stated in full."""
    if spec.server:
        server = tables.server(spec.server, catalog)
        if server.accelerator != chip.key:
            raise ScenarioError(
                f"ownership.server: {server.key} holds {server.accelerator}, not {chip.key}"
            )
        return server
    known = tables.servers(catalog).values()
    fitting = [item for item in known if item.accelerator == chip.key]
    if fitting:
        return fitting[0]
    if spec.price is None or spec.accelerators is None:
        holders = ", ".join(sorted({item.accelerator for item in known}))
        raise UnpricedError(
            f"ownership: no server with {chip.key} is in the catalogue (it has {holders}); "
            "give [ownership] price = '250,000 USD' and accelerators = 8"
        )
    return Server(
        key="stated", name="stated by the scenario", accelerator=chip.key,
        accelerators=spec.accelerators, price=spec.price, low=spec.price, high=spec.price,
    )  # fmt: skip


def _used(spec: OwnershipSpec, habits: OwnerHabits) -> dict[str, Source]:
    """Return the sources of the habits that the scenario leaves to the catalogue."""
    names = ("years", "residual", "network", "storage", "maintenance", "software", "staff")
    whole = habits.sources[""]
    return {
        name: habits.sources.get(name, whole)
        for name in (*names, "salary")
        if getattr(spec, name) is None
    }


def _ownership(
    server: Server, spec: OwnershipSpec, habits: OwnerHabits, power: Power, catalog: Path | None
) -> Ownership:
    def chosen(name: str) -> float:
        stated: float | None = getattr(spec, name)
        value: float = getattr(habits, name) if stated is None else stated
        return value

    return Ownership(
        accelerators=server.accelerators,
        servers=0.0 if spec.lease else server.price,
        residual=chosen("residual"),
        network=chosen("network") * server.price,
        storage=chosen("storage") * server.price,
        site=spec.site,
        years=chosen("years"),
        site_years=spec.site_years,
        discount_rate=spec.discount_rate,
        lease=spec.lease,
        maintenance=chosen("maintenance"),
        software=chosen("software"),
        power=power,
        staff=chosen("staff"),
        salary=chosen("salary"),
        space=spec.space,
        taxes=taxes_of(spec.taxes, catalog),
    )


def taxes_of(spec: TaxSpec, catalog: Path | None) -> Taxes:
    """Return the taxes of a scenario.

    Raises:
        ScenarioError: a rate out of range.
        CatalogError: an unknown schedule.
    """
    shares = tables.depreciation(spec.depreciation, catalog).shares if spec.income else ()
    return Taxes(sales=spec.sales, property=spec.property, income=spec.income, depreciation=shares)


def _power(
    chip: Accelerator, server: Server, spec: OwnershipSpec, draw: Watts, site: _Site
) -> Power:
    host = host_power(tables.node(chip.key, site.catalog)) * server.accelerators
    mean = draw * server.accelerators + host if spec.draw is None else spec.draw
    most = chip.tdp * server.accelerators + host if spec.peak is None else spec.peak
    return Power(
        draw=(mean,),
        peak=max(most, mean),
        pue=tables.facility(site.prices.facility, site.catalog).pue,
        supply=_supply(spec, site),
        colocation=None if site.building is None else site.building.price,
        provisioned=spec.provisioned,
    )


def _supply(spec: OwnershipSpec, site: _Site) -> Supply | None:
    if site.building is not None and site.building.energy_included:
        return None
    price = spec.electricity
    if price is None and site.prices.grid:
        price = tables.grid(site.prices.grid, site.catalog).price
    if price is None:
        grid = f" (grid {site.prices.grid!r} has no price)" if site.prices.grid else ""
        raise UnpricedError(
            f"ownership: electricity is unpriced{grid}; give [ownership] electricity = '0.12 "
            "USD/kWh', or --grid us"
        )
    return Supply(energy=price, hourly=spec.hourly, demand=spec.demand_charge)


def host_power(node: Node) -> Watts:
    """Return the power of everything but accelerators, per accelerator."""
    return node.host_power / node.accelerators
