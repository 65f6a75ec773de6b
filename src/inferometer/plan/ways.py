"""Ways of paying for a service: one's own servers, rented accelerators, an API."""

from collections.abc import Mapping
from dataclasses import dataclass

from inferometer.account.api import ApiCost
from inferometer.account.electricity import YEAR
from inferometer.account.ownership import Ownership, YearlyCost, yearly_cost
from inferometer.plan.horizon import Part, Way
from inferometer.units import Fraction, UsdPerSecond

SERVER, ELECTRICITY, COLOCATION = "server price", "electricity price", "colocation price"
RENT_TREND, API_TREND = "rent, change per year", "API price, change per year"
ELECTRICITY_TREND = "electricity price, change per year"
STAFF = "staff per server"
"""Names of the quantities that prices depend on, as they are shown."""

OWN_DRIVERS: Mapping[str, tuple[str, ...]] = {
    "servers": (SERVER,),
    "network": (SERVER,),
    "storage": (SERVER,),
    "maintenance": (SERVER,),
    "energy": (ELECTRICITY,),
    "demand": (ELECTRICITY,),
    "colocation": (COLOCATION,),
    "staff": (STAFF,),
    "property_tax": (SERVER,),
    "tax_relief": (SERVER,),
}
"""What each part of ownership is proportional to; the rest depends on nothing uncertain."""

WRITTEN_OFF = frozenset({"servers", "network", "storage", "site"})
"""Parts of ownership that no money flows for when they are charged."""


def own(
    name: str, server: Ownership, *, electricity_change: float = 0.0, year: YearlyCost | None = None
) -> Way:
    """Return ownership of servers, by the yearly cost of one.

    Args:
        name: For people.
        server: One server with its share of network, storage, site, staff and space.
        electricity_change: Change of the electricity's price per year.
        year: Its yearly cost, if that is known already.
    """
    parts = (yearly_cost(server) if year is None else year).parts
    return Way(
        name=name,
        per_server=server.accelerators,
        purchase=server.purchase,
        price_driver=SERVER,
        parts=tuple(
            Part(
                name=part,
                unit="server",
                yearly=amount,
                drivers=OWN_DRIVERS.get(part, ()),
                trend=ELECTRICITY_TREND if part == "energy" else "",
                change=electricity_change if part == "energy" else 0.0,
                written_off=part in WRITTEN_OFF,
            )
            for part, amount in parts.items()
            if amount
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rent:
    """What renting one accelerator takes.

    Attributes:
        name: For people.
        rate: Price of one accelerator while it is paid for.
        scales: Whether it can be given back in quiet hours.
        held: Years for which the price holds, the term of a commitment; 0 for none.
        egress: Cost of the traffic out, at the load of the start.
        change: Change of rents per year.
    """

    name: str
    rate: UsdPerSecond
    scales: bool
    held: float = 0.0
    egress: UsdPerSecond = 0.0
    change: float = 0.0


def rent(terms: Rent, *, kept: Fraction = 1.0) -> Way:
    """Return renting as a way of paying.

    Args:
        terms: The prices.
        kept: Share of a deductible expense that is left after income tax.
    """
    parts = [
        Part(
            name="rent",
            unit="accelerator",
            yearly=terms.rate * YEAR * kept,
            trend=RENT_TREND,
            change=terms.change,
            held=terms.held,
        )
    ]
    if terms.egress:
        parts.append(Part(name="egress", unit="load", yearly=terms.egress * YEAR * kept))
    return Way(name=terms.name, scales=terms.scales, parts=tuple(parts))


def api(
    name: str, rates: Mapping[str, UsdPerSecond], *, change: float = 0.0, kept: Fraction = 1.0
) -> Way:
    """Return an API as a way of paying.

    Args:
        name: For people.
        rates: Cost of the traffic at the start, by part: input, cached, output; or by tier.
        change: Change of the prices per year.
        kept: Share of a deductible expense that is left after income tax.
    """
    return Way(
        name=name,
        parts=tuple(
            Part(name=part, unit="load", yearly=rate * YEAR * kept, trend=API_TREND, change=change)
            for part, rate in rates.items()
            if rate
        ),
    )


def rates_of(offer: ApiCost) -> Mapping[str, UsdPerSecond]:
    """Return what an offer charges per second, by class of token."""
    return {
        "input": offer.input / offer.total * offer.rate if offer.total else 0.0,
        "cached input": offer.cached / offer.total * offer.rate if offer.total else 0.0,
        "output": offer.output / offer.total * offer.rate if offer.total else 0.0,
    }
