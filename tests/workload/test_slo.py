"""Objectives are read as people write them, and refused where they promise the impossible."""

import pytest

from inferometer.errors import InferometerError, ScenarioError
from inferometer.workload.slo import Slo, parse_slo, parse_target

LIMIT = "ttft p99 <= 2s"


@pytest.mark.parametrize("text", ["ttft p99 <= 2 s", "TTFT P99 < 2000ms", "ttft:p99:2s"])
def test_spellings_of_one_limit(text: str) -> None:
    assert str(parse_target(text)) == "ttft p99 <= 2000 ms"


@pytest.mark.parametrize("text", ["goodput >= 0.99", "Goodput>=99%", "goodput: 0.99"])
def test_spellings_of_one_goodput(text: str) -> None:
    found = parse_slo((LIMIT, text))
    assert found.goodput == pytest.approx(0.99)
    assert found.terms == ("ttft p99 <= 2000 ms", "goodput >= 0.99")


def test_words_name_everything() -> None:
    assert str(parse_slo((LIMIT, "goodput >= 0.9"), headroom=0.1)) == (
        "ttft p99 <= 2000 ms, goodput >= 0.9, 0.1 of each limit free"
    )
    assert str(Slo()) == "none"


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ((LIMIT, "goodput >= 1.2"), "below 1"),
        ((LIMIT, "goodput >= 1"), "error budget"),
        ((LIMIT, "goodput >= 0"), "above 0"),
        ((LIMIT, "goodput >= -0.5"), "above 0"),
        ((LIMIT, "goodput >= 2 s"), "goodput"),
        ((LIMIT, "goodput >= nan"), "goodput"),
        ((LIMIT, "goodput <= 0.99"), "goodput >= 0.99"),
        ((LIMIT, "goodput >= 0.9", "goodput >= 0.99"), "2 times"),
        (("goodput >= 0.99",), "ttft p99"),
    ],
)
def test_goodput_that_says_nothing_is_refused(texts: tuple[str, ...], says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        parse_slo(texts)


@pytest.mark.parametrize("headroom", [-0.1, 1.0, float("nan")])
def test_headroom_is_a_share(headroom: float) -> None:
    with pytest.raises(InferometerError, match="headroom"):
        parse_slo((LIMIT,), headroom=headroom)
