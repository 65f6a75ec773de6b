"""Files of one row per request: JSON Lines, or Parquet, written part by part."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from inferometer.errors import ScenarioError
from inferometer.simulate.records import Records
from inferometer.simulate.stream import Sink
from inferometer.workload.trace import Ints

STATUS = ("in flight", "finished", "rejected", "timed out", "lost")
"""Names of `state.Request.status`."""

TIMES = ("asked", "arrival", "admitted", "first_token", "finished")


def record_file(path: Path, names: tuple[str, ...]) -> AbstractContextManager[Sink]:
    """Return what takes requests and writes them, once closed, as .jsonl or .parquet.

    Args:
        path: The file.
        names: Tenants by `Records.group`.

    Raises:
        ScenarioError: another suffix, or a file that cannot be written.
    """
    writers = {".jsonl": _lines, ".parquet": _parquet}
    if path.suffix not in writers:
        raise ScenarioError(f"--records {path}: records are saved as .jsonl or .parquet")
    return writers[path.suffix](path, names)


def columns_of(records: Records, numbers: Ints, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the columns of a file: times in milliseconds, masked where it did not happen.

    Args:
        records: The requests.
        numbers: Their places in the trace [request].
        names: Tenants by `Records.group`.
    """
    columns: dict[str, Any] = {"request": numbers}
    if len(names) > 1:
        columns["tenant"] = np.array(names)[records.group]
    columns["status"] = np.array(STATUS)[records.status]
    for name in TIMES:
        values = getattr(records, name)
        happened = (values >= 0) & np.isfinite(values)
        columns[f"{name}_ms"] = np.ma.array(np.where(happened, values * 1e3, 0), mask=~happened)
    return columns | {
        "input_tokens": records.prompt,
        "output_tokens": records.output,
        "cached_tokens": records.cached,
        "lane": records.lane,
        "preemptions": records.preemptions,
        "attempts": records.attempts,
    }


@contextmanager
def _lines(path: Path, names: tuple[str, ...]) -> Iterator[Sink]:
    try:
        with path.open("wb") as file:
            yield lambda records, numbers: _write(file, columns_of(records, numbers, names))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be written: {error.strerror}") from error


def _write(file: BinaryIO, columns: dict[str, Any]) -> None:
    encode = msgspec.json.Encoder().encode
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    file.writelines(encode(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)


@contextmanager
def _parquet(path: Path, names: tuple[str, ...]) -> Iterator[Sink]:
    import duckdb

    with tempfile.TemporaryDirectory() as folder, duckdb.connect(f"{folder}/rows") as database:

        def take(records: Records, numbers: Ints) -> None:
            part = columns_of(records, numbers, names)
            if "tenant" in part:
                part["tenant"] = part["tenant"].astype(object)
            part["status"] = part["status"].astype(object)
            database.register("part", part)
            database.execute("CREATE TABLE IF NOT EXISTS rows AS SELECT * FROM part LIMIT 0")
            database.execute("INSERT INTO rows SELECT * FROM part")

        yield take
        try:
            named = str(path).replace("'", "''")
            database.execute(f"COPY rows TO '{named}' (FORMAT parquet, COMPRESSION zstd)")
        except duckdb.Error as error:
            raise ScenarioError(f"{path}: cannot be written: {error}") from error
