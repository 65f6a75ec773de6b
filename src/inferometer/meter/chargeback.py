"""A replica's hours in the ledger: cost, energy and carbon of each, shared and kept as rows."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from operator import attrgetter
from typing import NamedTuple

from inferometer.account.split import nanodollars
from inferometer.errors import LedgerError
from inferometer.meter.attribution import (
    HEADROOM,
    IDLE,
    Key,
    Seconds,
    amounts_of,
    corrected,
    shared,
)
from inferometer.meter.readings import Growth, Reading, grown
from inferometer.meter.record import Attempt
from inferometer.meter.rollup import NS
from inferometer.meter.store.opening import Database, exclusive, months
from inferometer.meter.store.statements import ATTEMPTS
from inferometer.meter.work import Work, tokens_time
from inferometer.units import GramsPerJoule, UsdPerSecond, Watts

HOUR_NS = 3600 * NS
LONGEST_NS = 24 * HOUR_NS
"""Longest attempt that is looked for: one that began earlier is taken to have ended by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One copy of a deployment that we pay for by the hour.

    Attributes:
        upstream: Its name in the gateway's configuration.
        cost: What it costs while it is up, used or not.
        work: Its table of modelled work.
        idle_power: Draw with nothing in flight.
        busy_power: Draw at full use.
        carbon: Grid intensity; None if unknown.
        power_label: Where the draw is from: "nvml", "rapl" or "declared".
    """

    upstream: str
    cost: UsdPerSecond
    work: Work
    idle_power: Watts
    busy_power: Watts
    carbon: GramsPerJoule | None = None
    power_label: str = "declared"


class Share(NamedTuple):
    """A request's part of one window, or that of a bucket that is no request.

    Attributes:
        bucket: request, idle, headroom or unmetered.
        row: The attempt; None for a bucket.
        seconds: Replica time held, on the allocation basis.
        allocation: Nano-dollars with idle capacity spread over what was in flight.
        usage: Nano-dollars of capacity in use; head-room apart.
        energy_uj: Microjoules.
        carbon_ug: Micrograms of CO2e; None if the grid is unknown.
    """

    bucket: str
    row: Attempt | None
    seconds: float
    allocation: int
    usage: int
    energy_uj: int
    carbon_ug: int | None


def shares(
    rows: Sequence[Attempt],
    replica: Replica,
    start_ns: int,
    end_ns: int,
    *,
    growth: Growth | None = None,
) -> list[Share]:
    """Return who pays for a replica's window; every column adds up to the window exactly.

    Idle draw goes by the allocation of time, what is drawn beyond it by use.

    Args:
        rows: Attempts on the replica.
        replica: The replica.
        start_ns: Begin of the window, Unix.
        end_ns: Its end.
        growth: What the engine and a meter counted over the window; without it rows are taken to
            be all that was served, and energy is modelled.

    Raises:
        LedgerError: an empty window, or a negative cost, draw or intensity.
    """
    held = _held(rows, replica.work, (start_ns, end_ns), growth)
    whole = (end_ns - start_ns) / NS
    cost = nanodollars(replica.cost * whole)
    allocation, usage = amounts_of(cost, held.allocation), amounts_of(cost, held.usage)
    energy = _energy(replica, held, whole, growth.energy_uj if growth else None)
    carbon = None
    if replica.carbon is not None:
        micrograms = round(sum(energy.values()) * replica.carbon)
        carbon = amounts_of(micrograms, energy) if sum(energy.values()) else energy
    by_key = {(row.request, row.attempt): row for row in rows}
    return [
        Share(
            "request" if key in by_key else key[0],
            by_key.get(key),
            held.allocation.get(key, 0.0),
            allocation.get(key, 0),
            usage.get(key, 0),
            energy.get(key, 0),
            None if carbon is None else carbon.get(key, 0),
        )
        for key in {**held.allocation, **held.usage}
    ]


def _held(
    rows: Sequence[Attempt], work: Work, window: tuple[int, int], growth: Growth | None
) -> Seconds:
    """Return who held the replica; what the engine served beyond the rows is a bucket."""
    held = shared(rows, work, *window)
    if growth is None:
        return held
    fresh = generated = flying = 0.0
    for row in rows:
        inside = min(row.ended_ns, window[1]) - max(row.started_ns, window[0])
        took = row.ended_ns - row.started_ns
        part = max(0, inside) / took if took else 1.0
        fresh += part * (row.uncached_input + row.cache_write_5m + row.cache_write_1h)
        generated += part * (row.output + row.reasoning)
        flying += max(0, inside)
    batch = max(1, round(flying / (window[1] - window[0])))
    return corrected(
        held,
        tokens_time(work, fresh, generated, batch),
        tokens_time(work, growth.fresh, growth.generated, batch),
    )


def _energy(
    replica: Replica, held: Seconds, whole: float, measured_uj: int | None
) -> dict[Key, int]:
    """Return microjoules by who held the replica: the idle draw, then what was beyond it."""
    used = {key: seconds for key, seconds in held.usage.items() if key not in {IDLE, HEADROOM}}
    busy = sum(used.values())
    idle = round(replica.idle_power * whole * 1e6)
    beyond = round((replica.busy_power - replica.idle_power) * busy * 1e6)
    if measured_uj is not None:
        idle = min(idle, measured_uj) if busy > 0 else measured_uj
        beyond = measured_uj - idle
    found = amounts_of(idle, held.allocation)
    if beyond:
        for key, joules in amounts_of(beyond, used).items():
            found[key] = found.get(key, 0) + joules
    return found


def attempts_between(
    database: Database, upstream: str, start_ns: int, end_ns: int
) -> list[Attempt]:
    """Return the attempts on an upstream that were in flight within a window."""
    if not months(database):
        return []
    found = database.execute(
        f"{ATTEMPTS} AND upstream = ? AND ended_ns > ?",
        (start_ns - LONGEST_NS, end_ns, upstream, start_ns),
    )
    in_time = attrgetter("started_ns", "request", "attempt")
    return sorted(starmap(Attempt, found), key=in_time)  # the last nano-dollar goes by order


def attribute(
    database: Database,
    replica: Replica,
    start_ns: int,
    end_ns: int,
    readings: Sequence[Reading] = (),
) -> int:
    """Share a replica's cost over the attempts of a span, hour by hour, and keep the shares.

    An hour that was shared before is shared anew, in one transaction. Where readings cover an hour,
    its energy is the measured one, labelled so, and what the engine served beyond the rows is kept
    as `unmetered`; other hours are modelled.

    Returns:
        Nano-dollars shared.

    Raises:
        LedgerError: the ledger cannot be read or written; see also `shares`.
    """
    total = 0
    try:
        for first, last in _hours(start_ns, end_ns):
            rows = attempts_between(database, replica.upstream, first, last)
            growth = grown(readings, first, last)
            found = shares(rows, replica, first, last, growth=growth)
            measured = growth is not None and growth.energy_uj is not None
            label = growth.power if growth and measured else replica.power_label
            total += sum(share.allocation for share in found)
            _keep(database, replace(replica, power_label=label), first // NS, found)
    except sqlite3.Error as error:
        raise LedgerError(f"shares of {replica.upstream}: {error}") from error
    return total


def _hours(start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a span that lie in one hour each."""
    while start_ns < end_ns:
        edge = min(end_ns, (start_ns // HOUR_NS + 1) * HOUR_NS)
        yield start_ns, edge
        start_ns = edge


def _keep(database: Database, replica: Replica, start: int, found: Sequence[Share]) -> None:
    hour = start // 3600 * 3600
    with exclusive(database, "share"):
        database.execute(
            "DELETE FROM share WHERE start >= ? AND start < ? AND upstream = ?",
            (start, hour + 3600, replica.upstream),
        )
        database.executemany(
            f"INSERT INTO share VALUES ({', '.join('?' * 15)})",
            [(start, replica.upstream, *_columns(one), replica.power_label) for one in found],
        )


def _columns(share: Share) -> tuple[str | int | float | None, ...]:
    row = share.row
    names = ("", 0, "", "", "", "") if row is None else (
        row.request, row.attempt, row.tenant, row.feature, row.model, row.run
    )  # fmt: skip
    return (share.bucket, *names, *share[2:])
