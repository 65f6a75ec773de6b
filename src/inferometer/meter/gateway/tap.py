"""What is read off a stream in passing: usage, events, and what the caller did not ask for.

No event is parsed while it passes. The tap looks for the bytes `"usage": {`, which inside a JSON
string would have escaped quotes, keeps the first and the last line that has them, and those two are
parsed once, at the end. vLLM may report twice and continuously; the last report counts. Where
nothing has to be hidden, bytes pass at once and are looked at later, many events in one go.
"""

import re
from typing import Final

LONGEST_EVENT: Final = 1 << 20
"""Bytes of an unterminated event that are kept; beyond, it passes unseen until it ends."""

LOOK: Final = 8 << 10
"""Bytes that are kept for one look where nothing is hidden: some thirty events. Our own choice."""

_REPORT = re.compile(rb'"usage"\s*:\s*\{')
_VALUE = rb"(?:null|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})"
_FIELD = re.compile(rb',\s*"usage"\s*:\s*' + _VALUE + rb'|"usage"\s*:\s*' + _VALUE + rb"\s*,\s*")
_EMPTY = (b',"usage":null', b', "usage": null')
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_EVENT = re.compile(rb".*?(?:\r?\n\r?\n|\Z)", re.DOTALL)
_END = re.compile(rb"\n\r?\n")


class Tap:
    """State of one stream.

    Attributes:
        hides: Whether usage is taken out of what is passed on.
        events: Events seen so far.
        first: First line with a usage report.
        last: Last such line.
        tail: Last whole events, as they came together.
    """

    __slots__ = ("_rest", "_searched", "_skipping", "events", "first", "hides", "last", "tail")

    def __init__(self, *, hides: bool) -> None:
        self.hides = hides
        self.events = 0
        self.first = b""
        self.last = b""
        self.tail = b""
        self._rest = bytearray()
        self._searched = 0  # bytes of it that hold no end of an event
        self._skipping = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the upstream; return those for the caller, at once if it can be."""
        if not self.hides:
            self._rest += data
            if len(self._rest) - self._searched >= LOOK:
                self._cut()
            return data
        if not self._rest and not self._skipping and data.endswith(b"\n\n"):
            return self._passed(data)  # whole events, as nearly every read is
        self._rest += data
        return self._cut()

    def settle(self) -> None:
        """Look at all whole events that have passed; call it before what was seen is read."""
        if not self.hides:
            self._cut()

    def close(self) -> bytes:
        """Take the end of the stream; return what was held back."""
        self.settle()
        rest = bytes(self._rest)
        self._rest.clear()
        self._searched = 0
        passed = self._passed(rest) if rest else b""
        return passed if self.hides else b""

    def _cut(self) -> bytes:
        """Look at the whole events that are kept; return them as they are passed on."""
        start = max(0, self._searched - 3)  # an end may lie across two reads
        cut = self._rest.rfind(b"\n\n", start) + 2
        cut = max(cut, self._rest.rfind(b"\n\r\n", max(start, cut - 2)) + 3)
        out = b""
        if cut > 2:
            whole = bytes(self._rest[:cut])
            del self._rest[:cut]
            unseen = 0
            if self._skipping and (end := _END.search(whole)):
                unseen = end.end()
            self._skipping = False
            out = whole[:unseen] + self._passed(whole[unseen:])
        if len(self._rest) > LONGEST_EVENT:
            out += bytes(self._rest)
            self._rest.clear()
            self._skipping = True
        self._searched = len(self._rest)
        return out

    def _passed(self, whole: bytes) -> bytes:
        self.events += whole.count(b"data:")
        self.tail = whole
        named = whole.count(b'"usage"')
        if not named:
            return whole
        for empty in _EMPTY:  # as nearly every chunk of an engine that was asked
            if named == whole.count(empty):
                return whole.replace(empty, b"") if self.hides else whole
        found = None
        for found in _REPORT.finditer(whole):
            if not self.first:
                self.first = _line(whole, found.start())
        if found is not None:
            self.last = _line(whole, found.start())
        return _without_usage(whole) if self.hides else whole


def _line(whole: bytes, at: int) -> bytes:
    end = whole.find(b"\n", at)
    return whole[whole.rfind(b"\n", 0, at) + 1 : end if end >= 0 else len(whole)]


def _without_usage(whole: bytes) -> bytes:
    """Return events as they would have been if usage had not been asked for."""
    plain = whole
    for empty in _EMPTY:
        plain = plain.replace(empty, b"")
    if b'"usage"' not in plain:
        return plain
    return b"".join(_event_without(event) for event in _EVENT.findall(plain))


def _event_without(event: bytes) -> bytes:
    if b'"usage"' not in event:
        return event
    if _NO_CHOICES.search(event) and _REPORT.search(event):
        return b""
    return _FIELD.sub(b"", event)


def json_of(line: bytes) -> bytes:
    """Return the JSON text of a `data:` line."""
    return line.partition(b":")[2].strip() if line.startswith(b"data:") else line.strip()
