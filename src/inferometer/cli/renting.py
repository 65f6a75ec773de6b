"""Rented accelerators and APIs as ways of paying, from a scenario's prices and terms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inferometer.account.api import ApiCost, check_shares, tiered_cost
from inferometer.account.cloud import Preemption, committed_rate, egress_rate, spot_rate
from inferometer.account.electricity import YEAR
from inferometer.catalog import tables
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.catalog.source import Source
from inferometer.catalog.tokens import token_prices
from inferometer.cli.api_offers import offer_of
from inferometer.cli.prices import instant, price_of
from inferometer.cli.scenario import Scenario
from inferometer.errors import ScenarioError
from inferometer.plan.horizon import Way
from inferometer.plan.provenance import Fact, facts_of
from inferometer.plan.ways import Rent, api, rates_of, rent
from inferometer.units import Duration, TokensPerSecond, UsdPerSecond
from inferometer.workload.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The price of one accelerator under one commitment.

    Attributes:
        commitment: The commitment.
        rate: The price.
        provider: Who charges it.
        derived: How it follows from another price, "" where a row states it.
        source: Where it was read.
    """

    commitment: str
    rate: UsdPerSecond
    provider: str
    derived: str
    source: Source


def quotes_of(key: str, scenario: Scenario, catalog: Path | None) -> tuple[Quote, ...]:
    """Return the prices of an accelerator under every commitment that has or can be given one.

    Where no row states a commitment's price, it is the on-demand price less the discount that
    providers give; marked as derived. Without an on-demand price there is nothing to derive from.
    """
    rows = {
        name: price_of(key, replace(scenario.prices, commitment=name), catalog)
        for name in ("on-demand", "reserved-1y", "reserved-3y", "spot")
    }
    found = [_quote(name, row, rows["on-demand"], catalog) for name, row in rows.items()]
    return tuple(quote for quote in found if quote is not None)


def _quote(
    name: str, row: AcceleratorPrice | None, listed: AcceleratorPrice | None, catalog: Path | None
) -> Quote | None:
    if row is not None:
        return Quote(
            commitment=name, rate=row.price, provider=row.provider, derived="", source=row.source
        )
    if listed is None:
        return None
    terms = tables.commitments(catalog)[name]
    return Quote(
        commitment=name,
        rate=listed.price * (1 - terms.discount),
        provider=listed.provider,
        derived=f"on-demand less {terms.discount:.0%}",
        source=terms.sources[""],
    )


def effective(
    quotes: Iterable[Quote], scenario: Scenario, horizon: Duration, catalog: Path | None
) -> Mapping[str, UsdPerSecond]:
    """Return what a useful second of an accelerator costs by commitment.

    Spot with what preemption wastes, commitments with their last term paid to its end.

    Args:
        quotes: Prices.
        scenario: Its cloud terms.
        horizon: How far ahead.
        catalog: File of own records.

    Raises:
        ScenarioError: terms out of range.
    """
    known = {quote.commitment: quote.rate for quote in quotes}
    rates = dict[str, UsdPerSecond]()
    for name, rate in known.items():
        terms = tables.commitments(catalog).get(name)
        if name == "spot":
            listed = known.get("on-demand", rate)
            rates[name] = spot_rate(rate, listed, preemption_of(scenario, catalog))
        else:
            rates[name] = rate if terms is None else committed_rate(rate, terms.term, horizon)
    return rates


def rents(
    rates: Mapping[str, UsdPerSecond],
    scenario: Scenario,
    tokens: TokensPerSecond,
    catalog: Path | None,
) -> tuple[Way, ...]:
    """Return renting under every commitment as ways of paying.

    Args:
        rates: Price of a useful second by commitment.
        scenario: Its cloud terms.
        tokens: Output tokens at the start, for the traffic out.
        catalog: File of own records.

    Raises:
        ScenarioError: an egress provider without a price.
    """
    kept = 1 - scenario.ownership.taxes.income
    out = _egress(scenario, tokens, catalog)
    change = _change(scenario.cloud.change, "rent", catalog)
    terms = tables.commitments(catalog)
    return tuple(
        rent(
            Rent(
                name=f"rent {name}", rate=rate, scales=name in {"on-demand", "spot"}, egress=out,
                held=terms[name].term / YEAR if name in terms else 0.0, change=change,
            ),
            kept=kept,
        )
        for name, rate in rates.items()
    )  # fmt: skip


def preemption_of(scenario: Scenario, catalog: Path | None) -> Preemption:
    """Return how spot instances are lost: the scenario's terms over the catalogue's."""
    cloud, demand = scenario.cloud, scenario.demand
    rate = cloud.preemptions
    restart = demand.cold_start
    return Preemption(
        rate=tables.commitments(catalog)["spot"].preemptions if rate is None else rate,
        restart=tables.operations(catalog).cold_start if restart is None else restart,
        lost=cloud.lost,
        fallback=cloud.fallback,
    )


