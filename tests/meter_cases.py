"""Rows of the ledger for tests, made from a seed."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from inferometer.errors import LedgerError
from inferometer.meter.record import CLASSES, Attempt
from inferometer.meter.rollup import MEASURES
from inferometer.meter.store.sqlite import connect

START_NS = 1_764_547_200_000_000_000  # 2025-12-01T00:00:00Z
MINUTE_NS = 60_000_000_000


def attempt(number: int, **changes: Any) -> Attempt:
    """One row; neighbours differ in time, tenant and model."""
    started = START_NS + number * 7 * MINUTE_NS
    row = Attempt(
        f"req-{number:08d}",
        1,
        started,
        started + 2_000_000_000,
        f"tenant-{number % 3}",
        key=f"key-{number % 3}",
        feature=f"feature-{number % 2}",
        run=f"run-{number // 4}",
        model=f"model-{number % 2}",
        served=f"model-{number % 2}-2025",
        provider="openai",
        upstream="api",
        route="chat",
        status=200,
        ttft_ns=300_000_000,
        uncached_input=100 + number,
        cache_read=40,
        output=7,
        reasoning=3,
        **amounts(number + 1),
    )
    return row._replace(**changes)


def amounts(nanos: Any) -> dict[str, Any]:
    """The same amount for every class of tokens."""
    return {f"nano_{name}": nanos for name in CLASSES}


def attempts(count: int, seed: int = 1) -> Iterator[Attempt]:
    """Rows of a mixed day: some unpriced, some failed, some estimated."""
    draw = random.Random(seed)  # noqa: S311
    for number in range(count):
        row = attempt(number, uncached_input=draw.randrange(4000), output=draw.randrange(900))
        if draw.random() < 0.1:
            row = row._replace(**amounts(None))
        if draw.random() < 0.1:
            row = row._replace(outcome="client_gone", basis="estimated")
        yield row


def stored(path: Path) -> list[Attempt]:
    """All rows of a ledger file, by request."""
    with closing(connect(path, read_only=True)) as database:
        columns = ", ".join(Attempt._fields)
        rows = database.execute(f"SELECT {columns} FROM attempt ORDER BY 1, 2")  # noqa: S608
        return [Attempt(*row) for row in rows]


def sums(path: Path, grain: int = 86400) -> Counter[str]:
    """What the rollups of one grain add up to."""
    with closing(connect(path, read_only=True)) as database:
        measures = ", ".join(f"sum({name})" for name in MEASURES)
        found = database.execute(f"SELECT {measures} FROM rollup WHERE grain = ?", (grain,))  # noqa: S608
        return Counter(dict(zip(MEASURES, found.fetchone(), strict=True)))


class Away:
    """A ledger that can be taken away and brought back; keeps each row once."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Attempt] = {}
        self.away = False

    def append(self, rows: Sequence[Attempt]) -> int:
        if self.away:
            raise LedgerError("database is away")
        if any(row.output < 0 for row in rows):
            raise LedgerError("a row is refused")
        fresh = {(row.request, row.attempt): row for row in rows}
        self.rows = fresh | self.rows
        return len(fresh)

    def remember(self, prices: Iterable[tuple[str, str]]) -> None:
        del prices

    def close(self) -> None:
        pass
