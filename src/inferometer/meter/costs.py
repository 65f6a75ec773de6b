"""What was spent, by whatever the user asks: read from sums, so that its time is that of groups.

Two kinds of money meet here. Attempts at an API have a price each; attempts on our own replicas
have a share of what those cost, once `chargeback` has made it. Idle capacity, head-room and tokens
that the ledger did not see are rows of their own, so that tenants + unallocated = bill.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from inferometer.errors import LedgerError
from inferometer.meter.record import CLASSES
from inferometer.meter.rollup import DIMENSIONS, GRAINS, NS
from inferometer.meter.store.opening import Database, months
from inferometer.meter.store.statements import INPUTS

HOUR, DAY = GRAINS[1], GRAINS[2]
PERIODS = {"hour": HOUR, "day": DAY}
FROM_ROWS = ("key", "session", "run")
BY = (*DIMENSIONS, *FROM_ROWS, *PERIODS)
"""What costs can be grouped by."""
UNALLOCATED = ("idle", "headroom", "unmetered")
_NANO = " + ".join(f"coalesce(nano_{name}, 0)" for name in CLASSES)
_ONE_IF = "CASE WHEN {} THEN 1 ELSE 0 END"
_SUMS: Mapping[str, tuple[str, ...]] = {  # attempts, unpriced, estimated, tokens and nano-dollars
    "rollup": ("attempts", "unpriced", "estimated", INPUTS, "cache_read",
               "output + reasoning", _NANO),
    "spend": ("attempts", "unpriced", "0", "input_tokens", "0", "output_tokens", "nano"),
    "attempt": ("1", _ONE_IF.format("nano_output IS NULL"), _ONE_IF.format("basis <> 'reported'"),
                INPUTS, "cache_read", "output + reasoning", _NANO),
}  # fmt: skip
_SHARED = {"provider": "'self-hosted'", "served": "model", "key": "''", "session": "''"}
"""Columns that shares do not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One line of a cost report.

    Attributes:
        group: Values of what was asked for, in its order; hours and days as Unix seconds.
        bucket: "request", or an unallocated part: idle, headroom, unmetered.
        attempts: Upstream attempts.
        unpriced: Of these, attempts that have neither a price nor a share.
        estimated: Of these, attempts whose tokens are not as reported in full.
        input_tokens: Prompt tokens, cached ones too.
        cached_tokens: Of these, read from a cache; 0 where runs or keys are asked for.
        output_tokens: Generated tokens, hidden ones too.
        api_nano: Nano-dollars charged by providers.
        allocation_nano: Nano-dollars of our own replicas, allocation basis.
        usage_nano: The same, usage basis.
        energy_uj: Microjoules of our own replicas.
        carbon_ug: Micrograms of CO2e; 0 where the grid is unknown.
    """

    group: tuple[str | int, ...]
    bucket: str = "request"
    attempts: int = 0
    unpriced: int = 0
    estimated: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    api_nano: int = 0
    allocation_nano: int = 0
    usage_nano: int = 0
    energy_uj: int = 0
    carbon_ug: int = 0

    @property
    def nano(self) -> int:
        """All money on the allocation basis: it adds up to the bill."""
        return self.api_nano + self.allocation_nano


def costs(database: Database, by: Sequence[str], since_ns: int, until_ns: int) -> list[Cost]:
    """Return the costs of attempts that began in a span, grouped, dearest first.

    Args:
        database: A ledger.
        by: Names of `BY`.
        since_ns: Begin, Unix nanoseconds.
        until_ns: End, exclusive.

    Raises:
        LedgerError: an unknown name, or an end that no kept sum has.
    """
    if unknown := [name for name in by if name not in BY]:
        raise LedgerError(f"costs by {unknown[0]!r}: one of {', '.join(BY)} is wanted")
    try:
        lines = _charged(database, by, since_ns, until_ns)
        for line in _shares(database, by, since_ns // NS, until_ns // NS):
            key = line.group, line.bucket
            lines[key] = _merged(lines.get(key), line)
    except sqlite3.Error as error:
        raise LedgerError(f"costs cannot be read: {error}") from None
    return sorted(lines.values(), key=lambda line: (-line.nano, line.bucket, line.group))


def _charged(
    database: Database, by: Sequence[str], since_ns: int, until_ns: int
) -> dict[tuple[tuple[str | int, ...], str], Cost]:
    table, where, columns = _source(by, since_ns, until_ns)
    if table == "attempt" and not months(database):
        return {}
    names = [columns.get(name, name) for name in by]
    sums = [f"sum({column})" for column in _SUMS[table]]
    unit = 1 if table == "attempt" else NS
    statement = f"SELECT {', '.join([*names, *sums])} FROM {table} WHERE {where}"
    if names:
        statement += f" GROUP BY {', '.join(str(place + 1) for place in range(len(names)))}"
    found: dict[tuple[tuple[str | int, ...], str], Cost] = {}
    for row in database.execute(statement, (since_ns // unit, until_ns // unit)):
        if row[len(by)]:
            line = Cost(**dict(zip(_FIELDS, (row[: len(by)], *row[len(by) :]), strict=True)))
            found[line.group, line.bucket] = line
    return found


_FIELDS = (
    "group",
    "attempts",
    "unpriced",
    "estimated",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "api_nano",
)


def _source(by: Sequence[str], since_ns: int, until_ns: int) -> tuple[str, str, dict[str, str]]:
    """Return the smallest table that can answer, its condition on time, and its columns."""
    grain = next(
        (one for one in (DAY, HOUR) if since_ns % (one * NS) == until_ns % (one * NS) == 0), 0
    )
    if set(by) <= {*DIMENSIONS, *PERIODS} and grain:
        grain = HOUR if "hour" in by else grain
        columns = {name: f"start / {size} * {size}" for name, size in PERIODS.items()}
        return "rollup", f"grain = {grain} AND start >= ? AND start < ?", columns
    for one in ("run", "key"):
        if set(by) <= {one, "tenant", "day"} and grain == DAY:
            condition = f"dimension = '{one}' AND day >= ? AND day < ?"
            return "spend", condition, {one: "value"}
    columns = {name: f"started_ns / {size * NS} * {size}" for name, size in PERIODS.items()}
    return "attempt", "started_ns >= ? AND started_ns < ?", columns


def _shares(database: Database, by: Sequence[str], since: int, until: int) -> list[Cost]:
    columns = _SHARED | {name: f"start / {size} * {size}" for name, size in PERIODS.items()}
    names = ["bucket", *(columns.get(name, name) for name in by)]
    sums = "count(*), sum(allocation), sum(usage), sum(energy_uj), sum(coalesce(carbon_ug, 0))"
    groups = ", ".join(str(place + 1) for place in range(len(names)))
    found = database.execute(
        f"SELECT {', '.join(names)}, {sums} FROM share "
        f"WHERE start >= ? AND start < ? GROUP BY {groups}",
        (since, until),
    )
    return [_share(row[0], row[1 : len(names)], row[len(names) :]) for row in found]


def _share(bucket: str, group: tuple[str | int, ...], sums: tuple[int, ...]) -> Cost:
    return Cost(
        group=group,
        bucket=bucket,
        unpriced=-sums[0] if bucket == "request" else 0,  # a share is as good as a price
        allocation_nano=sums[1],
        usage_nano=sums[2],
        energy_uj=sums[3],
        carbon_ug=sums[4],
    )


def _merged(line: Cost | None, share: Cost) -> Cost:
    line = line or Cost(group=share.group, bucket=share.bucket)
    return replace(
        line,
        unpriced=max(0, line.unpriced + share.unpriced),
        allocation_nano=share.allocation_nano,
        usage_nano=share.usage_nano,
        energy_uj=share.energy_uj,
        carbon_ug=share.carbon_ug,
    )
