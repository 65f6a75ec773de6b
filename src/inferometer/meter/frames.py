"""Files of rows that a crash may cut anywhere: each frame carries its length and a checksum.

A frame is two little-endian 32-bit integers, length and CRC-32 of the payload, then the payload:
one byte that says what it is, and a row in MessagePack. Rows written by an older version have
fewer fields at their end, which then take their defaults.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from inferometer.errors import LedgerError
from inferometer.meter.record import Attempt

Kind = Literal[b"A", b"B"]
"""`A`: an attempt that has ended; `B`: one that has begun, to be marked if it never ends."""
_HEADER = struct.Struct("<II")
LARGEST_FRAME = 128 << 10
"""Bytes; a longer length is damage, since a row with checked names has half of it at most."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Attempt).decode


class Frame(NamedTuple):
    """One row of a file, and the offset just after it."""

    kind: bytes
    row: Attempt
    end: int


def frame(kind: Kind, row: Attempt) -> bytes:
    """Return a row as bytes.

    Raises:
        LedgerError: text that is no Unicode, or integers beyond 64 bits.
    """
    try:
        payload = kind + _encode(row)
    except (UnicodeEncodeError, OverflowError) as error:
        raise LedgerError(f"request {row.request!r:.80}: cannot be written: {error}") from None
    if len(payload) > LARGEST_FRAME:
        raise LedgerError(f"request {row.request!r:.80}: names are too long")
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def frames(data: bytes, offset: int = 0) -> Iterator[Frame]:
    """Yield the whole frames of `data`, which starts at `offset` of its file; stop at a torn tail.

    Raises:
        LedgerError: a frame that is all there and yet damaged.
    """
    position = 0
    while position + _HEADER.size <= len(data):
        length, checksum = _HEADER.unpack_from(data, position)
        start = position + _HEADER.size
        if length <= LARGEST_FRAME and start + length > len(data):
            return
        payload = data[start : start + length]
        if length > LARGEST_FRAME or zlib.crc32(payload) != checksum:
            raise LedgerError(f"damaged at byte {offset + position}")
        position = start + length
        try:
            row = _decode(payload[1:])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LedgerError(f"no row at byte {offset + position}: {error}") from None
        yield Frame(payload[:1], row, offset + position)
