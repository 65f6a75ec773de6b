"""Names of accelerators as drivers and result files print them, with size, socket and trim."""

import re
from collections.abc import Iterator, Mapping

from inferometer.catalog.hardware import Accelerator
from inferometer.catalog.names import normalise, resolve
from inferometer.errors import CatalogError

_SIZE = re.compile(r"(\d+)\s*gi?b", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)*")
_SOCKET = re.compile(r"(sxm|pcie)\d+")
_TRIM = re.compile(
    r"\d+w|1x|hbm\d\w?|gddr\d\w?|oam|nps\d|spx|cpx|cts|aarch64|x86|tensor|core|gpus?|"
    r"graphics|card|series|edition|generation|superchip|grace|hopper|gracehopper|blackwell"
)
"""Words that tell no two parts of the catalogue apart."""

TOLERANCE = 0.12
"""Share by which a stated memory may differ from the record's: makers and drivers round apart."""


def accelerator_named(known: Mapping[str, Accelerator], name: str) -> Accelerator:
    """Return the accelerator that `name` means: a spelling of its own, or one with words to spare.

    "NVIDIA H100-SXM5-80GB HBM3" is an H100 SXM. A memory size that a name states must be the
    record's, so that no other version of a part is taken for it.

    Raises:
        CatalogError: there is none; the message lists the nearest names.
    """
    try:
        return resolve(known, name, kind="accelerator")
    except CatalogError:
        for plain in _plainer(name):
            found = _find(known, plain)
            if found is not None and _has(found, _size(name)):
                return found
        raise


def _plainer(name: str) -> Iterator[str]:
    """Yield `name` without trim: with its size last, then without, then without the socket."""
    text = _SIZE.sub(" ", name.rsplit("/", 1)[-1]).lower()
    words = [_SOCKET.sub(r"\1", word) for word in _WORD.findall(text)]
    words = [word for word in words if not _TRIM.fullmatch(word)]
    size = _size(name)
    if size is not None:
        yield " ".join([*words, f"{size}gb"])
    yield " ".join(words)
    yield " ".join(word for word in words if word not in {"sxm", "pcie", "server", "workstation"})


def _size(name: str) -> int | None:
    found = _SIZE.search(name)
    return int(found[1]) if found else None


def _find(known: Mapping[str, Accelerator], name: str) -> Accelerator | None:
    if not normalise(name):
        return None
    try:
        return resolve(known, name, kind="accelerator")
    except CatalogError:
        return None


def _has(chip: Accelerator, size: int | None) -> bool:
    return size is None or abs(chip.memory / 2**30 / size - 1) <= TOLERANCE
