"""A file of one's own grid: carbon intensity by the hour, read and folded to a day or a week."""

import csv
import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from inferometer.errors import CatalogError
from inferometer.units import GramsPerJoule

HOURS_PER_DAY, HOURS_PER_WEEK = 24, 168
KILOWATT_HOUR = 3.6e6
"""Joules."""
HIGHEST = 2000.0
"""g/kWh that no grid reaches: lignite alone emits about 1,200. Above it the unit is another one."""
FAULTS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class GridHours:
    """Carbon intensity of each hour of a typical day or week.

    Attributes:
        values: Intensity by hour from midnight: 24, or 168 from Monday's midnight.
        name: Where they came from.
        assumed: Whether no measurement stands behind the hours.
    """

    values: tuple[GramsPerJoule, ...]
    name: str
    assumed: bool = False


def read_grid_hours(path: Path) -> GridHours:
    """Return the intensities of a CSV file.

    Columns: `hour` (0, 1, 2 ...) or `datetime` (ISO 8601, one row per hour), and `g_per_kwh`. 24
    rows are a day, 168 a week from Monday; longer files are folded: with times onto the hours of
    the week, without onto the hours of the day.

    Raises:
        CatalogError: unreadable, a column missing, a value that is no intensity in g/kWh, hours
            that repeat, are missing or do not fill whole days; the first faults with their lines.
    """
    rows = _rows(path)
    names = rows[0].keys() if rows else ()
    clock = next((name for name in ("hour", "datetime") if name in names), None)
    if clock is None or "g_per_kwh" not in names:
        raise CatalogError(
            f"{path}: wanted are a column 'g_per_kwh' and a column 'hour' or 'datetime'; "
            f"it has: {', '.join(names) or 'no rows'}"
        )
    values = _values(path, rows)
    starts = _starts_of_times(path, rows) if clock == "datetime" else _starts_of_hours(path, rows)
    if len(values) % HOURS_PER_DAY:
        raise CatalogError(f"{path}: {len(values)} hours; whole days of 24 are wanted")
    folded = _folded(values, starts, week=clock == "datetime" or len(values) == HOURS_PER_WEEK)
    return GridHours(values=tuple((folded / KILOWATT_HOUR).tolist()), name=str(path))


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: cannot be read: {error}") from error
    table = csv.reader(io.StringIO(text))
    header = [name.strip().lower() for name in next(table, [])]
    rows = [dict(zip(header, cells, strict=False)) for cells in table if cells]
    if any(len(row) != len(header) for row in rows):
        raise CatalogError(f"{path}: a row has fewer cells than the header")
    return rows


def _values(path: Path, rows: Sequence[dict[str, str]]) -> np.ndarray:
    faults, found = list[str](), list[float]()
    for line, row in enumerate(rows, start=2):
        text = row["g_per_kwh"].strip()
        try:
            found.append(float(text))
        except ValueError:
            faults.append(f"line {line}: {text!r} is no number")
            continue
        if not 0 <= found[-1] <= HIGHEST:
            faults.append(f"line {line}: {text} is not within 0 and {HIGHEST:g} g/kWh")
    _refuse(path, faults)
    values = np.array(found)
    if 0 < values.max() < 1:
        raise CatalogError(
            f"{path}: the highest value is {values.max():g} g/kWh; kg/kWh? multiply by 1,000"
        )
    return values


def _starts_of_hours(path: Path, rows: Sequence[dict[str, str]]) -> np.ndarray:
    """Return 0, 1, 2 ..., what the column `hour` has to hold."""
    wrong = [
        f"line {line}: hour is {row['hour'].strip()!r}, {place} is wanted"
        for line, (place, row) in enumerate(enumerate(rows), start=2)
        if row["hour"].strip() != str(place)
    ]
    _refuse(path, wrong)
    return np.arange(len(rows))


def _starts_of_times(path: Path, rows: Sequence[dict[str, str]]) -> np.ndarray:
    """Return the hour since a Monday's midnight of every row, by the clock that the file keeps."""
    faults, times = list[str](), list[dt.datetime]()
    for line, row in enumerate(rows, start=2):
        text = row["datetime"].strip()
        try:
            times.append(dt.datetime.fromisoformat(text))
        except ValueError:
            faults.append(f"line {line}: {text!r} is no time such as 2026-01-31T13:00")
    _refuse(path, faults)
    aware = {time.tzinfo is not None for time in times}
    if len(aware) > 1:
        raise CatalogError(f"{path}: some times state a zone and some do not")
    hour = dt.timedelta(hours=1)
    gaps = [
        f"line {line}: {after} does not follow {before} by one hour"
        for line, (before, after) in enumerate(pairwise(times), start=3)
        if after - before != hour
    ]
    _refuse(path, gaps)
    first = times[0].weekday() * HOURS_PER_DAY + times[0].hour
    return np.arange(len(times)) + first


def _folded(values: np.ndarray, starts: np.ndarray, *, week: bool) -> np.ndarray:
    """Return the mean of each hour of a week, of a day where there is less than a week."""
    period = HOURS_PER_WEEK if week and len(values) >= HOURS_PER_WEEK else HOURS_PER_DAY
    place = starts % period
    return np.bincount(place, values, period) / np.bincount(place, minlength=period)


def _refuse(path: Path, faults: list[str]) -> None:
    if faults:
        more = len(faults) - FAULTS_SHOWN
        shown = faults[:FAULTS_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        raise CatalogError("\n".join(f"{path}: {fault}" for fault in shown))
