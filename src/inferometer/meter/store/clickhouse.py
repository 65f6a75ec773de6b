"""Raw rows at volume: ClickHouse beside a ledger, which keeps sums, prices and its own copy.

ClickHouse has no transaction that would hold rows and sums together, and does not say which rows
of an insert were new, so it counts nothing: the ledger (SQLite or PostgreSQL) decides that, and
every batch goes to both. Each part takes a row any number of times, hence a batch that reached
only one of them is simply given again, in whatever pieces.

Here a row is named by the sorting key, (request, attempt), of a ReplacingMergeTree. A repeat stays
on disk until a merge drops it, so the table is read with FINAL, through the view `attempt`. FINAL
rather than `argMax`, which skips NULLs and would make one row of two. Of two rows by one name the
first stays, as in every store of ours: a later one has a smaller `precedence`.
"""

import base64
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import get_type_hints
from urllib.parse import urlencode, urlsplit

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.record import LARGEST, Attempt, Ledger
from inferometer.meter.store.statements import COLUMNS

TIMEOUT_S = 30.0
"""Longest wait for an answer of the server. Our own choice: rows wait in the spool meanwhile."""
_SYNCED = ("fsync_after_insert", "fsync_part_directory")
_KINDS = {int: "Int64", bool: "UInt8", str: "String", int | None: "Nullable(Int64)"}
_OK = 200
log = logging.getLogger(__name__)
_lines = msgspec.json.Encoder().encode_lines


class ClickHouseRows:
    """The table `attempt_row` of one database, and the view `attempt` of each row once."""

    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self._parts = urlsplit(url)
        self.where = f"{self._parts.netloc}/{database}"
        self._database = database
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"authorization": f"Basic {token}"}
        self._waits = self._known("settings", ("wait_for_async_insert",))
        synced = self._known("merge_tree_settings", _SYNCED)
        if len(synced) < len(_SYNCED):
            log.warning("%s: too old to sync what it is told to keep: power loss may take rows "
                        "that the ledger has", self.where)  # fmt: skip
        for statement in tables(synced):
            self._ask(statement)

    def append(self, rows: Sequence[Attempt]) -> None:
        """Record rows, those that are there already without effect.

        Raises:
            LedgerError: the server cannot be reached or refused them; some may be recorded.
        """
        if rows:
            self._ask("INSERT INTO attempt_row FORMAT JSONEachRow", _lines(_stored(rows)))

    def _known(self, table: str, names: Sequence[str]) -> list[str]:
        """Return which settings this server has: one that it has not is an error to it."""
        quoted = ", ".join(f"'{name}'" for name in names)
        return self._ask(f"SELECT name FROM system.{table} WHERE name IN ({quoted})").split()

    def _ask(self, statement: str, body: bytes = b"") -> str:
        waits = dict.fromkeys(self._waits, 1) if body else {}
        query = urlencode({"database": self._database, "query": statement, **waits})
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        try:
            with closing(kind(self._parts.netloc, timeout=TIMEOUT_S)) as connection:
                path = f"{self._parts.path.rstrip('/')}/?{query}"
                connection.request("POST", path, body, self._headers)
                answer = connection.getresponse()
                text = answer.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise LedgerError(f"{self.where}: {str(error) or type(error).__name__}") from error
        if answer.status != _OK:
            raise LedgerError(f"{self.where}: status {answer.status}: {text.strip():.300}")
        return text


class LedgerWithRows:
    """A ledger whose rows go to ClickHouse too; safe to share between threads."""

    def __init__(self, ledger: Ledger, rows: ClickHouseRows) -> None:
        self._ledger, self._rows = ledger, rows

    def append(self, rows: Sequence[Attempt]) -> int:
        """Record rows durably in both; return how many were new to the ledger.

        Raises:
            LedgerError: not recorded in both; giving them again mends that.
        """
        fresh = self._ledger.append(rows)
        self._rows.append(rows)
        return fresh

    def remember(self, prices: Iterable[tuple[str, str]]) -> None:
        """Keep price rows in the ledger."""
        self._ledger.remember(prices)

    def close(self) -> None:
        """Close the ledger; no connection to ClickHouse outlives its batch."""
        self._ledger.close()


def tables(synced: Iterable[str]) -> tuple[str, str]:
    """Return the statements that make table and view; `synced` are the settings that sync it."""
    kinds = get_type_hints(Attempt)
    typed = ", ".join(f"{column} {_KINDS.get(kinds[column], 'String')}" for column in COLUMNS)
    settings = ", ".join(f"{name} = 1" for name in synced)
    table = (
        f"CREATE TABLE IF NOT EXISTS attempt_row ({typed}, precedence UInt64) "
        "ENGINE = ReplacingMergeTree(precedence) "
        "PARTITION BY toYYYYMM(toDateTime(intDiv(started_ns, 1000000000), 'UTC')) "
        f"ORDER BY (request, attempt){settings and ' SETTINGS ' + settings}"
    )
    view = f"SELECT {', '.join(COLUMNS)} FROM attempt_row FINAL"
    return table, f"CREATE VIEW IF NOT EXISTS attempt AS {view}"


def _stored(rows: Sequence[Attempt]) -> Iterator[dict[str, object]]:
    first = LARGEST - time.time_ns()
    for place, row in enumerate(rows):
        yield {**row._asdict(), "stream": int(row.stream), "precedence": first - place}
