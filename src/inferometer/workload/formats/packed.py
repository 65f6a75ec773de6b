"""Gzip files, unpacked as they are read and no further than a file of text could be packed."""

import gzip
import io
import zlib
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HARMLESS = 64 * 2**20
"""Bytes up to which any ratio is believed."""

DENSEST = 100
"""Ratio of text to its gzip file beyond which it is a bomb: traces reach 5 to 20, zeros 1,030."""


class _Unpacked(io.RawIOBase):
    """The bytes behind a gzip file, counted."""

    def __init__(self, file: BinaryIO) -> None:
        self._most = max(HARMLESS, DENSEST * file.seek(0, io.SEEK_END))
        file.seek(0)
        self._file = gzip.GzipFile(fileobj=file, mode="rb")
        self._read = 0

    def readable(self) -> bool:  # pyrefly: ignore[missing-override-decorator]
        return True

    # pyrefly: ignore[missing-override-decorator] - typing.override is of 3.12
    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        try:
            part = self._file.read(len(view))
        except zlib.error as error:
            raise OSError(f"damaged gzip: {error}") from error
        self._read += len(part)
        if self._read > self._most:
            raise OSError(
                f"more than {self._most >> 20} MiB come out of a gzip file that small; if they"
                " should, unpack it"
            )
        view[: len(part)] = part
        return len(part)


def unpacked(file: BinaryIO) -> io.BufferedReader:
    """Return the bytes behind an open gzip file; reading them raises OSError or EOFError.

    OSError where it is damaged, or where more comes out than `HARMLESS` bytes and `DENSEST` times
    the file; EOFError where it is cut off.
    """
    return io.BufferedReader(_Unpacked(file), 2**20)
