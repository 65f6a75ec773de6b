"""Inferometer's own columns as Parquet, through DuckDB, which brings no further dependency."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.errors import WorkloadError
from inferometer.workload.formats.columns import Columns, trace_of
from inferometer.workload.formats.lines import regular_file
from inferometer.workload.trace import Trace

if TYPE_CHECKING:
    import duckdb

_WHOLE = {f"{sign}{kind}" for sign in ("", "U") for kind in ("TINYINT", "SMALLINT", "INTEGER")}
_WHOLE |= {"BIGINT"}
_REAL = {"DOUBLE", "FLOAT"} | _WHOLE
_KINDS = {
    "arrival_s": _REAL,
    "input_tokens": _WHOLE,
    "output_tokens": _WHOLE,
    "session": _WHOLE,
    "tenant": {"VARCHAR"},
    "hash_ids": {f"{kind}[]" for kind in _WHOLE},
    "block_size": _WHOLE,
}
MOST_ROWS = 50_000_000
"""Requests of a file that is read as a whole: 1.2 GB of columns."""

MOST_HASHES = 250_000_000
"""Block hashes likewise: 2 GB. Both compress so well that the file's size tells neither."""

_REQUIRED = ("arrival_s", "input_tokens", "output_tokens")
_SCHEMA = (
    "{arrival_s: 'DOUBLE', input_tokens: 'BIGINT', output_tokens: 'BIGINT', session: 'BIGINT',"
    " tenant: 'VARCHAR', hash_ids: 'BIGINT[]', block_size: 'BIGINT'}"
)


def read_parquet(path: Path) -> Columns:
    """Return the requests of a Parquet file in Inferometer's own columns.

    Raises:
        WorkloadError: not Parquet, a column missing or of another type, an empty cell, more rows
            than fit.
    """
    import duckdb  # noqa: PLC0415 - a tenth of a second that text formats need not spend

    regular_file(path)
    with duckdb.connect() as database:
        if (size := _size(path, database)) > MOST_ROWS:
            raise WorkloadError(
                f"{path}: {size:,} requests; {MOST_ROWS:,} are the most that are held at once:"
                " split it, or play it with `simulate --stream`"
            )
        return _rows(path, database, "true")


def parquet_parts(path: Path, rows: int) -> Iterator[Trace]:
    """Yield the requests of a Parquet file, some at a time, in the order of the file.

    Args:
        path: The file, in Inferometer's own columns, sorted by arrival.
        rows: Rows of one part.

    Raises:
        WorkloadError: as `read_parquet`.
    """
    import duckdb  # noqa: PLC0415

    regular_file(path)
    with duckdb.connect() as database:
        size = _size(path, database)
        for start in range(0, size, rows):
            part = f"file_row_number BETWEEN {start} AND {start + rows - 1}"
            yield trace_of(_rows(path, database, part, start), absolute=True).trace


def _size(path: Path, database: "duckdb.DuckDBPyConnection") -> int:
    import duckdb  # noqa: PLC0415

    try:
        counted = database.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise WorkloadError(f"{path}: not readable as Parquet: {_printable(error)}") from error
    size = int(counted[0][0])
    if size == 0:
        raise WorkloadError(f"{path}: no usable requests; give another file")
    return size


def _rows(path: Path, database: "duckdb.DuckDBPyConnection", where: str, start: int = 0) -> Columns:
    """Return the rows of a file for which `where` holds; the first of them is row `start`."""
    import duckdb  # noqa: PLC0415

    try:
        file = database.read_parquet(str(path), file_row_number=True)
        kinds = {name: str(kind) for name, kind in zip(file.columns, file.types, strict=True)}
        _check(path, kinds)
        part = file.filter(where)
        _check_hashes(path, part if "hash_ids" in kinds else None)
        found = [name for name in _KINDS if name in kinds and name != "hash_ids"]
        table = part.project(", ".join(found)).fetchnumpy()
        blocks, hashes = (
            (
                part.project("len(hash_ids) AS blocks").fetchnumpy()["blocks"],
                part.project("unnest(hash_ids) AS hash").fetchnumpy()["hash"],
            )
            if "hash_ids" in kinds
            else (np.ma.masked_all(0, np.int64), np.empty(0, np.int64))
        )
    except duckdb.Error as error:
        raise WorkloadError(f"{path}: not readable as Parquet: {_printable(error)}") from error
    return _columns(path, table, blocks, hashes, start)


