"""Numbers and tables of the page."""

import csv
import io
import math
from urllib.parse import unquote

import pytest

from inferometer.report.numerals import dollars, duration, milliseconds, number, share
from inferometer.report.table import table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not known"),
        (math.nan, "not known"),
        (math.inf, "not known"),
        (0.0, "0"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (99.96, "100"),
        (999.6, "1,000"),
        (1234567.0, "1,234,567"),
        (0.00123, "0.00123"),
        (0.0000123, "1.23e-05"),
        (-45.678, "-45.7"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unpriced"),
        (0.0, "$0"),
        (0.1096, "$0.110"),
        (2.98, "$2.98"),
        (-2.98, "-$2.98"),
        (2175.4, "$2,175"),
    ],
)
def test_dollars(value: float | None, text: str) -> None:
    assert dollars(value) == text


def test_shares_times_and_spans() -> None:
    assert [share(value) for value in (0.0, 0.0123, 0.24, 1.0, math.nan)] == [
        "0 %",
        "1.2 %",
        "24 %",
        "100 %",
        "not known",
    ]
    assert milliseconds(1.5) == "1,500 ms"
    assert [duration(value) for value in (30.0, 3504.0, 86400.0, 7 * 86400.0)] == [
        "30.0 s",
        "58.4 min",
        "24.0 h",
        "7.00 days",
    ]


def test_columns_of_numbers_are_known() -> None:
    found = table("t", ("name", "usd", "share"), [("a", "$1.60", "24 %"), ("b", "unpriced", "0 %")])
    assert found.numeric == (False, True, True)


def test_csv_reads_back_and_runs_no_formula() -> None:
    rows = [("=cmd()", "1,234"), ('say "x", y', "-5.0"), ("+1+1", "+3 %")]
    address = table("t", ("name", "value"), rows).csv
    assert address.startswith("data:text/csv;charset=utf-8,")
    found = list(csv.reader(io.StringIO(unquote(address.split(",", 1)[1]))))
    assert found == [
        ["name", "value"],
        ["'=cmd()", "1,234"],
        ['say "x", y', "-5.0"],
        ["'+1+1", "+3 %"],
    ]


def test_rows_must_fit_the_columns() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 names"):
        table("t", ("a", "b"), [("x",)])
