"""Segments of the spool: files that one process writes and locks, and any may take over later."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from inferometer.errors import LedgerError
from inferometer.meter.frames import LARGEST_FRAME, Frame, frames

SUFFIX = ".spool"
_READ = 2 * LARGEST_FRAME
"""Bytes read back at once, a whole frame among them: some 700 rows, of which the ledger makes one
transaction. Larger ones are hardly faster, and are what a gateway's memory grows by when it
lags."""


class Segment:
    """A file of frames, open and locked; written by one thread and read back by another."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0)
        self._file = os.open(path, flags, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.size = os.fstat(self._file).st_size
        self.synced = 0 if create else self.size
        self.shipped = 0

    def write(self, data: bytes) -> None:
        """Append whole frames; a write that fails half-way is cut off again.

        Raises:
            LedgerError: the disk is full or gone; the file is as it was.
        """
        try:
            written, fault = os.pwrite(self._file, data, self.size), "disk full"
        except OSError as error:
            written, fault = 0, str(error)
        if written < len(data):
            os.ftruncate(self._file, self.size)
            raise LedgerError(f"{self.path}: cannot be written: {fault}")
        self.size += len(data)

    def sync(self) -> int:
        """Make what is written so far survive power loss; return how far that is.

        Raises:
            LedgerError: the disk refused.
        """
        size = self.size
        if size > self.synced:
            try:
                os.fdatasync(self._file)
            except OSError as error:
                raise LedgerError(f"{self.path}: cannot be synced: {error}") from error
            self.synced = size
        return size

    def unshipped(self, end: int) -> tuple[list[Frame], str]:
        """Return whole frames from `shipped` to `end`, as many as fit `_READ`, and what ended them.

        The text names damage and is empty without. A torn tail is none: it is a write that never
        returned.
        """
        data = os.pread(self._file, min(_READ, end - self.shipped), self.shipped)
        found: list[Frame] = []
        try:
            found.extend(frames(data, self.shipped))
        except LedgerError as error:
            return found, f"{self.path}: {error}"
        return found, ""

    @property
    def modified_ns(self) -> int:
        """When it was last written, Unix nanoseconds."""
        return os.fstat(self._file).st_mtime_ns

    def close(self) -> None:
        """Release the file and its lock, leaving it in place."""
        os.close(self._file)

    def remove(self) -> None:
        """Delete the file: all in it is in the ledger."""
        self.path.unlink(missing_ok=True)
        self.close()

    def set_aside(self) -> None:
        """Copy a damaged file for a person to look at, and count it as shipped."""
        shutil.copyfile(self.path, self.path.with_suffix(".damaged"))
        self.shipped = self.size


def orphans(folder: Path) -> Iterator[Segment]:
    """Yield the segments in a folder whose process is gone, oldest first."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            yield Segment(path, create=False)
        except OSError:  # its process lives and holds the lock, or another took it over
            continue
