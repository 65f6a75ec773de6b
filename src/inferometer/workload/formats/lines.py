"""The text of a trace file, line by line: plain or gzip, never a pipe, never unbounded."""

import csv
import stat
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from inferometer.errors import WorkloadError
from inferometer.workload.formats.packed import unpacked

LONGEST_LINE = 64 * 2**20
"""Bytes of one line; a request with a million block hashes takes a fifth of it."""

LARGEST_JSON = 4 * 2**30
"""Bytes of a JSON document, which unlike JSON Lines must be held as a whole."""


def regular_file(path: Path) -> Path:
    """Return `path` if it is a file that can be read to its end.

    Raises:
        WorkloadError: missing, a directory, or a pipe or device, which may never end.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror}; give the path of a trace file") from error
    if stat.S_ISDIR(mode):
        raise WorkloadError(f"{path}: a directory; give one trace file")
    if not stat.S_ISREG(mode):
        raise WorkloadError(f"{path}: a pipe or device; save it to a file first")
    return path


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line) of a text file, unpacked if it is gzip, BOM removed.

    Raises:
        WorkloadError: unreadable, a damaged archive or bomb, UTF-16, or a line over `LONGEST_LINE`.
    """
    try:
        with regular_file(path).open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield from _numbered(path, unpacked(file) if packed else file)
    except (OSError, EOFError, zlib.error) as error:
        raise WorkloadError(f"{path}: cannot be read to its end: {error}") from error


def whole(path: Path) -> bytes:
    """Return the text of a file that is one JSON document.

    Raises:
        WorkloadError: as `lines`, or a document over `LARGEST_JSON`.
    """
    text = bytearray()
    for _, line in lines(path):
        text += line
        if len(text) > LARGEST_JSON:
            raise WorkloadError(f"{path}: over {LARGEST_JSON >> 30} GiB of JSON; split it")
    return bytes(text)


def _numbered(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), start=1):
        if number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise WorkloadError(f"{path}: UTF-16 text; save it as UTF-8")
            line = line.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            raise WorkloadError(f"{path}:{number}: a line over {LONGEST_LINE >> 20} MiB; split it")
        yield number, line


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, for `csv`.

    Raises:
        WorkloadError: as `lines`, or bytes that are not UTF-8.
    """
    for number, line in lines(path):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise WorkloadError(
                f"{path}:{number}: not UTF-8 ({error.reason}); re-save it"
            ) from None


def csv_rows(path: Path, wanted: dict[str, bool]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, the wanted fields in their order) of a CSV file with a header.

    Args:
        path: The file.
        wanted: Column name to whether it must be there; an absent optional one yields "".

    Raises:
        WorkloadError: as `lines`; a missing or repeated column; a ragged row; bad quotes.
    """
    reader = csv.reader(text_lines(path), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        where = [_position(path, header, name, must) for name, must in wanted.items()]
        width = len(header)
        for row in reader:
            if len(row) != width:
                if not row:
                    continue
                raise WorkloadError(
                    f"{path}:{reader.line_num}: {len(row)} fields where the header has {width};"
                    " write numbers without thousands separators"
                )
            yield reader.line_num, [row[at] if at >= 0 else "" for at in where]
    except csv.Error as error:
        raise WorkloadError(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _position(path: Path, header: list[str], name: str, must: bool) -> int:
    if header.count(name) > 1:
        raise WorkloadError(f"{path}:1: column {name!r} occurs twice; keep one")
    if name in header:
        return header.index(name)
    if must:
        found = ", ".join(header) or "none"
        raise WorkloadError(f"{path}:1: column {name!r} is missing; found: {found}")
    return -1


def token_count(text: str, path: Path, line: int, column: str) -> int:
    """Return the token count that a CSV field states.

    Raises:
        WorkloadError: not a whole number >= 0 in plain digits.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise WorkloadError(
            f"{path}:{line}: {column} {text[:40]!r} is not a count of tokens;"
            " write a whole number >= 0 in plain digits"
        )
    return int(text)
