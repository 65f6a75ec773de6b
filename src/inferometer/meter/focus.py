"""Costs as FOCUS rows, the FinOps Foundation's billing format: version 1.2 or 1.4.

A row per hour, tenant, model and class of tokens; a row per hour, tenant and model for replicas of
our own, whose cost is shared by `chargeback`; idle capacity and head-room as rows of their own.
Attempts without a price are left out, and counted: a bill cannot say "unknown".
"""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.focus_file import COLUMNS
from inferometer.meter.record import CLASSES
from inferometer.meter.rollup import DIMENSIONS, GRAINS, NS
from inferometer.meter.store.opening import Database

METERS = dict(
    zip(
        CLASSES,
        ("Input", "Cached input", "Cache write 5 min", "Cache write 1 h", "Output", "Reasoning"),
        strict=True,
    )
)
METHOD = "inferometer-work-and-cache"
"""Our method of sharing a replica: docs/meter.md."""
HOUR = GRAINS[1]
_PLACES = Decimal(1).scaleb(-18)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who is billed.

    Attributes:
        id: Billing account.
        issuer: Who issues the bill for replicas of our own; providers issue theirs.
    """

    id: str = "inferometer"
    issuer: str = "internal"


def rows(
    database: Database, since_ns: int, until_ns: int, account: Account, version: str
) -> Iterator[dict[str, str]]:
    """Yield FOCUS rows of the hours that begin in a span, by hour and tenant.

    Raises:
        LedgerError: a ledger that cannot be read.
    """
    span = since_ns // NS, until_ns // NS
    try:
        yield from _api(database, span, account, version)
        yield from _own(database, span, account, version)
    except sqlite3.Error as error:
        raise LedgerError(f"costs cannot be read: {error}") from None


def unpriced(database: Database, since_ns: int, until_ns: int) -> int:
    """Return how many attempts of a span no row can show: neither priced nor shared."""
    span = since_ns // NS, until_ns // NS
    without = database.execute(
        "SELECT coalesce(sum(unpriced), 0) FROM rollup "
        "WHERE grain = ? AND start >= ? AND start < ?",
        (HOUR, *span),
    ).fetchone()[0]
    shared = database.execute(
        "SELECT count(DISTINCT request || '/' || attempt) FROM share "
        "WHERE bucket = 'request' AND start >= ? AND start < ?",
        span,
    ).fetchone()[0]
    return max(0, without - shared)


def _api(
    database: Database, span: tuple[int, int], account: Account, version: str
) -> Iterator[dict[str, str]]:
    columns = ["start", *DIMENSIONS, "attempts", "unpriced"]
    columns += [*CLASSES, *(f"nano_{name}" for name in CLASSES)]
    found: Iterable[tuple[Any, ...]] = database.execute(
        f"SELECT {', '.join(columns)} FROM rollup WHERE grain = ? AND start >= ? AND start < ? "
        "AND attempts > unpriced ORDER BY start",
        (HOUR, *span),
    )
    for _, hour in groupby(found, key=itemgetter(0)):
        for values in sorted(hour):  # here, as stores differ in the order of names
            row = dict(zip(columns, values, strict=True))
            for name in CLASSES:
                if row[name] or row[f"nano_{name}"]:
                    yield _token_row(row, name, account, version)


def _token_row(
    row: Mapping[str, str | int], name: str, account: Account, version: str
) -> dict[str, str]:
    served, provider = str(row["served"] or row["model"]), str(row["provider"])
    cost, quantity = Decimal(int(row[f"nano_{name}"])).scaleb(-9), int(row[name])
    line = _common(row, account, cost, provider, provider, version)
    return line | _priced(cost, Decimal(quantity), "Tokens") | {
        "ChargeDescription": cell(f"{METERS[name]} tokens, {served}"),
        "ServiceName": cell(f"{provider} API"),
        "SkuId": cell(f"{provider}/{served}"),
        "SkuMeter": f"{METERS[name]} tokens",
        "SkuPriceId": cell(f"{provider}/{served}/{name}"),
        "ResourceId": cell(str(row["upstream"] or provider)),
        "ResourceName": cell(served),
        "ResourceType": "Model API",
        "x_UnpricedAttempts": str(row["unpriced"]),
    }  # fmt: skip


def _own(
    database: Database, span: tuple[int, int], account: Account, version: str
) -> Iterator[dict[str, str]]:
    found = database.execute(
        "SELECT start, upstream, bucket, tenant, feature, model, sum(seconds), sum(allocation), "
        "sum(usage), sum(energy_uj), sum(carbon_ug), "
        "(SELECT sum(seconds) FROM share w WHERE w.start = s.start AND w.upstream = s.upstream) "
        "FROM share s WHERE start >= ? AND start < ? GROUP BY 1, 2, 3, 4, 5, 6",
        span,
    )
    names = ("start", "upstream", "bucket", "tenant", "feature", "model", "seconds", "allocation",
             "usage", "energy_uj", "carbon_ug", "whole")  # fmt: skip
    for values in sorted(found):
        row = dict(zip(names, values, strict=True))
        if row["seconds"]:
            yield _replica_row(row, account, version)


def _replica_row(
    row: Mapping[str, str | int | float], account: Account, version: str
) -> dict[str, str]:
    upstream, bucket = str(row["upstream"]), str(row["bucket"])
    seconds = Decimal(str(row["seconds"])).quantize(Decimal("0.000001"))
    cost = Decimal(int(row["allocation"])).scaleb(-9)
    tenant = row["tenant"] if bucket == "request" else f"({bucket})"
    line = _common(
        {**row, "tenant": tenant}, account, cost, account.issuer, account.issuer, version
    )
    ratio = round(float(row["seconds"]) / float(row["whole"]), 12)  # sums of floats go by order
    if version != "1.2":
        element = {"AllocatedRatio": ratio, "UsageUnit": "Seconds", "UsageQuantity": float(seconds)}
        line |= {
            "AllocatedMethodId": METHOD,
            "AllocatedMethodDetails": _json({"Elements": [element]}),
            "AllocatedResourceId": cell(f"{upstream}/{tenant}/{row['model']}"),
            "AllocatedResourceName": cell(str(row["model"] or bucket)),
            "AllocatedTags": line["Tags"],
        }
    return line | _priced(cost, seconds, "Seconds") | {
        "ChargeDescription": cell(f"Replica time, {bucket}, {upstream}"),
        "ServiceName": "Self-hosted inference",
        "SkuId": cell(f"self-hosted/{upstream}"),
        "SkuMeter": "Replica time",
        "SkuPriceId": cell(f"self-hosted/{upstream}/hour"),
        "ResourceId": cell(upstream),
        "ResourceName": cell(upstream),
        "ResourceType": "Inference replica",
        "x_UsageCost": _text(Decimal(int(row["usage"])).scaleb(-9)),
        "x_EnergyWattHours": _text(Decimal(int(row["energy_uj"])) / Decimal(3_600_000_000)),
        "x_CarbonGrams": "" if row["carbon_ug"] is None
        else _text(Decimal(int(row["carbon_ug"])).scaleb(-6)),
    }  # fmt: skip


def _common(
    row: Mapping[str, str | int | float],
    account: Account,
    cost: Decimal,
    provider: str,
    issuer: str,
    version: str,
) -> dict[str, str]:
    start = dt.datetime.fromtimestamp(int(row["start"]), dt.UTC)
    hour = start.replace(minute=0, second=0)
    month = start.replace(day=1, hour=0, minute=0, second=0)
    following = (month + dt.timedelta(days=32)).replace(day=1)
    tags = {"feature": row["feature"]} if row["feature"] else {}
    names = (
        {"ProviderName": cell(provider), "PublisherName": cell(provider)}
        if version == "1.2"
        else {"ServiceProviderName": cell(provider), "HostProviderName": cell(provider)}
    )
    return dict.fromkeys(COLUMNS[version], "") | names | {
        "BilledCost": _text(cost),
        "EffectiveCost": _text(cost),
        "ListCost": _text(cost),
        "ContractedCost": _text(cost),
        "BillingAccountId": cell(account.id),
        "BillingAccountName": cell(account.id),
        "BillingAccountType": "Account",
        "BillingCurrency": "USD",
        "BillingPeriodStart": _time(month),
        "BillingPeriodEnd": _time(following),
        "ChargePeriodStart": _time(start),
        "ChargePeriodEnd": _time(hour + dt.timedelta(hours=1)),
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "InvoiceIssuerName": cell(issuer),
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingCurrencyEffectiveCost": _text(cost),
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": cell(str(row["tenant"])),
        "SubAccountName": cell(str(row["tenant"])),
        "SubAccountType": "Tenant",
        "Tags": _json(tags),
    }  # fmt: skip


def _priced(cost: Decimal, quantity: Decimal, unit: str) -> dict[str, str]:
    price = _text((cost / quantity).quantize(_PLACES)) if quantity else "0.0"
    return {
        "ConsumedQuantity": _text(quantity),
        "ConsumedUnit": unit,
        "PricingQuantity": _text(quantity),
        "PricingUnit": unit,
        "ListUnitPrice": price,
        "ContractedUnitPrice": price,
        "PricingCurrencyListUnitPrice": price,
        "PricingCurrencyContractedUnitPrice": price,
    }


def cell(text: str) -> str:
    """Return a name that no spreadsheet takes for a formula, on one line."""
    flat = "".join(one if one.isprintable() else " " for one in text)
    return f"'{flat}" if flat.startswith(_FORMULA) or text.startswith(_FORMULA) else flat


def _text(value: Decimal) -> str:
    plain = f"{value.normalize():f}" if value else "0"
    return (
        plain if "." in plain else f"{plain}.0"
    )  # validators take 5 for an integer, not a decimal


def _time(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
