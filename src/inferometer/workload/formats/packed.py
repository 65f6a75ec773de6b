"""Gzip files, unpacked as they are read and no further than a file of text could be packed."""

import gzip
import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HARMLESS = 64 * 2**20
"""Bytes up to which any ratio is believed."""

DENSEST = 100
"""Ratio of text to its gzip file beyond which it is a bomb: traces reach 5 to 20, zeros 1,030."""


PART = 2**20
"""Bytes that are unpacked at once."""


class _Counted:
    """The compressed bytes of a file, and how much has come out of them: a raw stream."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._most = max(HARMLESS, DENSEST * file.seek(0, io.SEEK_END))
        file.seek(0)
        self._file = gzip.GzipFile(fileobj=file, mode="rb")
        self._read = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """Do nothing: there is nothing to write."""

    def close(self) -> None:
        self._file.close()
        self.closed = True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        part = self._next(len(view))
        view[: len(part)] = part
        return len(part)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self._next(PART), b""))

    def _next(self, most: int) -> bytes:
        try:
            part = self._file.read(most)
        except zlib.error as error:
            raise OSError(f"damaged gzip: {error}") from error
        self._read += len(part)
        if self._read > self._most:
            raise OSError(
                f"more than {self._most >> 20} MiB come out of a gzip file that small; if they"
                " should, unpack it"
            )
        return part


def unpacked(file: BinaryIO) -> io.BufferedReader:
    """Return the bytes behind an open gzip file; reading them raises OSError or EOFError.

    OSError where it is damaged, or where more comes out than `HARMLESS` bytes and `DENSEST` times
    the file; EOFError where it is cut off.
    """
    return io.BufferedReader(cast("io.RawIOBase", _Counted(file)), PART)
