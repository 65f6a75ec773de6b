"""A bill against the ledger, day by day and provider by provider: what is missing, and why."""

import csv
import datetime as dt
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import add
from pathlib import Path

from inferometer.errors import LedgerError
from inferometer.meter.record import CLASSES, SELF_HOSTED
from inferometer.meter.rollup import GRAINS
from inferometer.meter.store.opening import Database
from inferometer.meter.store.statements import NANO

DAY = GRAINS[-1]
_COLUMNS: Mapping[str, tuple[str, ...]] = {  # FOCUS names, then those of plain exports
    "day": ("ChargePeriodStart", "date", "day", "start_time"),
    "provider": ("ServiceProviderName", "ProviderName", "provider"),
    "cost": ("BilledCost", "cost_usd", "usd", "cost", "amount"),
}
Key = tuple[str, str]
MOST = 10**12
"""A trillion dollars or tokens in one charge is a fault of the file."""


@dataclass(slots=True, kw_only=True)
class _Billed:
    nano: int = 0
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One day of one provider.

    Attributes:
        day: The day, UTC.
        provider: Provider id.
        bill_nano: Nano-dollars billed.
        ledger_nano: Nano-dollars in the ledger.
        bill_tokens: Tokens billed; None if the bill does not say.
        ledger_tokens: Tokens in the ledger.
        why: What the difference comes from, as far as the rows tell.
    """

    day: str
    provider: str
    bill_nano: int
    ledger_nano: int
    bill_tokens: int | None
    ledger_tokens: int
    why: str

    @property
    def missing_nano(self) -> int:
        """Billed and not in the ledger; negative for what the ledger has beyond the bill."""
        return self.bill_nano - self.ledger_nano


def reconcile(database: Database, bill: Path) -> list[Match]:
    """Return every (day, provider) of a bill, or of the ledger within the bill's days.

    The bill is a CSV file: FOCUS (any version), or one with a day, a provider and dollars. Dollars
    of replicas of our own (`self-hosted`) are shares of what we pay for them; bills of those are
    compared with the shares.

    Raises:
        LedgerError: the bill cannot be read, naming line and column; or the ledger.
    """
    billed = _read(bill)
    days = {day for day, _ in billed}
    try:
        metered = {key: row for key, row in _metered(database).items() if key[0] in days}
    except sqlite3.Error as error:
        raise LedgerError(f"ledger cannot be read: {error}") from None
    return [_match(key, billed.get(key), metered.get(key)) for key in sorted({*billed, *metered})]


def _metered(database: Database) -> dict[Key, tuple[int, int, int, int]]:
    """Return (nano-dollars, tokens, unpriced, estimated) by day and provider."""
    found: dict[Key, tuple[int, int, int, int]] = {}
    for start, provider, *sums in database.execute(
        f"SELECT start, provider, sum({NANO}), sum({' + '.join(CLASSES)}), sum(unpriced), "
        "sum(estimated) FROM rollup WHERE grain = ? AND provider <> 'self-hosted' GROUP BY 1, 2",
        (DAY,),
    ):
        key = _day(start), provider.strip().lower()  # OpenAI and openai send one bill
        nano, tokens, unpriced, estimated = map(add, found.get(key, (0, 0, 0, 0)), sums)
        found[key] = nano, tokens, unpriced, estimated
    for start, nano in database.execute(
        f"SELECT start / {DAY} * {DAY}, sum(allocation) FROM share GROUP BY 1"
    ):
        found[_day(start), SELF_HOSTED] = (nano, 0, 0, 0)
    return found


def _day(start: int) -> str:
    return dt.datetime.fromtimestamp(start, dt.UTC).date().isoformat()


def _match(key: Key, billed: _Billed | None, metered: tuple[int, int, int, int] | None) -> Match:
    bill = billed or _Billed()
    nano, tokens, unpriced, estimated = metered or (0, 0, 0, 0)
    known = bill.nano == nano and not unpriced and not estimated
    return Match(
        day=key[0],
        provider=key[1],
        bill_nano=bill.nano,
        ledger_nano=nano,
        bill_tokens=bill.tokens,
        ledger_tokens=tokens,
        why="" if known else "; ".join(_reasons(billed, metered)),
    )


def _reasons(bill: _Billed | None, metered: tuple[int, int, int, int] | None) -> list[str]:
    if metered is None:
        return ["nothing metered: traffic that did not pass the gateway, or another account's"]
    if bill is None:
        return ["not billed yet, or billed under another name or day"]
    _, tokens, unpriced, estimated = metered
    found = [f"{unpriced} attempts are unpriced"] if unpriced else []
    found += [f"tokens of {estimated} attempts are not as reported"] if estimated else []
    if bill.tokens is not None and bill.tokens > tokens:
        found.append(f"{bill.tokens - tokens} tokens were billed that no row shows")
    elif bill.tokens is not None and bill.tokens < tokens:
        found.append(f"{tokens - bill.tokens} tokens of the ledger were not billed")
    elif bill.tokens == tokens:
        found.append("tokens agree, prices do not: a contract, tier or credit the list lacks")
    return found or ["the bill has no tokens to compare: price or volume"]


def _read(path: Path) -> dict[Key, _Billed]:
    found: dict[Key, _Billed] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            names = _names(path, reader.fieldnames or [])
            for row in reader:
                _add(found, row, names, f"{path}:{reader.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LedgerError(f"{path}: cannot be read: {error}") from None
    if not found:
        raise LedgerError(f"{path}: no charges")
    return found


def _names(path: Path, header: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for what, wanted in _COLUMNS.items():
        column = next((name for name in wanted if name in header), None)
        if column is None:
            raise LedgerError(f"{path}: no column for the {what}; one of {', '.join(wanted)}")
        names[what] = column
    return names


def _add(
    found: dict[Key, _Billed], row: Mapping[str, str | None], names: Mapping[str, str], where: str
) -> None:
    day, provider = row.get(names["day"]) or "", row.get(names["provider"]) or ""
    try:
        date = dt.date.fromisoformat(day[:10]).isoformat()
        amount = round(_bounded(row.get(names["cost"]) or "").scaleb(9))
        units = (row.get("ConsumedUnit") or row.get("PricingUnit") or "").lower()
        given = row.get("ConsumedQuantity") or row.get("PricingQuantity") or ""
        tokens = int(_bounded(given)) if units.startswith("token") and given else None
    except (ValueError, ArithmeticError) as error:
        raise LedgerError(f"{where}: day {day!r:.20} or cost cannot be read: {error}") from None
    own = (row.get("ServiceName") or "") == "Self-hosted inference"
    one = found.setdefault((date, SELF_HOSTED if own else provider.strip().lower()), _Billed())
    one.nano += amount
    if tokens is not None:
        one.tokens = (one.tokens or 0) + tokens


def _bounded(text: str) -> Decimal:
    """Return a number; one that is too large is refused before a million digits are made of it."""
    number = Decimal(text)
    if abs(number) > MOST:
        raise ValueError("beyond a trillion")
    return number
