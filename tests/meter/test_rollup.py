"""What rows add to sums: the fast way against a naive twin, row by row and field by field."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from meter_cases import START_NS, amounts, attempt

from inferometer.meter.record import CLASSES, LARGEST, Attempt
from inferometer.meter.rollup import DIMENSIONS, GRAINS, KEY, MEASURES, NS, SPEND_MEASURES, deltas

names = st.sampled_from(["", "a", "b", "é"])
counts = st.integers(0, 5) | st.integers(0, LARGEST)

ENDS = ({"outcome": "ok"}, {"outcome": "failed", "basis": "none"}, {"basis": "estimated"})


@st.composite
def rows(draw: st.DrawFn) -> list[Attempt]:
    """Rows close to the borders of minutes, hours and days, few enough names to meet each other."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        border = draw(st.sampled_from([*GRAINS, 7 * GRAINS[-1]]))
        started = START_NS + border * NS + draw(st.integers(-2 * NS, 2 * NS))
        named = {name: draw(names) for name in ("tenant", "key", "run", *DIMENSIONS)}
        nanos: Any = draw(st.none() | counts)
        used = dict(zip(CLASSES, draw(st.tuples(*[counts] * len(CLASSES))), strict=True))
        row = attempt(number, started_ns=started, ended_ns=started + draw(counts), **named, **used)
        ended: dict[str, Any] = draw(st.sampled_from(ENDS))
        found.append(row._replace(**ended, **amounts(nanos)))
    return found


def measures(row: Attempt) -> dict[str, int]:
    return {
        "attempts": 1,
        "failed": int(row.outcome != "ok"),
        "unpriced": int(row.nanos is None),
        "estimated": int(row.basis != "reported"),
        "duration_ns": row.ended_ns - row.started_ns,
        **{name: getattr(row, name) for name in CLASSES},
        **{f"nano_{name}": getattr(row, f"nano_{name}") or 0 for name in CLASSES},
    }


def rollup_twin(given: Sequence[Attempt]) -> list[tuple[Any, ...]]:
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for row in given:
        for grain in GRAINS:
            second = row.started_ns // NS
            key = (grain, second - second % grain, *(getattr(row, name) for name in DIMENSIONS))
            sums.setdefault(key, Counter()).update(measures(row))
    return sorted((*key, *(found[name] for name in MEASURES)) for key, found in sums.items())


def spend_twin(given: Sequence[Attempt]) -> list[tuple[Any, ...]]:
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for row in given:
        second = row.started_ns // NS
        for dimension in ("key", "run"):
            name = (second - second % 86400, dimension, getattr(row, dimension), row.tenant)
            sums.setdefault(name, Counter()).update(
                attempts=1,
                unpriced=int(row.nanos is None),
                input_tokens=sum(row.tokens[:4]),
                output_tokens=sum(row.tokens[4:]),
                nano=row.nanos or 0,
            )
    return sorted(
        (*name, *(found[each] for each in SPEND_MEASURES)) for name, found in sums.items()
    )


@given(rows())
def test_deltas_are_those_of_the_naive_twin(given: list[Attempt]) -> None:
    """Sorted too, so that two writers take their locks in one order; one delta for each key."""
    found = deltas(given)
    assert found.rollup == rollup_twin(given)
    assert found.spend == spend_twin(given)
    assert len({row[: len(KEY)] for row in found.rollup}) == len(found.rollup)
