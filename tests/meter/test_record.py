"""The row: what it may hold, and what is refused by name."""

import math
from typing import Any

import pytest

from inferometer.errors import LedgerError
from inferometer.meter.record import CLASSES, LONGEST_NAME, Attempt, check

ROW = Attempt("r1", 1, 1_000, 2_000, "acme", uncached_input=60, cache_read=40, output=7)


def amounts(nanos: Any) -> dict[str, Any]:
    return {f"nano_{name}": nanos for name in CLASSES}


def test_tokens_come_in_the_order_of_the_classes() -> None:
    assert dict(zip(CLASSES, ROW.tokens, strict=True))["cache_read"] == 40
    assert sum(ROW.tokens) == 107


def test_unpriced_is_none_and_never_zero() -> None:
    assert ROW.nanos is None
    free = ROW._replace(**amounts(0))
    assert free.nanos == 0


def test_a_sound_row_passes() -> None:
    check(ROW)
    check(ROW._replace(**amounts(5)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"request": ""}, "id"),
        ({"attempt": 0}, "attempt"),
        ({"tenant": "x" * (LONGEST_NAME + 1)}, "tenant"),
        ({"model": "\ud800"}, "model"),
        ({"outcome": "fine"}, "outcome"),
        ({"basis": "guessed"}, "basis"),
        ({"output": -1}, "output"),
        ({"output": 2**63}, "output"),
        ({"output": True}, "output"),
        ({"ttft_ns": 1.5}, "ttft_ns"),
        ({"ended_ns": 999}, "before"),
        ({"nano_output": 1}, "nano_uncached_input"),
        (amounts(math.nan), "NaN"),
        (amounts(-1), "nano_uncached_input"),
    ],
)
def test_a_faulty_row_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(LedgerError, match=named):
        check(ROW._replace(**change))
