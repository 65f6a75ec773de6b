"""FOCUS rows on disk: columns by version, CSV and Parquet."""

import csv
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from inferometer.errors import LedgerError

_TIMES = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
_DECIMALS = (
    *("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ConsumedQuantity"),
    *("PricingQuantity", "ListUnitPrice", "ContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    *("PricingCurrencyListUnitPrice", "PricingCurrencyContractedUnitPrice"),
)
_BOTH = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType"),
    *("BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass"),
    *("ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart"),
    *("ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost"),
    *("InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory"),
    *("PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    *("PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "RegionId", "RegionName"),
    *("ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName"),
    *("ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId"),
    *("SubAccountName", "SubAccountType", "Tags"),
)
_OURS = ("x_UnpricedAttempts", "x_UsageCost", "x_EnergyWattHours", "x_CarbonGrams")
COLUMNS = {
    "1.2": (*_BOTH, "ProviderName", "PublisherName", *_OURS),
    "1.4": (
        *(*_BOTH, "ServiceProviderName", "HostProviderName", "AllocatedMethodId"),
        *("AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName"),
        *("AllocatedTags", *_OURS),
    ),
}
"""Columns by version, as the specification names them; `x_` ones are ours."""


def write(lines: Iterable[Mapping[str, str]], path: Path, version: str) -> int:
    """Write rows as CSV, or Parquet by the suffix `.parquet`; return how many.

    Raises:
        LedgerError: an unknown version, or a file that cannot be written.
    """
    if version not in COLUMNS:
        raise LedgerError(f"FOCUS {version!r}: one of {', '.join(COLUMNS)} is wanted")
    try:
        if path.suffix == ".parquet":
            return _write_parquet(lines, path, version)
        with path.open("w", encoding="utf-8", newline="") as file:
            return _write_csv(lines, file, version)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written: {error.strerror}") from None


def _write_csv(lines: Iterable[Mapping[str, str]], file: IO[str], version: str) -> int:
    writer = csv.DictWriter(file, COLUMNS[version])
    writer.writeheader()
    count = 0
    for line in lines:
        writer.writerow(line)
        count += 1
    return count


def _write_parquet(lines: Iterable[Mapping[str, str]], path: Path, version: str) -> int:
    import duckdb  # noqa: PLC0415 - only this needs it

    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8", newline="") as file:
        count = _write_csv(lines, file, version)
        file.flush()
        typed = [
            f"nullif({name}, '')::DECIMAL(38, 18) AS {name}" if name in _DECIMALS else
            f"{name}::TIMESTAMPTZ AS {name}" if name in _TIMES else f"nullif({name}, '') AS {name}"
            for name in COLUMNS[version]
        ]  # fmt: skip
        with duckdb.connect() as database:
            database.execute("SET TimeZone = 'UTC'")
            database.execute(
                f"COPY (SELECT {', '.join(typed)} FROM read_csv(?, all_varchar = true, "
                "header = true)) TO '" + str(path).replace("'", "''") + "' (FORMAT parquet)",
                [file.name],
            )
    return count
