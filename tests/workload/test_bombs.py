"""Small files that unpack to large ones: a clear error, memory stays (conventions 5.3, F2, F4)."""

import gzip
import tracemalloc
from pathlib import Path

import duckdb
import pytest

from inferometer.calibrate.tables import read_table
from inferometer.cli.app import BAD_INPUT, run
from inferometer.errors import InferometerError, WorkloadError
from inferometer.workload.formats import parquet
from inferometer.workload.formats.files import read
from inferometer.workload.formats.lines import LONGEST_LINE

MIB = 2**20
ROW = b'{"timestamp": 0, "input_length": 10, "output_length": 5}\n'


def bomb(path: Path, start: bytes, repeated: bytes, mebibytes: int = 80) -> Path:
    """Write a gzip file of `start` and so many MiB of `repeated`."""
    part = repeated * (MIB // len(repeated))
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(start)
        for _ in range(mebibytes):
            file.write(part)
    assert path.stat().st_size < MIB
    return path


BOMBS = {
    "JSON lines, padded": (ROW, b" " * 65535 + b"\n"),
    "JSON, one document": (b'{"block_size": 64, "hash_id_scope": "local", "requests": [\n',
                           b" " * 65535 + b"\n"),
    "one line": (b"", b"0"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_gzip_bomb_is_refused_before_it_fills_memory(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bomb(tmp_path / "bomb.gz", *BOMBS[name])
    tracemalloc.start()
    code = run(("trace", "describe", str(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    said = capsys.readouterr()
    assert code == BAD_INPUT
    assert "bomb.gz" in said.err
    assert "MiB" in said.err
    assert "Traceback" not in said.err
    assert not said.out
    assert peak < 4 * LONGEST_LINE
    assert [found.name for found in tmp_path.iterdir()] == ["bomb.gz"]


def test_a_bomb_of_measured_rows_and_one_of_logs_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = b"source,prefill_kv_tokens,decode_kv_tokens,latency_ms\n"
    with pytest.raises(InferometerError, match="MiB come out"):
        read_table(bomb(tmp_path / "rows.csv.gz", rows, b" " * 65535 + b"\n"))
    log = bomb(tmp_path / "log.jsonl.gz", b"[", b"0")
    code = run(("meter", "import", str(tmp_path / "ledger.db"), str(log)))
    assert code == BAD_INPUT
    assert "MiB come out" in capsys.readouterr().err


def test_a_large_file_that_is_no_bomb_is_read(tmp_path: Path) -> None:
    path = bomb(tmp_path / "sparse.jsonl.gz", ROW, b" " * 65535 + b"\n", mebibytes=60)
    assert len(read(path).trace) == 1


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [(200, None, "cannot be read"), (40, 60, "damaged gzip"), (-8, None, "cannot be read")],
    ids=["cut off", "flipped", "no checksum"],
)
def test_damaged_gzip_is_refused(tmp_path: Path, start: int, end: int | None, says: str) -> None:
    rows = b"".join(ROW.replace(b"10", b"%d" % (7919 * n % 10007)) for n in range(1, 2000))
    path, packed = tmp_path / "trace.jsonl.gz", gzip.compress(rows)
    harmed = packed[:start] if end is None else packed[:start] + bytes(20) + packed[end:]
    path.write_bytes(harmed)
    with pytest.raises(WorkloadError, match=says):
        read(path)


def test_a_line_of_a_gibibyte_is_refused_when_64_mebibytes_of_it_are_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with path.open("wb") as file:
        file.write(ROW + b'{"timestamp": 1')
        file.truncate(1024 * MIB)  # a hole: no disk is filled
    tracemalloc.start()
    with pytest.raises(WorkloadError, match=r"trace\.jsonl:2: a line over 64 MiB"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * LONGEST_LINE


COLUMNS = "0.0::DOUBLE AS arrival_s, 1 AS input_tokens, 1 AS output_tokens"


def test_a_parquet_bomb_of_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    save(path, f"{COLUMNS} FROM range({parquet.MOST_ROWS + 1})")
    assert path.stat().st_size < MIB
    with pytest.raises(WorkloadError, match="requests; 50,000,000 are the most"):
        read(path)


def test_a_parquet_bomb_of_hashes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.parquet"
    save(path, f"{COLUMNS}, 16 AS block_size, range(1) AS hash_ids FROM range(2000)")
    assert len(read(path).trace) == 2000
    monkeypatch.setattr(parquet, "MOST_HASHES", 1999)  # 2 GB take a minute to write
    with pytest.raises(WorkloadError, match="2,000 block hashes"):
        read(path)


def save(path: Path, select: str) -> None:
    duckdb.execute(f"COPY (SELECT {select}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
