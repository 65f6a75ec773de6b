"""API token prices: the genai-prices library's dated facts, compiled to `TokenPrice` records.

An open model is sold under many provider ids; `prices/token_models.toml` lists them per model of
the catalogue. Any other name is looked up as a provider's own model id. Free and unpriced offers
are left out: they are no price. Where a price depends on the length of the prompt, all tokens of a
request beyond a limit pay the rate beyond it (`LongPrice`).
"""

import datetime as dt
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib.metadata import version

from genai_prices import data
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    TieredPrices,
)

from inferometer.catalog.load import read_toml, shipped
from inferometer.catalog.names import normalise
from inferometer.catalog.prices import LongPrice, TokenPrice
from inferometer.catalog.source import Evidence, Source

_TIERS: Mapping[str, Mapping[str, str]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
"""Service tiers, by the request context under which the library prices them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldModel:
    """Provider ids under which one open model is sold.

    Attributes:
        key: Key of the model in the catalogue.
        ids: Provider model ids, in any spelling.
        sources: Provenance.
    """

    key: str
    ids: tuple[str, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierDiscount:
    """A service tier priced as a factor on all models of a provider.

    Attributes:
        key: Provider and tier.
        provider: Provider id.
        tier: "batch", "flex" or "priority".
        factor: Price over the standard price.
        valid_from: First day on which it held.
        sources: Provenance.
    """

    key: str
    provider: str
    tier: str
    factor: float
    valid_from: dt.date
    sources: Mapping[str, Source] = field(default_factory=dict)


def token_prices(model: str, *, at: dt.date) -> tuple[TokenPrice, ...]:
    """Return what every provider charges for a model at `at`, all tiers; empty if nobody sells it.

    Args:
        model: Key of a model of the catalogue ("llama-3.1-70b"), or a provider's model id
            ("claude-opus-4-1"), in any spelling.
        at: The day asked about, noon UTC.
    """
    sold = {normalise(item.key): item for item in _sold_models().values()}.get(normalise(model))
    wanted = sold.ids if sold else (model,)
    offers = {offer for name in wanted for offer in _offers().get(normalise(name), ())}
    rows = [row for provider, position in offers for row in _tiers(provider, position, at)]
    return tuple(sorted(rows, key=lambda row: (row.provider, row.model, row.tier != "standard")))


@functools.cache
def _sold_models() -> Mapping[str, SoldModel]:
    return read_toml(shipped("prices/token_models.toml"), SoldModel)


@functools.cache
def _discounts() -> Mapping[str, TierDiscount]:
    return read_toml(shipped("prices/token_tiers.toml"), TierDiscount)


@functools.cache
def _offers() -> Mapping[str, list[tuple[str, int]]]:
    """Return (provider, position among its models) of all offers by normalised model id."""
    found: dict[str, list[tuple[str, int]]] = {}
    for provider in data.providers:
        for position, model in enumerate(provider.models):
            found.setdefault(normalise(model.id), []).append((provider.id, position))
    return found


@functools.cache
def _models() -> Mapping[str, list[ModelInfo]]:
    return {provider.id: provider.models for provider in data.providers}


def _tiers(provider: str, position: int, at: dt.date) -> Iterator[TokenPrice]:
    """Yield the standard price of one offer, then its tiers: the library's own, else a factor."""
    model = _models()[provider][position]
    noon = dt.datetime.combine(at, dt.time(12), dt.UTC)
    standard = _row(provider, model, model.get_prices(noon), "standard", at)
    if standard is None:
        return
    yield standard
    for tier, context in _TIERS.items():
        own = _variant(provider, model, tier, context, at) or _discounted(standard, tier, at)
        if own is not None:
            yield own


def _variant(
    provider: str, model: ModelInfo, tier: str, context: Mapping[str, str], at: dt.date
) -> TokenPrice | None:
    """Return the library's own price of a tier, or None if it has none."""
    noon = dt.datetime.combine(at, dt.time(12), dt.UTC)
    own = [v for v in model.price_variants or () if _applies(v, context, noon)]
    if not own:
        return None
    row = _row(provider, model, model.get_prices(noon, dict(context)), tier, at)
    if row is None or any(_per_token(variant.prices, "cache_read_mtok") for variant in own):
        return row
    longer = tuple(replace(one, cached=None) for one in row.longer)
    return replace(
        row, cached=None, longer=longer
    )  # the standard price of cached tokens is not this tier's


def _applies(variant: PriceVariant, context: Mapping[str, str], noon: dt.datetime) -> bool:
    active = variant.constraint is None or variant.constraint.active(noon)
    return active and dict(variant.when) == dict(context)


def _row(
    provider: str, model: ModelInfo, price: ModelPrice, tier: str, at: dt.date
) -> TokenPrice | None:
    """Return one library price as a record; None where it is free or has no token price."""
    charged = _charged(price, 0)
    if not charged["input"] or not charged["output"]:
        return None
    source = f"genai-prices {version('genai-prices')}: {provider}, {model.id}"
    return TokenPrice(
        model=model.id,
        provider=provider,
        input=charged["input"],
        cached=charged["cache_read"],
        output=charged["output"],
        tier=tier,
        longer=tuple(_longer(price)),
        valid_from=_valid_from(model, at),
        source=Source(source=source, as_of=_as_of(at), evidence=Evidence.PUBLISHED),
    )


_CLASSES = ("input", "cache_read", "output")
"""Classes of tokens, as the library names them."""


def _charged(price: ModelPrice, prompt: int) -> dict[str, float | None]:
    """Return the price of each class of token of a request with so long a prompt."""
    return {name: _per_token(price, f"{name}_mtok", prompt) for name in _CLASSES}


def _longer(price: ModelPrice) -> Iterator[LongPrice]:
    """Yield the prices beyond every limit on the prompt that any class of token has."""
    amounts = [getattr(price, f"{name}_mtok", None) for name in _CLASSES]
    limits = {tier.start for one in amounts if isinstance(one, TieredPrices) for tier in one.tiers}
    for limit in sorted(limits):
        beyond = _charged(price, limit + 1)
        if beyond["input"] and beyond["output"]:
            yield LongPrice(
                above=float(limit), input=beyond["input"], cached=beyond["cache_read"],
                output=beyond["output"],
            )  # fmt: skip


def _per_token(price: ModelPrice, name: str, prompt: int = 0) -> float | None:
    amount: Decimal | TieredPrices | None = getattr(price, name, None)
    if isinstance(amount, TieredPrices):
        beyond = [tier.price for tier in amount.tiers if prompt > tier.start]
        amount = beyond[-1] if beyond else amount.base
    return None if amount is None else float(amount / 1_000_000)


def _discounted(standard: TokenPrice, tier: str, at: dt.date) -> TokenPrice | None:
    for row in _discounts().values():
        if (row.provider, row.tier) == (standard.provider, tier) and row.valid_from <= at:
            return replace(
                standard,
                tier=tier,
                input=standard.input * row.factor,
                cached=None,  # a discount on the list price says nothing of cached tokens
                output=standard.output * row.factor,
                longer=tuple(
                    replace(
                        one,
                        input=one.input * row.factor,
                        cached=None,
                        output=one.output * row.factor,
                    )
                    for one in standard.longer
                ),
                valid_from=max(row.valid_from, standard.valid_from),
                source=row.sources[""],
            )
    return None


def _starts(model: ModelInfo) -> Iterator[dt.date]:
    prices = model.prices if isinstance(model.prices, list) else []
    conditions: list[ConditionalPrice | PriceVariant] = [*prices, *(model.price_variants or ())]
    for item in conditions:
        if isinstance(item.constraint, StartDateConstraint):
            yield item.constraint.start_date


def _valid_from(model: ModelInfo, at: dt.date) -> dt.date:
    """Return the day of the last price change by `at`; `date.min` where the library has none."""
    return max((start for start in _starts(model) if start <= at), default=dt.date.min)


@functools.cache
def _as_of(at: dt.date) -> dt.date:
    """Return the newest price change by `at` that the library knows: it is at least that fresh."""
    models = (model for provider in data.providers for model in provider.models)
    known = (start for model in models for start in _starts(model))
    return max((start for start in known if start <= at), default=at)
