"""What is not known for certain, and within which range: the scenario's word goes first."""

from collections.abc import Iterable
from pathlib import Path

from inferometer.catalog import tables
from inferometer.catalog.terms import Trend
from inferometer.catalog.uncertainty import residuals, spread
from inferometer.cli.owning import Owned
from inferometer.cli.scenario import Scenario
from inferometer.errors import ScenarioError
from inferometer.plan.horizon import CAPACITY, GROWTH, LOAD, Way
from inferometer.plan.uncertainty import Uncertain
from inferometer.plan.ways import (
    API_TREND,
    COLOCATION,
    ELECTRICITY,
    ELECTRICITY_TREND,
    RENT_TREND,
    SERVER,
    STAFF,
)


def uncertain(
    scenario: Scenario, ways: Iterable[Way], server: Owned | None, catalog: Path | None
) -> tuple[Uncertain, ...]:
    """Return what is uncertain of `ways`, each with its range and the range's source.

    Raises:
        ScenarioError: the scenario gives a range of something that no way depends on, or one that
            is no pair of factors around 1.
    """
    used = {LOAD, GROWTH, CAPACITY} | {name for way in ways for name in _drivers(way)}
    known = {item.name: item for item in _known(scenario, server, catalog) if item.name in used}
    for name, pair in scenario.doubt.ranges.items():
        if name not in used:
            raise ScenarioError(
                f"doubt.ranges: nothing depends on {name!r}; known: {', '.join(sorted(used))}"
            )
        if len(pair) != 2:
            raise ScenarioError(f"doubt.ranges.{name}: two factors are wanted, such as [0.8, 1.3]")
        known[name] = Uncertain(name=name, low=pair[0], high=pair[1], source="the scenario")
    return tuple(known.values())


def _drivers(way: Way) -> set[str]:
    found = {way.price_driver} if way.purchase else set()
    for part in way.parts:
        found |= {*part.drivers, part.trend}
    return found - {""}


def _known(scenario: Scenario, server: Owned | None, catalog: Path | None) -> list[Uncertain]:
    """Return the ranges of the catalogue, or of judgement where the catalogue has none."""
    low, high = spread(residuals(catalog), "rate", "open", "new-source")
    trends = tables.trends(catalog)
    electricity = trends["electricity"]
    found = [
        Uncertain(name=LOAD, low=0.75, high=1.25, source="assumed: forecasts miss by a quarter"),
        Uncertain(name=GROWTH, low=0.8, high=1.25, source="assumed: growth is hard to foresee"),
        Uncertain(
            name=CAPACITY, low=min(low, 1.0), high=max(high, 1.0),
            source="cross-validation: measured over predicted throughput of another laboratory",
        ),
        _trend(RENT_TREND, trends["rent"], scenario.cloud.change),
        _trend(API_TREND, trends["api"], scenario.api.change),
        _trend(ELECTRICITY_TREND, electricity, None),
        Uncertain(name=STAFF, low=0.5, high=2.0, source="assumed: staffing guides differ fourfold"),
        Uncertain(name=ELECTRICITY, low=0.9, high=1.1, source="assumed: one contract to the next"),
    ]  # fmt: skip
    if server is not None and not server.stated:
        record = server.server
        found.append(
            Uncertain(
                name=SERVER, low=record.low / record.price, high=record.high / record.price,
                source=record.sources["high"].source if "high" in record.sources
                else record.sources[""].source,
            )
        )  # fmt: skip
    if server is not None and server.colocation is not None:
        site = server.colocation
        found.append(
            Uncertain(
                name=COLOCATION, low=site.low / site.price, high=site.high / site.price,
                source=site.sources[""].source,
            )
        )  # fmt: skip
    return found


def _trend(name: str, trend: Trend, stated: float | None) -> Uncertain:
    """Return the range of next year's price over this year's, about the change that is assumed."""
    change = trend.change if stated is None else stated
    ends = ((1 + trend.low) / (1 + change), (1 + trend.high) / (1 + change))
    cited = trend.sources.get("low", trend.sources[""]).source
    return Uncertain(name=name, low=min(*ends, 1.0), high=max(*ends, 1.0), source=cited)
