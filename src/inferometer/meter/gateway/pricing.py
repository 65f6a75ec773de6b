"""Prices as the gateway asks for them: of a row that ended, and the most a request may cost."""

import functools
import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from inferometer.meter.config import Upstream
from inferometer.meter.price_overrides import overrides as own_rows
from inferometer.meter.prices import Offer, PriceTable, priced
from inferometer.meter.record import CLASSES, SELF_HOSTED, Attempt

PICO_PER_NANO = 1000
_OUTPUT = CLASSES.index("output")


@dataclass(frozen=True, slots=True)
class TablePricing:
    """Prices of a compiled table.

    Attributes:
        table: The table.
        keep: Where price rows are kept, so that amounts can be explained later.
    """

    table: PriceTable
    keep: Callable[[Iterable[tuple[str, str]]], None]

    def prepare(self, upstreams: Iterable[Upstream]) -> None:
        """Compile the prices of all models that are configured: at start and on reload."""
        self.table.prepare(
            (upstream.provider, name)
            for upstream in upstreams
            for public, own in upstream.models.items()
            for name in (own, public)
        )

    def remember(self) -> None:
        """Keep the rows that are compiled.

        Raises:
            LedgerError: they cannot be written now.
        """
        self.keep(self.table.rows())

    def price(self, row: Attempt, own: str) -> Attempt:
        """Return a row with its amounts, or as it is if it has no price.

        It is billed by the name the answer gives; where the list does not have that one, by the
        upstream's own name `own` of the model that was asked for.
        """
        return priced(row, self.table, own)

    def bound(
        self, provider: str, model: str, inputs: int, outputs: int, tier: str = ""
    ) -> int | None:
        """Return the most that so many tokens can cost now in nano-dollars; None if unpriced.

        A tier that is asked for may be served as the standard one: the dearer of both counts.
        """
        dearest = 0
        for each in {"", tier}:
            now = time.time_ns()
            row = self.table.find(provider, model, now, tier=each, input_tokens=inputs)
            most_in, most_out = (None, None) if row is None else _dearest(row.picos)
            if most_in is None or most_out is None:
                return None
            dearest = max(dearest, inputs * most_in + outputs * most_out)
        return dearest // PICO_PER_NANO + 1


@functools.lru_cache(maxsize=4096)
def _dearest(picos: tuple[int | None, ...]) -> tuple[int | None, int | None]:
    """Return the dearest class of input and of output."""
    inputs, outputs = picos[:_OUTPUT], picos[_OUTPUT:]
    return (
        max((pico for pico in inputs if pico is not None), default=None),
        max((pico for pico in outputs if pico is not None), default=None),
    )


def table_of(overrides: Path | None) -> PriceTable:
    """Return a table over the price list, with own rows before it; nothing is compiled.

    Raises:
        LedgerError: the file of own rows is wrong.
    """
    return PriceTable(own_rows(overrides), _listed) if overrides else PriceTable(_listed)


def _listed(provider: str, model: str, tier: str) -> Iterable[Offer]:
    """Return the price list's offers; it has 18 MiB, which a gateway of own engines never loads."""
    if provider == SELF_HOSTED:
        return ()
    found: Iterable[Offer] = importlib.import_module("inferometer.meter.price_list").listed(
        provider, model, tier
    )
    return found
