"""The header of a GGUF file: metadata and tensor table, read with bounded memory, never trusted.

Layout (ggml, docs/gguf.md, versions 2 and 3): magic, version, tensor count, metadata count, the
metadata, the tensor table, padding to the alignment, tensor data. Every length in it is a number
that whoever made the file could choose, so each is checked against what the file really holds.
"""

import math
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.errors import CatalogError

MAX_HEADER = 64 << 20
"""Most bytes of header that are read; the largest vocabularies need a quarter of it."""
MAX_KEPT = 4096
"""Longest string and longest array that are kept; longer ones (vocabularies) are skipped."""
MAX_DIMENSIONS = 4
MAX_OFFSET = 1 << 62

_SCALARS: Mapping[int, struct.Struct] = {
    code: struct.Struct("<" + letter)
    for code, letter in zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True)
}
_STRING, _ARRAY = 8, 9

BLOCKS: Mapping[int, tuple[str, int, int]] = {
    0: ("fp32", 1, 4), 1: ("fp16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20),
    6: ("q5_0", 32, 22), 7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 9: ("q8_1", 32, 40),
    10: ("q2_k-block", 256, 84), 11: ("q3_k", 256, 110), 12: ("q4_k", 256, 144),
    13: ("q5_k", 256, 176), 14: ("q6_k", 256, 210), 15: ("q8_k", 256, 292),
    16: ("iq2_xxs", 256, 66), 17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98),
    19: ("iq1_s", 256, 50), 20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110),
    22: ("iq2_s", 256, 82), 23: ("iq4_xs", 256, 136), 24: ("int8", 1, 1), 25: ("int16", 1, 2),
    26: ("int32", 1, 4), 27: ("int64", 1, 8), 28: ("fp64", 1, 8), 29: ("iq1_m", 256, 56),
    30: ("bf16", 1, 2), 34: ("tq1_0", 256, 54), 35: ("tq2_0", 256, 66), 39: ("mxfp4", 32, 17),
    40: ("nvfp4", 64, 36),
}  # fmt: skip
"""Number format, elements and bytes of one block by ggml type (ggml.h, ggml-common.h)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One row of the tensor table.

    Attributes:
        name: Name, e.g. "blk.0.attn_q.weight".
        shape: Elements per dimension, the contiguous one first.
        format: Key of its number format.
        size: Bytes of its data.
    """

    name: str
    shape: tuple[int, ...]
    format: str
    size: int

    @property
    def elements(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a GGUF file says about itself.

    Attributes:
        metadata: Values by key; strings and arrays longer than `MAX_KEPT` are left out.
        tensors: Tensor table in the file's order.
    """

    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]


@dataclass(slots=True)
class _Cursor:
    """Where reading stands in the bytes of a header."""

    where: str
    data: bytes
    at: int = 0

    def fault(self, what: str) -> CatalogError:
        return CatalogError(f"{self.where}: offset {self.at}: {what}")

    def skip(self, size: int, what: str) -> int:
        """Return where the next `size` bytes start, and step over them."""
        start = self.at
        if size > len(self.data) - start:
            whole = len(self.data) >= MAX_HEADER
            reason = f"header larger than {MAX_HEADER} bytes" if whole else "file truncated"
            raise self.fault(
                f"{what}: {reason}: {size} bytes wanted, {len(self.data) - start} left"
            )
        self.at += size
        return start

    def number(self, code: int, what: str) -> Any:
        layout = _SCALARS[code]
        return layout.unpack_from(self.data, self.skip(layout.size, what))[0]

    def count(self, what: str, smallest: int) -> int:
        """Return a 64-bit count of items that take at least `smallest` bytes each."""
        count: int = self.number(10, what)
        if count > (len(self.data) - self.at) // smallest:
            raise self.fault(f"{what} = {count}: more than the file holds (or it is truncated)")
        return count

    def string(self, what: str) -> str:
        size: int = self.number(10, f"length of {what}")
        start = self.skip(size, what)
        return self.data[start : start + min(size, MAX_KEPT)].decode("utf-8", "replace")


def read_header(path: str | Path) -> Header:
    """Return metadata and tensor table of a GGUF file.

    Raises:
        CatalogError: not a regular file, not GGUF, big-endian or version 1, truncated, or with
            an impossible length, type or offset; the message names file, offset and field.
    """
    data, size = _head(Path(path))
    cursor = _Cursor(str(path), data)
    _check_version(cursor)
    tensors = cursor.count("tensor_count", 24)
    pairs = cursor.count("metadata_kv_count", 13)
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = cursor.string("metadata key")
        if key in metadata:
            raise cursor.fault(f"{key}: given twice")
        metadata[key] = _value(cursor, key)
    alignment = _alignment(cursor, metadata)
    table = [_tensor(cursor, alignment) for _ in range(tensors)]
    _check_data(cursor, table, alignment, size)
    return Header(metadata=metadata, tensors=tuple(tensor for tensor, _ in table))


def _head(path: Path) -> tuple[bytes, int]:
    """Return the first bytes of a file and its size; pipes and devices are refused unopened."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CatalogError(f"{path}: not a regular file")
        with path.open("rb") as file:
            return file.read(min(MAX_HEADER, status.st_size)), status.st_size
    except (OSError, ValueError) as error:
        raise CatalogError(f"{path}: cannot be read: {error}") from error


def _check_version(cursor: _Cursor) -> None:
    start = cursor.skip(4, "magic")
    if cursor.data[start : cursor.at] != b"GGUF":
        raise cursor.fault("magic: not a GGUF file")
    version: int = cursor.number(4, "version")
    if version & 0xFFFF == 0:
        raise cursor.fault("version: big-endian files are not read; convert the file")
    if version not in (2, 3):
        raise cursor.fault(f"version = {version}: 2 and 3 are read; convert the file")


def _value(cursor: _Cursor, key: str) -> Any:
    """Return a metadata value, None for one too long to keep."""
    code: int = cursor.number(4, f"type of {key}")
    if code == _STRING:
        return cursor.string(key)
    if code == _ARRAY:
        return _array(cursor, key)
    if code not in _SCALARS:
        raise cursor.fault(f"{key}: unknown type {code}")
    return cursor.number(code, key)


def _array(cursor: _Cursor, key: str) -> list[Any] | None:
    code: int = cursor.number(4, f"item type of {key}")
    if code == _STRING:
        for _ in range(cursor.count(f"length of {key}", 8)):
            cursor.skip(cursor.number(10, f"length of an item of {key}"), f"item of {key}")
        return None
    if code not in _SCALARS:  # no writer nests arrays, and llama.cpp does not read them
        what = "arrays inside arrays are not read" if code == _ARRAY else "unknown item type"
        raise cursor.fault(f"{key}: {what} ({code})")
    layout = _SCALARS[code]
    length = cursor.count(f"length of {key}", layout.size)
    start = cursor.skip(length * layout.size, key)
    if length > MAX_KEPT:
        return None
    return [item for (item,) in layout.iter_unpack(cursor.data[start : cursor.at])]


def _alignment(cursor: _Cursor, metadata: Mapping[str, Any]) -> int:
    value = metadata.get("general.alignment", 32)
    if type(value) is not int or value <= 0 or value % 8 or value > 1 << 20:
        raise cursor.fault(f"general.alignment = {value!r:.60}: a multiple of 8 is wanted")
    return value


def _tensor(cursor: _Cursor, alignment: int) -> tuple[Tensor, int]:
    """Return a row of the tensor table, and where its data ends."""
    name = cursor.string("tensor name")
    rank: int = cursor.number(4, f"dimensions of {name}")
    if not 1 <= rank <= MAX_DIMENSIONS:
        raise cursor.fault(f"{name}: {rank} dimensions")
    shape = tuple[int, ...](cursor.number(10, f"shape of {name}") for _ in range(rank))
    code: int = cursor.number(4, f"type of {name}")
    offset: int = cursor.number(10, f"offset of {name}")
    if code not in BLOCKS:
        raise cursor.fault(f"{name}: unknown tensor type {code}")
    key, block, size = BLOCKS[code]
    elements = math.prod(shape)
    if not 0 < elements < MAX_OFFSET or shape[0] % block:
        raise cursor.fault(f"{name}: shape {shape} does not hold whole blocks of {block}")
    if offset % alignment or offset >= MAX_OFFSET:
        raise cursor.fault(f"{name}: offset {offset} is not a multiple of {alignment}")
    tensor = Tensor(name=name, shape=shape, format=key, size=elements // block * size)
    return tensor, offset + tensor.size


def _check_data(
    cursor: _Cursor, table: list[tuple[Tensor, int]], alignment: int, size: int
) -> None:
    names = {tensor.name for tensor, _ in table}
    if len(names) != len(table):
        raise cursor.fault("tensor table: two tensors of one name")
    start = -(-cursor.at // alignment) * alignment
    for tensor, end in table:
        if start + end > size:
            raise cursor.fault(
                f"{tensor.name}: file truncated: data ends at {start + end}, file at {size}"
            )
