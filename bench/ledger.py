"""The ledger: durable rows a second, a month's report, ad-hoc questions: `bench/ledger.py --json`.

Rows are time-ordered: 50 tenants with 4 keys each, 5 features, 8 models, runs of 20 requests. Every
commit is synced to disk. The report is `inferometer costs --by tenant,model` over a month's
rollups; its ledger gets the rollups of `--rows` requests (10^7 unless told otherwise) without their
raw rows, which the report never reads. Ad-hoc questions: DuckDB over Parquet files of 5 million
rows.
"""

import argparse
import gc
import json
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from inferometer.meter.costs import costs
from inferometer.meter.record import CLASSES, Attempt
from inferometer.meter.rollup import NS, deltas
from inferometer.meter.spool import Spool
from inferometer.meter.store.sqlite import SqliteLedger, connect
from inferometer.meter.store.statements import SUMS, add_sums

START_NS = 1_764_547_200 * NS
"""2025-12-01T00:00:00Z."""
MONTH_S = 31 * 86_400
AMOUNTS: dict[str, Any] = {f"nano_{name}": 1000 for name in CLASSES}
ROWS, BATCH, ADHOC = 100_000, 10_000, 5_000_000
SAMPLE = 100_000
"""Requests of the report's ledger; their measures are scaled: a report reads groups."""


def requests(count: int, first: int = 0, span_s: float = 600.0) -> list[Attempt]:
    """Return rows spread evenly over a span."""
    draw = random.Random(first)  # noqa: S311 - a benchmark's traffic
    return [one(draw, number, round(number / (first + count) * span_s * NS))
            for number in range(first, first + count)]  # fmt: skip


def one(draw: random.Random, number: int, offset_ns: int) -> Attempt:
    """Return one row: runs of 20 requests, each of one tenant, by one of its four keys."""
    started, run = START_NS + offset_ns, number // 20
    tenant = run * 7919 % 50
    return Attempt(
        f"{started:016x}-{number:08x}",
        1,
        started,
        started + 2 * NS,
        f"tenant-{tenant}",
        key=f"key-{tenant}-{run % 4}",
        feature=f"feature-{draw.randrange(5)}",
        session=f"session-{number // 40}",
        run=f"run-{run}",
        model=f"model-{draw.randrange(8)}",
        provider="openai",
        upstream="api",
        route="chat",
        status=200,
        ttft_ns=300_000_000,
        uncached_input=draw.randrange(4000),
        cache_read=1000,
        output=300,
        price="openai/model@2025-01-01#00000000",
        priced_from="2025-01-01",
        **AMOUNTS,
    )  # fmt: skip


def durable(folder: Path) -> tuple[float, float]:
    """Return rows a second that a ledger takes in batches, sums included, and CPU us per row."""
    rows = requests(ROWS)
    gc.collect()
    gc.freeze()  # the rows to come are the benchmark's, not the ledger's, to look after
    with closing(SqliteLedger(folder / "ledger.db")) as ledger:
        start, busy = time.perf_counter(), time.process_time()
        for first in range(0, ROWS, BATCH):
            ledger.append(rows[first : first + BATCH])
        seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    return ROWS / seconds, cpu / ROWS * 1e6


def spooled(folder: Path) -> float:
    """Return microseconds that the gateway's thread spends on recording a row."""
    rows = requests(20_000)
    with closing(SqliteLedger(folder / "spooled.db")) as ledger:
        spool = Spool(folder / "spool", ledger)
        start = time.thread_time()
        for row in rows:
            spool.append(row)
        spent = time.thread_time() - start
        spool.close()
    return spent / len(rows) * 1e6


def report(folder: Path, count: int) -> tuple[float, int]:
    """Return seconds of a month's report by tenant and model, and the requests that it covers."""
    path = folder / "month.db"
    with closing(SqliteLedger(path)):
        pass
    sums = deltas(requests(SAMPLE, span_s=MONTH_S)).rollup
    key = len(SUMS["rollup"][0])
    scaled = [
        (*delta[:key], *(int(value) * (count // SAMPLE) for value in delta[key:]))
        for delta in sums
        if int(delta[0]) >= 3600
    ]
    with closing(connect(path)) as database:
        database.execute("BEGIN")
        marks = f"VALUES ({', '.join('?' * len(scaled[0]))})"
        database.executemany(add_sums("rollup", marks), scaled)
        database.execute("COMMIT")
    with closing(connect(path, read_only=True)) as database:
        start = time.perf_counter()
        lines = costs(database, ["tenant", "model"], START_NS, START_NS + MONTH_S * NS)
        return time.perf_counter() - start, sum(line.attempts for line in lines)


def ad_hoc(folder: Path) -> float:
    """Return seconds of a group-by over 5 million rows in Parquet, one thread."""
    target = folder / "month.parquet"
    with duckdb.connect() as database:
        database.execute("SET threads = 1")
        database.execute(
            f"COPY (SELECT {START_NS} + i * 500000000 AS started_ns, 't' || (i * 7919 % 50) AS "
            "tenant, 'm' || (i * 31 % 8) AS model, 100 + i % 4000 AS uncached_input, "
            f"10 + i % 900 AS output, i * 97 % 1000000 AS nano FROM range({ADHOC}) t(i)) "
            f"TO '{target}' (FORMAT parquet)"
        )
        start = time.perf_counter()
        database.execute(
            "SELECT started_ns // 86400000000000, tenant, model, sum(uncached_input), "
            "sum(output), sum(nano) FROM read_parquet(?) GROUP BY 1, 2, 3",
            [str(target)],
        ).fetchall()
        return time.perf_counter() - start


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="requests of the month")
    parser.add_argument(
        "--json", action="store_true", help="one JSON line, which is printed anyway"
    )
    options = parser.parse_args()
    if options.rows < SAMPLE or options.rows % SAMPLE:
        parser.error(f"--rows: a multiple of {SAMPLE:,} is wanted")
    count = options.rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, covered = report(folder, count)
        rate, cpu = durable(folder)
        figures = {
            "ledger_rows_per_s": rate,
            "ledger_cpu_us_per_row": cpu,
            "spool_us_per_row": spooled(folder),
            "month_report_s": seconds,
            "month_report_requests": covered,
            "parquet_group_by_s": ad_hoc(folder),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
