"""Rollups: sums over rows that are kept beside them, so that no report scans raw rows.

Two tables. *Rollups* per minute, hour and day by tenant, feature, model asked and served, provider
and upstream; *spend* per day by key and agent run. Both are additive: a batch of rows becomes
deltas, which a store adds in the transaction that records the rows. Deltas come sorted by key, so
that two writers take the rows' locks in one order.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import add, itemgetter
from typing import Any

from inferometer.meter.record import CLASSES, FIRST_NANO, FIRST_TOKEN, Attempt

NS = 1_000_000_000
GRAINS = (60, 3600, 86400)
"""Seconds of a rollup: minute, hour, day (UTC)."""
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

_index = Attempt._fields.index
_dimensions: Callable[[Attempt], tuple[str, ...]] = itemgetter(*map(_index, DIMENSIONS))
_used = itemgetter(
    *range(FIRST_TOKEN, FIRST_TOKEN + len(CLASSES)), *range(FIRST_NANO, FIRST_NANO + len(CLASSES))
)
_ended = itemgetter(*map(_index, ("started_ns", "ended_ns", "outcome", "basis")))
_INPUTS = CLASSES.index("output")
"""Classes before this one are input."""


def rollups(rows: Iterable[Attempt]) -> list[Delta]:
    """Return deltas of the rollup table, sorted: `KEY` then `MEASURES`."""
    groups: defaultdict[tuple[int | str, ...], list[Attempt]] = defaultdict(list)
    shortest = GRAINS[0] * NS
    for row in rows:
        groups[row.started_ns // shortest, *_dimensions(row)].append(row)
    sums: dict[tuple[int | str, ...], list[int]] = {}
    for (minute, *dimensions), group in groups.items():
        measures, second = _measures(group), int(minute) * GRAINS[0]
        for grain in GRAINS:
            key = (grain, second - second % grain, *dimensions)
            before = sums.get(key)
            sums[key] = measures if before is None else list(map(add, before, measures))
    return [(*key, *sums[key]) for key in sorted(sums)]


def _measures(group: Sequence[Attempt]) -> list[int]:
    """Return the sums over some rows, column by column: a fraction of the time of row by row."""
    started, ended, outcomes, bases = zip(*map(_ended, group), strict=True)
    columns: list[Any] = list(zip(*map(_used, group), strict=True))
    unpriced = columns[len(CLASSES)].count(None)
    if unpriced:
        columns = [[value or 0 for value in column] for column in columns]
    return [
        len(group),
        len(group) - outcomes.count("ok"),
        unpriced,
        len(group) - bases.count("reported"),
        sum(ended) - sum(started),
        *map(sum, columns),
    ]


def spend(rows: Iterable[Attempt]) -> list[Delta]:
    """Return deltas of the spend table, sorted: `SPEND_KEY` then `SPEND_MEASURES`.

    A row without a key or run counts under "", so that each dimension adds up to all rows.
    """
    sums: dict[tuple[int, str, str, str], tuple[int, ...]] = {}
    day_ns = GRAINS[2] * NS
    for row in rows:
        start, tenant = row.started_ns // day_ns * GRAINS[2], row.tenant
        tokens, nano = row.tokens, row.nanos
        used = (1, nano is None, sum(tokens[:_INPUTS]), sum(tokens[_INPUTS:]), nano or 0)
        for key in ((start, "key", row.key, tenant), (start, "run", row.run, tenant)):
            before = sums.get(key)
            sums[key] = used if before is None else tuple(map(add, before, used))
    return [(*key, *sums[key]) for key in sorted(sums)]
