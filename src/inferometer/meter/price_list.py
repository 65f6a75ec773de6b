"""Price rows compiled from the genai-prices library: its dated history, tiers and hours.

The library is asked what it would charge on each day and in each hour at which its answer may
change, so its own rules decide. Free and unpriced offers are left out: they are no price.
"""

import datetime as dt
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from importlib.metadata import version

from genai_prices import data
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from inferometer.catalog.load import read_toml, shipped
from inferometer.catalog.tokens import TierDiscount
from inferometer.meter.prices import DAY_MINUTES, Offer, offer, pico

_FIELDS = (  # price of each class of tokens, the first that the list has
    ("input_mtok",),
    ("cache_read_mtok", "input_mtok"),
    ("cache_write_mtok", "input_mtok"),
    ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    ("output_mtok",),
    ("output_reasoning_mtok", "output_mtok"),
)
_CONTEXTS: Mapping[str, Mapping[str, str]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
_FIRST = dt.date(1970, 1, 1)
Price = Decimal | TieredPrices


def listed(provider: str, model: str, tier: str) -> Iterator[Offer]:
    """Yield the library's offers of a model in a service tier; nothing if it knows none."""
    seller, sold = _find(provider, model)
    if seller is None or sold is None:
        return
    if tier and not _has_tier(sold, tier):
        yield from _discounted(seller, sold, tier)
        return
    for day in _days(sold):
        for first, end in _hours(sold):
            at = dt.datetime.combine(day, dt.time(first // 60, first % 60), dt.UTC)
            charged = sold.get_prices(at, dict(_CONTEXTS[tier]) if tier else None)
            own = _tier_fields(sold, tier, at) if tier else None
            source = f"genai-prices {version('genai-prices')}"
            for above, picos in _steps(charged, own):
                key = (seller.id, sold.id, tier, day.isoformat())
                yield offer(key, picos, above=above, minutes=(first, end), source=source)


@functools.cache
def _find(provider: str, model: str) -> tuple[Provider | None, ModelInfo | None]:
    seller = next((one for one in data.providers if one.id == provider), None)
    return seller, None if seller is None else seller.find_model(model.lower())


def _days(sold: ModelInfo) -> list[dt.date]:
    """Return the days on which a price of this model may change, and the first of all days."""
    conditional = sold.prices if isinstance(sold.prices, list) else []
    constraints = [one.constraint for one in (*conditional, *(sold.price_variants or ()))]
    starts = {one.start_date for one in constraints if isinstance(one, StartDateConstraint)}
    return sorted({_FIRST, *starts})


def _hours(sold: ModelInfo) -> Iterator[tuple[int, int]]:
    """Yield the parts of the day, in minutes, within which the price cannot change."""
    conditional = sold.prices if isinstance(sold.prices, list) else []
    edges = {0, DAY_MINUTES}
    for one in conditional:
        if isinstance(one.constraint, TimeOfDateConstraint):
            edges |= {_minute(one.constraint.start_time), _minute(one.constraint.end_time)}
    ordered = sorted(edges)
    yield from itertools.pairwise(ordered)


def _minute(time: dt.time) -> int:
    aware = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    moment = dt.datetime.combine(dt.date(1970, 1, 2), aware).astimezone(dt.UTC)
    return moment.hour * 60 + moment.minute


def _has_tier(sold: ModelInfo, tier: str) -> bool:
    return any(dict(one.when) == _CONTEXTS[tier] for one in sold.price_variants or ())


def _tier_fields(sold: ModelInfo, tier: str, at: dt.datetime) -> set[str]:
    """Return the fields that a tier prices itself: the standard price of the others is not its."""
    return {
        name
        for one in sold.price_variants or ()
        if dict(one.when) == _CONTEXTS[tier]
        and (one.constraint is None or one.constraint.active(at))
        for name, value in vars(one.prices).items()
        if value is not None
    }


def _steps(
    charged: ModelPrice, own: set[str] | None
) -> Iterator[tuple[int, tuple[int | None, ...]]]:
    """Yield (threshold of input tokens, prices by class) of one library price."""
    prices = [_class_price(charged, names, own) for names in _FIELDS]
    if not any(_at(price, 0) for price in prices):
        return
    starts = {tier.start for one in prices if isinstance(one, TieredPrices) for tier in one.tiers}
    for above in sorted({0, *starts}):
        yield above, tuple(_at(price, above) for price in prices)


def _class_price(charged: ModelPrice, names: Iterable[str], own: set[str] | None) -> Price | None:
    """Return the price of a class of tokens: its own, else its parent's.

    A class that the standard tier prices and this tier does not is unknown here, so None.
    """
    for name in names:
        price: Price | None = getattr(charged, name, None)
        if price is not None:
            return price if own is None or name in own else None
    return None


def _at(price: Price | None, above: int) -> int | None:
    """Return the price of a request just above a threshold."""
    if isinstance(price, TieredPrices):
        reached = [tier.price for tier in price.tiers if tier.start <= above and above]
        return pico(reached[-1] if reached else price.base)
    return None if price is None else pico(price)


def _discounted(seller: Provider, sold: ModelInfo, tier: str) -> Iterator[Offer]:
    """Yield offers of a tier that a provider prices as a factor on all its models."""
    for rule in read_toml(shipped("prices/token_tiers.toml"), TierDiscount).values():
        if (rule.provider, rule.tier) != (seller.id, tier):
            continue
        for day in _days(sold):
            charged = sold.get_prices(dt.datetime.combine(day, dt.time(12), dt.UTC))
            factor = Decimal(str(rule.factor))
            for above, picos in _steps(charged, {"input_mtok", "output_mtok"}):
                reduced = tuple(None if one is None else round(one * factor) for one in picos)
                key = (seller.id, sold.id, tier, max(day, rule.valid_from).isoformat())
                yield offer(key, reduced, above=above, source=rule.sources[""].source)
