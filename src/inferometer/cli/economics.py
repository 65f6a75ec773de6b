"""What a scenario may say about money beside prices: demand, ownership, cloud, API, doubt."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from inferometer.units import (
    Duration,
    Fraction,
    PerSecond,
    Usd,
    UsdPerJoule,
    UsdPerPower,
    Watts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandSpec:
    """Who asks how much, over which time, and how the fleet answers.

    Attributes:
        users: Users in all; the workload's rate is then the one that they make.
        active: Share of them with a request in flight at the peak, or with a session open where
            `think` is given; None takes the catalogue's.
        response: Time of one answer; needed with `users`.
        think: Pause of a user from an answer to the next question.
        growth: Of the load per year, a fraction.
        years: How far ahead; None for the life of owned servers.
        starts_at: Time of the week at which the workload starts; 0 is its first midnight.
        scaling: "fixed" for replicas of the busiest minute all week, "hourly" for what each hour
            needs.
        spares: Replicas beyond what the load needs.
        cold_start: From the decision to start a replica to its first answer; None takes the
            catalogue's.
        restarts: Rate of restarts of a replica, failures and new versions.
        wasted: Share of requests that bring nothing: retried, aborted, failed.
    """

    users: float | None = None
    active: Fraction | None = None
    response: Duration | None = None
    think: Duration = 0.0
    growth: float = 0.0
    years: float | None = None
    starts_at: Duration = 0.0
    scaling: str = "fixed"
    spares: int = 0
    cold_start: Duration | None = None
    restarts: PerSecond = 0.0
    wasted: Fraction = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSpec:
    """Taxes; none by default.

    Attributes:
        sales: Share of every purchase price, paid with it.
        property: Share of every purchase price, per year.
        income: Share of profit; every cost is then after tax.
        depreciation: Schedule of the catalogue.
    """

    sales: Fraction = 0.0
    property: Fraction = 0.0
    income: Fraction = 0.0
    depreciation: str = "macrs-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipSpec:
    """What owning takes; None takes the catalogue's figure, which the answer names.

    Attributes:
        server: Server of the catalogue; "" for one with the deployment's accelerator.
        habits: Habits of owners, of the catalogue.
        price: Price of one server.
        accelerators: Accelerators in one.
        years: Life of servers, network and storage.
        residual: Resale value of a server at the end over its price.
        discount_rate: Cost of capital per year; 0 for a straight line.
        network: Price of the network over the servers'.
        storage: Price of storage over the servers'.
        site: Price of construction per server.
        site_years: Life of the site.
        lease: Yearly payment for one leased server, in place of its price.
        maintenance: Yearly share of the servers' price.
        software: Licences per accelerator and year.
        staff: Full-time equivalents per server.
        salary: Cost of one per year.
        space: Rent of floor space per server and year.
        draw: Mean draw of one server; None for the one predicted.
        peak: Highest draw of one server; None for all its accelerators at their limit.
        electricity: Price of energy; None for the grid's.
        hourly: Price of each hour of the day over that, 24 values.
        demand_charge: Price of the highest draw.
        colocation: Kind of colocation of the catalogue; "" for one's own building.
        provisioned: Power kept ready there for one server; None for its peak.
        taxes: Taxes.
    """

    server: str = ""
    habits: str = "typical"
    price: Usd | None = None
    accelerators: int | None = None
    years: float | None = None
    residual: Fraction | None = None
    discount_rate: float = 0.0
    network: Fraction | None = None
    storage: Fraction | None = None
    site: Usd = 0.0
    site_years: float | None = None
    lease: Usd = 0.0
    maintenance: Fraction | None = None
    software: Usd | None = None
    staff: float | None = None
    salary: Usd | None = None
    space: Usd = 0.0
    draw: Watts | None = None
    peak: Watts | None = None
    electricity: UsdPerJoule | None = None
    hourly: tuple[float, ...] = ()
    demand_charge: UsdPerPower = 0.0
    colocation: str = ""
    provisioned: Watts | None = None
    taxes: TaxSpec = dataclasses.field(default_factory=TaxSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSpec:
    """How accelerators are rented, beside their prices.

    Attributes:
        preemptions: Rate at which a spot instance is taken away; None takes the catalogue's.
        lost: Work that is done again after each.
        fallback: Share of the time without spot capacity, served on demand.
        egress: Provider whose traffic out is charged; "" for none.
        change: Change of rents per year; None takes the catalogue's.
    """

    preemptions: PerSecond | None = None
    lost: Duration = 0.0
    fallback: Fraction = 0.0
    egress: str = ""
    change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSpec:
    """What the traffic would go to instead.

    Attributes:
        models: Models or provider model ids to compare with; empty for the deployment's own model.
        tiers: Share of the traffic that may wait, by tier ("batch", "flex").
        change: Change of API prices per year; None takes the catalogue's.
        offers: Offers that are shown, the cheapest first.
    """

    models: tuple[str, ...] = ()
    tiers: Mapping[str, float] = dataclasses.field(default_factory=dict)
    change: float | None = None
    offers: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergySpec:
    """How energy becomes emissions, and emissions money.

    Attributes:
        hours: CSV file of the grid's intensity by the hour, or a shape of the catalogue; "" for the
            shape that the catalogue takes for the grid, the yearly mean where it has none.
        carbon_price: Name of a price of the catalogue, or a quantity such as "80 USD/t"; "" for
            none.
    """

    hours: str = ""
    carbon_price: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtSpec:
    """How much is not known.

    Attributes:
        draws: Draws of the Monte Carlo; 0 for none.
        ranges: Two factors by quantity, as the answer names it: one in ten below, one in ten above.
    """

    draws: int = 4096
    ranges: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
