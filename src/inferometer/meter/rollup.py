"""Rollups: sums over rows that are kept beside them, so that no report scans raw rows.

Two tables. *Rollups* per minute, hour and day by tenant, feature, model asked and served, provider
and upstream; *spend* per day by key and agent run. Both are additive: a batch of rows becomes
deltas, which a store adds in the transaction that records the rows. Deltas come sorted by key, so
that two writers take the rows' locks in one order.
"""

from collections import defaultdict
from collections.abc import Iterable
from operator import add, itemgetter
from typing import NamedTuple

from inferometer.meter.record import CLASSES, FIRST_NANO, FIRST_TOKEN, Attempt

NS = 1_000_000_000
GRAINS = (60, 3600, 86400)
"""Seconds of a rollup: minute, hour, day (UTC); each divides the next."""
_MINUTE_NS, _DAY_MINUTES = GRAINS[0] * NS, GRAINS[2] // GRAINS[0]
_NOTHING = (0,) * len(CLASSES)
DIMENSIONS = ("tenant", "feature", "model", "served", "provider", "upstream")
KEY = ("grain", "start", *DIMENSIONS)
"""Columns that name a rollup; `start` is its first second, Unix time."""
MEASURES = (
    "attempts",
    "failed",
    "unpriced",
    "estimated",
    "duration_ns",
    *CLASSES,
    *(f"nano_{name}" for name in CLASSES),
)
"""Sums of a rollup. `estimated` counts attempts whose tokens are not as reported in full; amounts
leave out the `unpriced`."""
SPEND_KEY = ("day", "dimension", "value", "tenant")
SPEND_MEASURES = ("attempts", "unpriced", "input_tokens", "output_tokens", "nano")

Delta = tuple[int | str, ...]
_Name = tuple[int | str, ...]
_Measures = tuple[int, ...]
_Groups = dict[_Name, list[_Measures]]


class Deltas(NamedTuple):
    """What some rows add to the tables, each sorted by its key.

    Attributes:
        rollup: `KEY`, then `MEASURES`.
        spend: `SPEND_KEY`, then `SPEND_MEASURES`. A row without a key or run counts under "", so
            that each dimension adds up to all rows.
    """

    rollup: list[Delta]
    spend: list[Delta]


_index = Attempt._fields.index
_picked = itemgetter(
    *map(_index, ("started_ns", "ended_ns", "outcome", "basis", "key", "run", *DIMENSIONS)),
    *range(FIRST_TOKEN, FIRST_TOKEN + len(CLASSES)),
    *range(FIRST_NANO, FIRST_NANO + len(CLASSES)),
)


def deltas(rows: Iterable[Attempt]) -> Deltas:
    """Return what rows add to rollups and spend."""
    cells, keys, runs = _grouped(rows)
    return Deltas(_rollup(_summed(cells)), sorted(_spend("key", keys) + _spend("run", runs)))


def _grouped(rows: Iterable[Attempt]) -> tuple[_Groups, _Groups, _Groups]:
    """Return measures of rows by minute and dimensions, by day and key, by day and run.

    In one pass, with every field by its name: picking fields out of a row twice, or by slices,
    takes longer than adding them up, and this is most of what a ledger's writer spends.
    """
    cells, keys, runs = defaultdict(list), defaultdict(list), defaultdict(list)
    for (
        started, ended, outcome, basis, key, run, tenant, feature, model, served, provider,
        upstream, uncached, read, write_5m, write_1h, output, reasoning, *nanos,
    ) in map(_picked, rows):  # fmt: skip
        unpriced = nanos[0] is None
        amounts = _NOTHING if unpriced else nanos
        minute = started // _MINUTE_NS
        cells[minute, tenant, feature, model, served, provider, upstream].append((
            1, outcome != "ok", unpriced, basis != "reported", ended - started,
            uncached, read, write_5m, write_1h, output, reasoning, *amounts,
        ))  # fmt: skip
        inputs, outputs = uncached + read + write_5m + write_1h, output + reasoning
        used = (1, unpriced, inputs, outputs, sum(amounts))
        day = minute // _DAY_MINUTES
        keys[day, key, tenant].append(used)
        runs[day, run, tenant].append(used)
    return cells, keys, runs


def _summed(groups: _Groups) -> dict[_Name, _Measures]:
    """Return the sum of each group, column by column."""
    return {name: tuple(map(sum, zip(*group, strict=True))) for name, group in groups.items()}


def _rollup(level: dict[_Name, _Measures]) -> list[Delta]:
    """Return minutes, and the hours and days that they add up to, each from the level below."""
    found, below = list[Delta](), GRAINS[0]
    for grain in GRAINS:
        level = _coarser(level, grain // below)
        level = {name: level[name] for name in sorted(level)}  # the next is nearly sorted then
        found += [(grain, int(start) * grain, *dimensions, *measures)
                  for (start, *dimensions), measures in level.items()]  # fmt: skip
        below = grain
    return found


def _coarser(level: dict[_Name, _Measures], per: int) -> dict[_Name, _Measures]:
    if per == 1:
        return level
    sums: dict[_Name, _Measures] = {}
    for (start, *dimensions), measures in level.items():
        name = (int(start) // per, *dimensions)
        before = sums.get(name)
        sums[name] = measures if before is None else tuple(map(add, before, measures))
    return sums


def _spend(dimension: str, groups: _Groups) -> list[Delta]:
    sums = _summed(groups)
    return [(int(day) * GRAINS[2], dimension, value, tenant, *sums[day, value, tenant])
            for day, value, tenant in sums]  # fmt: skip
