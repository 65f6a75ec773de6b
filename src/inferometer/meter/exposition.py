"""Prometheus text: what an engine's `/metrics` says, as numbers by name and label."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from inferometer.errors import LedgerError

_LINE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
LARGEST = 32 << 20
"""Bytes of a page; engines write some hundred kilobytes."""
TIMEOUT_S = 10.0


class Sample(NamedTuple):
    """One line of a page."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str) -> Iterator[Sample]:
    """Yield the samples of a page; comments and blank lines hold none.

    Raises:
        LedgerError: a line that is no sample, by its number.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        try:
            value = float(match[3]) if match else None
        except ValueError:
            value = None
        if match is None or value is None:
            raise LedgerError(f"metrics line {number}: {line!r:.80} is no sample")
        labels = {name: _unescaped(raw) for name, raw in _LABEL.findall(match[2] or "")}
        yield Sample(match[1], labels, value)


def _unescaped(text: str) -> str:
    return re.sub(r"\\[\\\"n]", lambda match: _ESCAPES[match[0]], text)


def fetch(url: str) -> str:
    """Return the page at a URL.

    Raises:
        LedgerError: no http(s) URL, no answer, or one that is too long.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise LedgerError(f"{url!r:.80}: http:// or https:// is wanted")
    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the scheme is checked
            page = answer.read(LARGEST + 1)
    except (URLError, OSError, ValueError) as error:
        raise LedgerError(f"{url}: no metrics: {error}") from None
    if len(page) > LARGEST:
        raise LedgerError(f"{url}: more than {LARGEST >> 20} MiB of metrics")
    return page.decode("utf-8", errors="replace")
