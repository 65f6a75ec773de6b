"""`inferometer reconcile`: a bill against the ledger."""

from contextlib import closing
from pathlib import Path

from inferometer.cli.costs import usd
from inferometer.cli.options import Format
from inferometer.cli.result import plain, show_json, show_rows
from inferometer.meter.reconcile import reconcile as reconciled
from inferometer.meter.store.opening import open_database


def reconcile(
    ledger: str,
    /,
    *,
    bill: Path,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Compare a bill with the ledger, day by day and provider by provider, and say what is missing.

    The bill is a CSV file: FOCUS of any version, or one with a day, a provider and dollars.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address.
        bill: The bill.
        format: A table for people, or JSON.
    """
    with closing(open_database(ledger)) as database:
        found = reconciled(database, bill)
    billed = sum(one.bill_nano for one in found)
    metered = sum(one.ledger_nano for one in found)
    totals = {
        "bill_usd": usd(billed),
        "ledger_usd": usd(metered),
        "missing_usd": usd(billed - metered),
    }
    if format == "json":
        lines = [plain(one) | {"missing_nano": one.missing_nano} for one in found]
        show_json({"lines": lines, **totals})
        return
    show_rows("Bill against ledger", [
        {
            "day": one.day,
            "provider": one.provider,
            "bill USD": usd(one.bill_nano),
            "ledger USD": usd(one.ledger_nano),
            "missing USD": usd(one.missing_nano),
            "why": one.why,
        }
        for one in found
    ])  # fmt: skip
    show_rows("Total", [totals])
