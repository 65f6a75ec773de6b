import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer import catalog
from inferometer.catalog.schema import build
from inferometer.catalog.source import Evidence, Source
from inferometer.errors import CatalogError
from inferometer.units import Bytes, Watts


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    size: Bytes
    kind: Evidence = Evidence.VENDOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    key: str
    part: Part
    parts: tuple[Part, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    power: Watts | None = None
    since: dt.date | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)


GOOD: dict[str, Any] = {
    "key": "k",
    "part": {"size": "1 GB", "kind": "measured"},
    "parts": [{"size": "2 GB"}],
    "weights": {"a": 1, "b": 0.5},
    "since": "2026-01-31",
    "source": "here",
    "as_of": dt.date(2026, 1, 31),
}


def test_records_nest() -> None:
    whole = build(Whole, GOOD, "f: k")
    assert whole.part == Part(size=1e9, kind=Evidence.MEASURED)
    assert whole.parts == (Part(size=2e9),)
    assert whole.weights == {"a": 1.0, "b": 0.5}
    assert whole.since == dt.date(2026, 1, 31)
    assert whole.power is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"part": {"size": "1 W"}}, r"f: k\.part\.size: '1 W' is in W, but B is wanted"),
        ({"part": {"sise": "1 GB"}}, r"f: k\.part\.sise: unknown key; nearest: size"),
        ({"part": "big"}, r"f: k\.part: a table of fields is wanted"),
        ({"parts": [{"size": "1 GB"}, {}]}, r"f: k\.parts\[1\]\.size: missing"),
        ({"weights": {"a": "x"}}, r"f: k\.weights\.a: 'x' is not of type float"),
        ({"weights": 3}, r"f: k\.weights: a table is wanted"),
        ({"since": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, r"f: k\.since: .* is not of type date"),
        ({"power": {"value": "5 W", "source": 3}}, r"f: k\.power\.source: 3 is not of type str"),
    ],
)
def test_faults_are_found_at_every_depth(change: dict[str, Any], says: str) -> None:
    with pytest.raises(CatalogError, match=says):
        build(Whole, {**GOOD, **change}, "f: k")


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.none(), min_size=1))
def test_no_stray_key_ever_passes(stray: dict[str, Any]) -> None:
    known = {"key", "part", "parts", "weights", "power", "since", "source", "as_of", "evidence"}
    if stray.keys() - known:
        with pytest.raises(CatalogError, match="unknown key"):
            build(Whole, {**GOOD, **stray}, "f: k")


def test_the_package_offers_its_lookups_and_nothing_else() -> None:
    for name in catalog.__all__:
        assert callable(getattr(catalog, name))
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        getattr(catalog, "nope")  # noqa: B009
