"""What a ledger says of served traffic: how much, how long, how fast, how much was lost."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from statistics import fmean, median

from inferometer.errors import LedgerError
from inferometer.meter.store.opening import open_database
from inferometer.meter.store.statements import INPUTS
from inferometer.units import Duration, Fraction, PerSecond, Seconds

_ROWS = (
    f"SELECT started_ns, ended_ns, ttft_ns, {INPUTS}, cache_read, output + reasoning, outcome "
    "FROM attempt WHERE started_ns >= ? AND started_ns < ? ORDER BY started_ns"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Traffic as it was.

    Attributes:
        span: From the first start to the last end.
        rate: Requests that were answered, per second of it.
        input_tokens: Mean prompt.
        output_tokens: Mean output.
        cached: Share of prompt tokens from the cache.
        ttft: Time to first token, median; None if no row has it.
        tpot: Time per output token after it, median; likewise.
        wasted: Share of attempts that brought nothing.
        requests: Requests that were answered.
    """

    span: Duration
    rate: PerSecond
    input_tokens: float
    output_tokens: float
    cached: Fraction
    ttft: Seconds | None
    tpot: Seconds | None
    wasted: Fraction
    requests: int


def served(ledger: str, first: int, last: int) -> Served:
    """Return what a ledger says of attempts that started within [first, last), Unix nanoseconds.

    Raises:
        LedgerError: no ledger, or nothing was answered then.
    """
    try:
        with closing(open_database(ledger)) as database:
            rows = list(database.execute(_ROWS, (first, last)))
    except sqlite3.Error as error:
        raise LedgerError(f"{ledger}: not a ledger that can be read: {error}") from None
    good = [row for row in rows if row[6] == "ok" and row[5] > 0]
    if not good:
        raise LedgerError(f"{ledger}: none of {len(rows)} attempts was answered in that time")
    span = max((max(row[1] for row in good) - good[0][0]) / 1e9, 1e-9)
    prompts = sum(row[3] for row in good)
    firsts = [row[2] / 1e9 for row in good if row[2] is not None]
    gaps = [
        (row[1] - row[0] - row[2]) / 1e9 / (row[5] - 1)
        for row in good
        if row[2] is not None and row[5] > 1
    ]
    return Served(
        span=span, rate=len(good) / span, requests=len(good),
        input_tokens=prompts / len(good), output_tokens=fmean(row[5] for row in good),
        cached=sum(row[4] for row in good) / max(prompts, 1),
        ttft=median(firsts) if firsts else None, tpot=median(gaps) if gaps else None,
        wasted=1 - len(good) / len(rows),
    )  # fmt: skip