def _check_hashes(path: Path, part: "duckdb.DuckDBPyRelation | None") -> None:
    total = part.aggregate("sum(len(hash_ids))").fetchall()[0][0] if part is not None else 0
    if (total or 0) > MOST_HASHES:
        raise WorkloadError(
            f"{path}: {total:,} block hashes; {MOST_HASHES:,} are the most that are held at once:"
            " split it"
        )


def _printable(error: Exception) -> str:
    """Return the start of a message that may echo bytes of the file."""
    return "".join(filter(str.isprintable, str(error)))[:60]


def _check(path: Path, kinds: dict[str, str]) -> None:
    for name in _REQUIRED:
        if name not in kinds:
            raise WorkloadError(f"{path}: column {name!r} is missing; found: {', '.join(kinds)}")
    for name in _KINDS.keys() & kinds.keys():
        if kinds[name] not in _KINDS[name]:
            wanted = ", ".join(sorted(_KINDS[name]))
            raise WorkloadError(f"{path}: column {name!r} is {kinds[name]}; wanted: {wanted}")


def _columns(path: Path, table: dict[str, Any], blocks: Any, hashes: Any, start: int) -> Columns:
    columns = Columns(path=path)
    columns.arrival.frombytes(_full(path, table, "arrival_s", np.float64).tobytes())
    columns.inputs.frombytes(_full(path, table, "input_tokens", np.int64).tobytes())
    columns.outputs.frombytes(_full(path, table, "output_tokens", np.int64).tobytes())
    columns.lines.extend(range(start + 1, start + len(columns.inputs) + 1))
    if _given(table, "session"):
        columns.session.frombytes(_full(path, table, "session", np.int64).tobytes())
    if _given(table, "tenant"):
        columns.tenant = _full(path, table, "tenant", np.object_).tolist()
    if _given({"blocks": blocks}, "blocks"):
        counts = _full(path, {"blocks": blocks}, "blocks", np.int64)
        columns.blocks.frombytes(counts.tobytes())
        columns.hashes.frombytes(_full(path, {"hash": hashes}, "hash", np.int64).tobytes())
        columns.block_size = _block_size(path, table)
    return columns


def _given(table: dict[str, Any], name: str) -> bool:
    """Return whether any cell of the column holds a value."""
    return name in table and len(table[name]) > 0 and not np.ma.getmaskarray(table[name]).all()


def _full(path: Path, table: dict[str, Any], name: str, kind: Any) -> Any:
    empty = np.ma.getmaskarray(table[name])
    if empty.any():
        raise WorkloadError(f"{path}: row {int(empty.argmax()) + 1}: {name} is empty")
    return np.ma.getdata(table[name]).astype(kind)


def _block_size(path: Path, table: dict[str, Any]) -> int:
    if not _given(table, "block_size"):
        raise WorkloadError(f"{path}: hash_ids without block_size; add it, in tokens")
    sizes = np.unique(_full(path, table, "block_size", np.int64))
    if len(sizes) != 1 or sizes[0] <= 0:
        raise WorkloadError(f"{path}: hash_ids need one block_size > 0 throughout, in tokens")
    return int(sizes[0])


def write_parquet(rows: Path, path: Path) -> None:
    """Write the JSON Lines file `rows`, in Inferometer's own format, as Parquet.

    Raises:
        WorkloadError: `path` cannot be written.
    """
    import duckdb  # noqa: PLC0415

    with duckdb.connect() as database:
        try:
            database.execute(
                f"COPY (SELECT * FROM read_json(?, format = 'newline_delimited',"  # noqa: S608
                f" columns = {_SCHEMA})) TO '{str(path).replace(chr(39), chr(39) * 2)}'"
                " (FORMAT parquet, COMPRESSION zstd)",
                [str(rows)],
            )
        except duckdb.Error as error:
            raise WorkloadError(f"{path}: cannot be written: {error}") from error