def _egress(scenario: Scenario, tokens: TokensPerSecond, catalog: Path | None) -> UsdPerSecond:
    name = scenario.cloud.egress
    if not name:
        return 0.0
    known = tables.egresses(catalog)
    if name not in known:
        raise ScenarioError(
            f"cloud.egress: no price of traffic out of {name!r}; known: {', '.join(sorted(known))}"
        )
    return egress_rate(tokens, known[name].per_token, known[name].price)


def _change(stated: float | None, trend: str, catalog: Path | None) -> float:
    """Return how a price changes per year: as the scenario states, or as the catalogue assumes."""
    if stated is None:
        return tables.trends(catalog)[trend].change
    if not stated > -1:
        raise ScenarioError(f"{trend}: a change of {stated} a year; it must be above -1")
    return stated


Offers = Mapping[str, Sequence[ApiCost]]
"""Offers of the same traffic by the model asked for, every tier, the cheapest first."""


def offers_of(scenario: Scenario, key: str, shape: Shape, catalog: Path | None) -> Offers:
    """Return what every provider charges for the models of `[api]`, or for the model itself.

    Raises:
        ScenarioError: a model named in `[api]` that nobody sells.
    """
    at = instant(scenario.prices, catalog)
    found = dict[str, Sequence[ApiCost]]()
    for name in scenario.api.models or (key,):
        costs = [offer_of(shape, row) for row in token_prices(name, at=at)]
        if not costs and scenario.api.models:
            raise ScenarioError(f"api.models: no price of {name!r} is known at {at}; check the id")
        found[name] = sorted(costs, key=lambda cost: (cost.rate, cost.price.provider))
    return found


def shown(offers: Offers, most: int) -> list[ApiCost]:
    """Return the `most` cheapest standard offers of every model asked for."""
    standard = {
        name: [offer for offer in found if offer.price.tier == "standard"]
        for name, found in offers.items()
    }
    return [offer for found in standard.values() for offer in found[:most]]


def apis(offers: Offers, scenario: Scenario, catalog: Path | None) -> tuple[Way, ...]:
    """Return the cheapest standard offers as ways of paying, the tiers' shares moved there."""
    kept = 1 - scenario.ownership.taxes.income
    change = _change(scenario.api.change, "api", catalog)
    check_shares(scenario.api.tiers)
    every = [offer for found in offers.values() for offer in found]
    ways: dict[str, Way] = {}
    for offer in shown(offers, scenario.api.offers):
        name = name_of(offer)
        rates = _with_tiers(offer, every, scenario.api.tiers)
        ways.setdefault(name, api(name, rates, change=change, kept=kept))
    return tuple(ways.values())


def name_of(offer: ApiCost) -> str:
    """Return the name under which an offer is one of the ways of paying."""
    return f"API {offer.price.provider} {offer.price.model}"


def _with_tiers(
    offer: ApiCost, offers: Sequence[ApiCost], shares: Mapping[str, float]
) -> Mapping[str, float]:
    """Return cost by token class, or by tier where some of the traffic may wait for a cheaper.

    A tier that the provider does not have leaves its share at the standard price.
    """
    if not shares:
        return rates_of(offer)
    price = offer.price
    same = [o for o in offers if (o.price.provider, o.price.model) == (price.provider, price.model)]
    tiers = {o.price.tier: o for o in same} | {"standard": offer}
    offered = {name: share for name, share in shares.items() if name in tiers}
    return tiered_cost(tiers.values(), offered).by_tier


def facts_of_terms(
    quotes: Iterable[Quote], offers: Iterable[ApiCost], scenario: Scenario, catalog: Path | None
) -> tuple[Fact, ...]:
    """Return the sources of rents, commitments, trends and API prices."""
    records: dict[str, Mapping[str, Source]] = {
        f"price {quote.provider} {quote.commitment}": {"": quote.source} for quote in quotes
    }
    records["commitment spot"] = tables.commitments(catalog)["spot"].sources
    records |= {f"trend {n}": tables.trends(catalog)[n].sources for n in ("rent", "api")}
    records["operations typical"] = tables.operations(catalog).sources
    if scenario.cloud.egress:
        name = scenario.cloud.egress
        records[f"egress {name}"] = tables.egresses(catalog)[name].sources
    for offer in offers:
        price = offer.price
        records[f"API price {price.provider} {price.model} {price.tier}"] = {"": price.source}
    return tuple(fact for name, sources in records.items() for fact in facts_of(name, sources))
