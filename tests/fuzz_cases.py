"""Files that are nearly right: samples of formats, changed in structure, in text or in bytes."""

import copy
import gzip
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

NESTED: list[Any] = [[], {}, [[]], [{}], [None], {"a": None}, ["x", 1]]
HOSTILE = st.sampled_from([
    None, True, -1, 0, 1.5, 1e400, -1e400, float("nan"), 10**30, 2**63, "", "0", "-1", "1e999999",
    "NaN", "Infinity", "0x10", "1_000", "9" * 5000, "\ud800", "\0", "\u202e", "١٢", "True", "{",
    "[1]", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30", "a" * 2000,
    *NESTED,
])  # fmt: skip
ANYTHING = HOSTILE | st.integers() | st.floats() | st.text(max_size=8)
BYTES = st.binary(max_size=6) | st.sampled_from(
    [b"\n", b"\r\n", b'"', b",", b"\0", b"\xff", b"\xef\xbb\xbf", b"{" * 2000, b"[" * 2000, b"\\u"]
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield (*path, place)
            yield from _places(inner, (*path, place))


@st.composite
def changed(draw: st.DrawFn, sample: Any) -> Any:
    """A JSON value with some of its parts replaced, left out or given twice."""
    found = copy.deepcopy(sample)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(found))
        if not places:
            return found
        *way, last = draw(st.sampled_from(places))
        holder = found
        for step in way:
            holder = holder[step]
        if draw(st.integers(0, 4)):
            holder[last] = copy.deepcopy(draw(ANYTHING))
        elif isinstance(holder, dict):
            del holder[last]
        else:
            holder.append(copy.deepcopy(holder[last]))
    return found


@st.composite
def damaged(draw: st.DrawFn, sample: bytes) -> bytes:
    """Bytes with pieces replaced, cut out or put in."""
    found = bytearray(sample)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(found)))
        end = min(len(found), start + draw(st.integers(0, 12)))
        found[start:end] = draw(BYTES)
    return bytes(found)


def json_lines(*samples: Any) -> st.SearchStrategy[bytes]:
    """Lines of changed samples, or of damaged ones."""
    sound = [json.dumps(sample).encode() for sample in samples]
    built = st.lists(
        st.one_of(*(changed(sample).map(_written) for sample in samples)), min_size=1, max_size=3
    )
    return built.map(b"\n".join) | damaged(b"\n".join(sound))


def table(header: str, *rows: str) -> st.SearchStrategy[bytes]:
    """A CSV file with cells changed, or damaged bytes."""
    cells = [row.split(",") for row in rows]
    built = changed(cells).map(_csv)
    sound = "\n".join([header, *rows, ""]).encode()
    return built.map(lambda body: header.encode() + b"\n" + body) | damaged(sound)


def packed(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """A gzip file, sound or damaged."""
    return inner.map(gzip.compress).flatmap(lambda data: st.just(data) | damaged(data))


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _csv(rows: Any) -> bytes:
    lines = [",".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows]
    return "\n".join(lines).encode(errors="surrogatepass") + b"\n"
