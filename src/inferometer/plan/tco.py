"""Total cost of every way of paying for one service, per year, per token, over the horizon.

Two formulas for the price of a token are in use, and both are stated. *Pay for idle*: all that is
paid over the tokens served. *Perfect scale-down*: what the time in work costs over the tokens that
it makes, as if capacity followed the load without loss.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from inferometer.account.breakeven import payback
from inferometer.account.electricity import YEAR
from inferometer.errors import LedgerError
from inferometer.plan.horizon import MONTHS, Cost, Factors, Service, Way, cost
from inferometer.units import Duration, Unit, Usd, UsdPerToken
from inferometer.workload.trace import Floats

PRICE_WITH_IDLE = "pay for idle: all that is paid in the first year / tokens served in it"
PRICE_SCALED_DOWN = (
    "perfect scale-down: price of an accelerator's time / (tokens it makes in that time at "
    "capacity); what an API charges is the same on both"
)
Months = Annotated[float, Unit("s", "months", "month")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayCost:
    """One way of paying, at base values.

    Attributes:
        way: The way.
        first_year: What is paid in the first year, purchases written off.
        parts: The same by part; they add up to it.
        total: Present value over the horizon.
        upfront: Purchases at the start.
        pays_for_idle: Price of a token, idle time paid.
        scaled_down: Price of a token under perfect scale-down.
        paid_back: When owning has paid for itself against this way; None if not within the life of
            what is owned, or where nothing is owned.
    """

    way: str
    first_year: Usd
    parts: Mapping[str, float]
    total: Usd
    upfront: Usd
    pays_for_idle: UsdPerToken
    scaled_down: UsdPerToken
    paid_back: Months | None = None


def way_costs(
    ways: Iterable[Way], service: Service, tokens: float, life: Duration = 0.0
) -> tuple[WayCost, ...]:
    """Return what every way costs at base values, the least total first.

    Args:
        ways: The ways; of those that buy something the first is the one to be paid back.
        service: What is served.
        tokens: Input and output tokens of one useful request.
        life: Life of what is bought; beyond it nothing is paid back.

    Raises:
        LedgerError: parts that do not add up.
    """
    found = {way.name: (way, cost(way, service, {})) for way in ways}
    bought = next((paid for way, paid in found.values() if way.purchase), None)
    rows = [_row(way, paid, service, tokens, (bought, life)) for way, paid in found.values()]
    return tuple(sorted(rows, key=lambda row: (row.total, row.way)))


def _row(
    way: Way, paid: Cost, service: Service, tokens: float, owned: tuple[Cost | None, Duration]
) -> WayCost:
    first = slice(0, min(MONTHS, service.horizon.months))
    count = first.stop
    year = float(paid.monthly[0, first].sum()) * MONTHS / count
    requests = _requests(service, count)
    parts = {
        part.name: float(cost(_alone(way, part.name), service, {}).monthly[0, first].sum())
        * MONTHS / count
        for part in way.parts
    }  # fmt: skip
    if not abs(sum(parts.values()) - year) <= 1e-9 * max(abs(year), 1e-9):
        raise LedgerError(f"{way.name}: parts add up to {sum(parts.values())} USD, not {year}")
    return WayCost(
        way=way.name,
        first_year=year,
        parts=parts,
        total=float(paid.total[0]),
        upfront=float(paid.upfront[0, 0]),
        pays_for_idle=year / (requests * tokens),
        scaled_down=_scaled_down(way, service, tokens),
        paid_back=None if way.purchase else _paid_back(owned[0], paid, owned[1]),
    )


def _alone(way: Way, name: str) -> Way:
    """Return the way with one part only."""
    kept = tuple(part for part in way.parts if part.name == name)
    return Way(name=way.name, parts=kept, scales=way.scales, per_server=way.per_server)


def _requests(service: Service, months: int) -> float:
    """Return useful requests of a year at the mean load of the first months."""
    load = (1 + service.horizon.growth) ** (np.arange(months) / MONTHS)
    useful = 1 - service.operating.wasted
    return float(service.week.rates.mean() * useful * load.mean() * YEAR)


def _scaled_down(way: Way, service: Service, tokens: float) -> UsdPerToken:
    """Return the price of a token when only time in work is paid."""
    useful = tokens * (1 - service.operating.wasted)
    made = service.week.capacity / service.per_replica * useful * YEAR  # tokens per accelerator
    served = float(service.week.rates.mean()) * useful * YEAR
    per = {"server": way.per_server * made, "accelerator": made, "load": served}
    return sum(part.yearly / per[part.unit] for part in way.parts)


def _paid_back(owned: Cost | None, other: Cost, life: Duration) -> Months | None:
    """Return when the purchases of `owned` have paid for themselves, s; None if they do not."""
    if owned is None:
        return None
    found = float(payback(owned.upfront, owned.running, other.monthly)[0])
    months = found * YEAR / MONTHS
    return months if np.isfinite(found) and (life <= 0 or months <= life) else None


def totals(
    ways: Iterable[Way], service: Service, factors: Factors, draws: int
) -> dict[str, Floats]:
    """Return the present value of every way over the horizon [draw] USD, by name."""
    return {way.name: cost(way, service, factors, draws).total for way in ways}
