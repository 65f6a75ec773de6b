"""Unit prices as integers, and what a row's tokens cost: no float, no library, no search by name.

Unit prices are pico-dollars per token, amounts nano-dollars. A line is rounded once: its total to
the nearest nano-dollar, and the classes by largest remainder, so that they add up to it.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from inferometer.meter.record import NANOS, Attempt

MINUTE_NS = 60_000_000_000
PICO_PER_MTOK = 1_000_000
"""Pico-dollars a token in a dollar per million tokens."""
DAY_MINUTES = 1440
TIERS = ("", "batch", "flex", "priority")
"""Service tiers; the first is the standard one."""
_PRICE, _AFTER = Attempt._fields.index("price"), NANOS.stop


class PriceRow(NamedTuple):
    """What one provider charges for one model under one set of conditions.

    Attributes:
        id: Names the row for good: the same id is the same price.
        provider: Provider id.
        model: The model's id in the price list.
        tier: Service tier.
        valid_from: First day on which it holds, ISO, from 00:00 UTC.
        picos: Pico-dollars per token in the order of `CLASSES`; None where the list has none.
        above: It holds for requests with more input tokens than this.
        minutes: First minute of the UTC day in which it holds and the one after the last.
        source: Where it is from.
    """

    id: str
    provider: str
    model: str
    tier: str
    valid_from: str
    picos: tuple[int | None, ...]
    above: int
    minutes: tuple[int, int]
    source: str

    def json(self) -> str:
        """The row as a store keeps it."""
        return msgspec.json.encode(self._asdict()).decode()


class Offer(NamedTuple):
    """A price row, and from when it holds in Unix nanoseconds."""

    starts_ns: int
    row: PriceRow


def offer(
    key: tuple[str, str, str, str],
    picos: tuple[int | None, ...],
    *,
    above: int = 0,
    minutes: tuple[int, int] = (0, DAY_MINUTES),
    source: str,
) -> Offer:
    """Return an offer whose row's id holds what it says, so that a changed price is a new id.

    Args:
        key: Provider, model, tier and ISO day of the start.
        picos: Pico-dollars per token by class.
        above: Threshold of input tokens.
        minutes: Minutes of the day.
        source: Where it is from.
    """
    provider, model, tier, day = key
    digest = blake2b(repr((key, picos, above, minutes)).encode(), digest_size=4).hexdigest()
    row = PriceRow(
        id=f"{provider}/{model}{':' if tier else ''}{tier}@{day}#{digest}",
        provider=provider,
        model=model,
        tier=tier,
        valid_from=day,
        picos=picos,
        above=above,
        minutes=minutes,
        source=source,
    )
    start = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC)
    return Offer(int(start.timestamp()) * 10**9, row)


def pico(usd_per_mtok: Decimal) -> int:
    """Return a price per million tokens as pico-dollars per token, to the nearest."""
    return round(usd_per_mtok * PICO_PER_MTOK)


class PriceTable:
    """Price rows by provider, model and tier; those asked for must have been prepared."""

    def __init__(self, *lists: Callable[[str, str, str], Iterable[Offer]]) -> None:
        self._lists = lists
        self._offers: dict[tuple[str, str, str], tuple[Offer, ...]] = {}

    def prepare(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Compile the prices of (provider, model) pairs: at start and on reload, off the hot path.

        The first list that has an offer for an instant wins over those after it.
        """
        for provider, model in pairs:
            for tier in TIERS:
                key = provider, model, tier
                if key not in self._offers:
                    found = (sorted(one(*key), key=_precedence) for one in self._lists)
                    self._offers[key] = tuple(offer for offers in found for offer in offers)

    def find(
        self, provider: str, model: str, at_ns: int, *, tier: str = "", input_tokens: int = 0
    ) -> PriceRow | None:
        """Return the price row of a request that starts at `at_ns`; None if it is unpriced."""
        for starts_ns, row in self._offers.get((provider, model, tier), ()):
            if at_ns >= starts_ns and (not row.above or input_tokens > row.above):
                first, end = row.minutes
                if first <= at_ns // MINUTE_NS % DAY_MINUTES < end:
                    return row
        return None

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield (id, JSON) of all prepared rows, for a store to keep."""
        for offers in tuple(self._offers.values()):  # a reload may add some meanwhile
            for offer in offers:
                yield offer.row.id, offer.row.json()


def _precedence(offer: Offer) -> tuple[int, int]:
    """Newest first; within a day the highest threshold first."""
    return -offer.starts_ns, -offer.row.above


def amounts(picos: Sequence[int | None], tokens: Sequence[int]) -> tuple[int, ...] | None:
    """Return nano-dollars per class of tokens; None if a class that was used has no price.

    The total is the exact sum to the nearest nano-dollar, halves up; each class is rounded down
    and the nano-dollars left over go to the largest remainders, ties to the earlier class.
    """
    exact: list[int] = []
    for pico, count in zip(picos, tokens, strict=True):
        if pico is None and count:
            return None
        exact.append((pico or 0) * count)
    shares = [amount // 1000 for amount in exact]
    left = (sum(exact) + 500) // 1000 - sum(shares)
    if left:
        order = sorted(range(len(exact)), key=lambda place: -(exact[place] % 1000))
        for place in order[:left]:
            shares[place] += 1
    return tuple(shares)


def priced(row: Attempt, table: PriceTable, own: str = "") -> Attempt:
    """Return a row with the price of its start and what it came to; unchanged if unpriced.

    It is billed to the model that served it; where that name is unknown, to the name `own` that the
    upstream has for the one asked for, then to the one asked for.
    """
    inputs = row.inputs
    for model in filter(None, (row.served, own, row.model)):
        price = table.find(row.provider, model, row.started_ns, tier=row.tier, input_tokens=inputs)
        nanos = None if price is None else amounts(price.picos, row.tokens)
        if price is not None and nanos is not None:
            filled = (*row[:_PRICE], price.id, price.valid_from, *nanos, *row[_AFTER:])
            return Attempt._make(filled)  # by place: a third of the time of `_replace`
    return row
