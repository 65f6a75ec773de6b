"""SQL that SQLite and PostgreSQL share: tables by the records that they hold."""

import datetime as dt
from typing import get_type_hints

from inferometer.meter.record import CLASSES, Attempt
from inferometer.meter.rollup import KEY, MEASURES, NS, SPEND_KEY, SPEND_MEASURES

COLUMNS = Attempt._fields
ATTEMPTS = f"SELECT {', '.join(COLUMNS)} FROM attempt WHERE started_ns >= ? AND started_ns < ?"
INPUTS = " + ".join(CLASSES[: CLASSES.index("output")])
"""Prompt tokens, cached ones too: `Attempt.inputs`."""
NANO = " + ".join(f"nano_{name}" for name in CLASSES)
"""The whole amount of a row or a sum; NULL if a row is unpriced."""
_TEXT = {"tenant", "feature", "model", "served", "provider", "upstream", "dimension", "value"}


def attempts_table(name: str, key: str) -> str:
    """Return the statement that makes a table of attempts with a column for each field."""
    kinds = get_type_hints(Attempt)
    typed = ", ".join(f"{column} {_kind(kinds[column])}" for column in COLUMNS)
    return f"CREATE TABLE {name} ({typed}, PRIMARY KEY ({key}))"


def _kind(hint: object) -> str:
    if hint in {int, bool}:
        return "BIGINT NOT NULL DEFAULT 0"
    return "BIGINT" if hint == int | None else "TEXT NOT NULL DEFAULT ''"


def sums_table(name: str, *, integer: str = "BIGINT") -> str:
    """Return the statement that makes the table `rollup` or `spend`."""
    key, measures = SUMS[name]
    typed = [f"{column} {'TEXT' if column in _TEXT else integer} NOT NULL" for column in key]
    typed += [f"{column} {integer} NOT NULL DEFAULT 0" for column in measures]
    return f"CREATE TABLE {name} ({', '.join(typed)}, PRIMARY KEY ({', '.join(key)}))"


def add_sums(name: str, values: str) -> str:
    """Return the statement that adds deltas to the table `rollup` or `spend`."""
    key, measures = SUMS[name]
    added = ", ".join(f"{column} = {name}.{column} + excluded.{column}" for column in measures)
    return (
        f"INSERT INTO {name} ({', '.join((*key, *measures))}) {values} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {added}"
    )


def month_of(started_ns: int) -> str:
    """Return the partition of a time: `2026_11`, by UTC."""
    return dt.datetime.fromtimestamp(started_ns // NS, dt.UTC).strftime("%Y_%m")


def month_span(month: str) -> tuple[int, int]:
    """Return the first nanosecond of a partition, `2026_11`, and that of the next, by UTC."""
    year, number = map(int, month.split("_"))
    start = dt.datetime(year, number, 1, tzinfo=dt.UTC)
    end = (start + dt.timedelta(days=32)).replace(day=1)
    return int(start.timestamp()) * NS, int(end.timestamp()) * NS


def shares_table(*, integer: str = "BIGINT", real: str = "DOUBLE PRECISION") -> str:
    """Return the statement that makes the table `share`: replicas' costs, by hour and request."""
    whole, text = f"{integer} NOT NULL", "TEXT NOT NULL"
    kinds = {
        "start": whole, "upstream": text, "bucket": text, "request": text, "attempt": whole,
        "tenant": text, "feature": text, "model": text, "run": text, "seconds": f"{real} NOT NULL",
        "allocation": whole, "usage": whole, "energy_uj": whole, "carbon_ug": integer,
        "power": text,
    }  # fmt: skip
    typed = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    key = "start, upstream, bucket, request, attempt"
    return f"CREATE TABLE share ({typed}, PRIMARY KEY ({key}))"


SUMS = {"rollup": (KEY, MEASURES), "spend": (SPEND_KEY, SPEND_MEASURES)}
