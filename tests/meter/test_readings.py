"""Readings: what grew over a span adds up, and a span that they cannot tell says nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meter.test_scrape import engine

from inferometer.cli.app import run
from inferometer.errors import LedgerError
from inferometer.meter.readings import LONGEST_GAP_NS, Reading, append, grown, load

__all__ = ["engine"]  # a fixture
MINUTE_NS = 60_000_000_000
STEPS = st.lists(
    st.tuples(st.integers(1, 14), st.integers(0, 10**6), st.integers(0, 10**6)),
    min_size=1,
    max_size=9,
)


def watched(steps: list[tuple[int, int, int]]) -> list[Reading]:
    found = [Reading(0, 0, 0, 0, "rapl", (0,), (10**7,))]
    for minutes, prompt, generated in steps:
        last = found[-1]
        joules = (last.microjoules[0] + 10 * prompt) % 10**7  # the counter starts again
        found.append(
            Reading(
                last.at_ns + minutes * MINUTE_NS, last.prompt + 2 * prompt, last.cached + prompt,
                last.generated + generated, "rapl", (joules,), (10**7,),
            )
        )  # fmt: skip
    return found


@settings(deadline=None)
@given(STEPS, st.floats(0, 1), st.floats(0, 1))
def test_parts_add_up_to_the_whole(
    steps: list[tuple[int, int, int]], one: float, two: float
) -> None:
    """From the first reading to the last all that was counted; cut in two, the two parts of it."""
    readings = watched(steps)
    end = readings[-1].at_ns - 1  # the last instant that has a reading after it
    whole = grown(readings, 0, end)
    assert whole is not None
    assert whole.fresh == pytest.approx(sum(prompt for _, prompt, _ in steps), rel=1e-6, abs=1)
    first, last = sorted((round(one * end), round(two * end)))
    parts = [grown(readings, *span) for span in ((0, first), (first, last), (last, end))]
    for name in ("fresh", "generated"):
        total = sum(getattr(part, name) for part in parts if part is not None)
        assert total == pytest.approx(getattr(whole, name), rel=1e-6, abs=1e-3)


def test_energy_is_counted_over_a_counter_that_starts_again() -> None:
    readings = watched([(1, 900_000, 5), (1, 900_000, 5), (1, 0, 0)])
    found = grown(readings, 0, 2 * MINUTE_NS)
    assert found is not None
    assert (found.energy_uj, found.power) == (18_000_000, "rapl")


@pytest.mark.parametrize(
    ("change", "span"),
    [
        ({}, (-1, MINUTE_NS)),  # before the first
        ({}, (0, 9 * MINUTE_NS)),  # after the last
        ({"prompt": 1.0, "cached": 0.0}, (0, MINUTE_NS)),  # a restart
        ({"power": "nvml"}, (0, MINUTE_NS)),  # another meter
        ({"at_ns": LONGEST_GAP_NS + 1}, (0, MINUTE_NS)),  # too far apart
    ],
)
def test_what_cannot_be_told(change: dict[str, Any], span: tuple[int, int]) -> None:
    first = Reading(0, 10, 5, 3, "rapl", (0,), (0,))
    last = Reading(2 * MINUTE_NS, 20, 5, 4, "rapl", (9,), (0,))._replace(**change)
    assert grown([first, last], *span) is None


def test_no_meter_no_energy() -> None:
    readings = [Reading(0, 0, 0, 0), Reading(2 * MINUTE_NS, 10, 0, 4)]
    found = grown(readings, 0, MINUTE_NS)
    assert found is not None
    assert (found.fresh, found.generated, found.energy_uj) == (5, 2, None)


def test_watch_writes_what_attribute_reads(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.jsonl"
    assert run(["meter", "watch", engine, str(out), "--every", "0.05", "--times", "3"]) == 0
    found = load(out)
    assert [one.prompt for one in found] == [100, 200, 300]
    assert run(["meter", "watch", "http://127.0.0.1:1/", str(out), "--times", "1"]) == 0
    assert "no metrics" in capsys.readouterr().err
    assert run(["meter", "watch", engine, str(out), "--every", "0"]) == 2
    assert run(["meter", "watch", engine, str(tmp_path / "none/x"), "--times", "1"]) == 2
    append(out, Reading(0, 1, 2, 3))
    assert load(out)[0].generated == 3
    out.write_text(json.dumps([1, 2]), encoding="utf-8")
    with pytest.raises(LedgerError, match="line 1"):
        load(out)
