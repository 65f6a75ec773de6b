"""`inferometer meter` archive, expire, ask, metrics and spans: the ledger for other tools."""

import datetime as dt
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec

from inferometer.cli.costs import FOREVER, instant
from inferometer.cli.options import Format
from inferometer.cli.result import plain, show_json, show_rows
from inferometer.meter import archive as archives
from inferometer.meter import cost_metrics
from inferometer.meter.retention import expire as dropped
from inferometer.meter.spans import metrics_document, post, rows, trace_documents
from inferometer.meter.store.opening import open_database


def archive(ledger: str, folder: Path, /, *, format: Format = "table") -> None:  # noqa: A002
    """Write closed months as Parquet, a file a month; months that have not changed are left.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address.
        folder: Where the files go, as month=2026-10/attempts.parquet.
        format: A table for people, or JSON.
    """
    with closing(open_database(ledger)) as database:
        found = archives.archive(database, folder, dt.datetime.now(dt.UTC))
    lines = [plain(one) | {"file": str(one.file)} for one in found]
    if format == "json":
        show_json({"months": lines})
    else:
        show_rows("Archive", lines)


def expire(ledger: str, before: str, /, *, format: Format = "table") -> None:  # noqa: A002
    """Drop the attempts of old months; their costs stay in all reports that read sums.

    What reads attempts (attribute, spans, archive, a trace from the ledger) does not see these
    months again: archive them first. On a file, the space is used again, not given back.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address.
        before: First month that stays, as 2026-10.
        format: A table for people, or JSON.
    """
    with closing(open_database(ledger, read_only=False)) as database:
        found = dropped(database, before, dt.datetime.now(dt.UTC))
    lines = [plain(one) for one in found]
    if format == "json":
        show_json({"dropped": lines})
    else:
        show_rows("Dropped", lines)


def ask(folder: Path, question: str, /, *, format: Format = "table") -> None:  # noqa: A002
    """Answer a question in SQL about the view `attempts`: an archive's months, in DuckDB.

    As in: SELECT tenant, sum(nano) / 1e9 AS usd FROM attempts GROUP BY tenant

    Args:
        folder: The archive.
        question: One SQL statement. It can read the archive and nothing else.
        format: A table for people, or JSON.
    """
    names, found = archives.ask(folder, question)
    lines = [dict(zip(names, row, strict=True)) for row in found]
    if format == "json":
        show_json({"rows": lines})
    else:
        show_rows("Answer", lines)


def metrics(ledger: str, /) -> None:
    """Print the ledger's money as Prometheus text: cost an hour and per million tokens by model.

    For a textfile collector: write it to a file beside its name, then move it there.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address.
    """
    with closing(open_database(ledger)) as database:
        sys.stdout.write(cost_metrics.text(database, int(time.time())))


def spans(ledger: str, /, *, since: str = "", until: str = "", endpoint: str = "") -> None:
    """Write attempts as OpenTelemetry GenAI spans and metrics: OTLP/JSON lines, or to a collector.

    Args:
        ledger: The ledger, a SQLite file or a postgresql:// address.
        since: First day or instant (UTC).
        until: End, exclusive.
        endpoint: OTLP/HTTP collector, as http://127.0.0.1:4318; without one, lines on stdout.
    """
    first, last = instant(since, "since", 0), instant(until, "until", FOREVER)
    count = 0
    with closing(open_database(ledger)) as database:
        for document in trace_documents(rows(database, first, last)):
            count += 1
            _out(endpoint, "/v1/traces", document)
        _out(endpoint, "/v1/metrics", metrics_document(rows(database, first, last)))
    if endpoint:
        sys.stderr.write(f"{endpoint}: {count} documents of spans and one of metrics\n")


def _out(endpoint: str, path: str, document: dict[str, object]) -> None:
    if endpoint:
        post(endpoint, path, document)
    else:
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
