"""Hours of a grid, prices of carbon, manufacture: the shipped facts, and files of one's own."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from inferometer.catalog import tables
from inferometer.catalog.carbon import HourShape
from inferometer.catalog.grid_file import read_grid_hours
from inferometer.catalog.source import Evidence
from inferometer.errors import CatalogError


def test_every_shape_keeps_the_mean_and_names_grids_that_exist() -> None:
    grids = tables.grids()
    taken = [grid for shape in tables.hour_shapes().values() for grid in shape.grids]
    assert len(taken) == len(set(taken))
    assert set(taken) <= grids.keys()
    for shape in tables.hour_shapes().values():
        assert sum(shape.factors) == pytest.approx(24, abs=0.03)
        assert shape.sources[""].evidence is Evidence.ASSUMED  # none may be shipped as measured


def test_a_shape_that_is_none_is_refused() -> None:
    with pytest.raises(CatalogError, match="24 are wanted"):
        HourShape(key="x", name="x", factors=(1.0,) * 12)
    with pytest.raises(CatalogError, match="mean is 2"):
        HourShape(key="x", name="x", factors=(2.0,) * 24)


def test_prices_of_carbon_are_per_gram_inside() -> None:
    assert tables.carbon_price("epa-social-cost").price == pytest.approx(190e-6)
    with pytest.raises(CatalogError, match="price of carbon"):
        tables.carbon_price("no-such-market")


def test_manufacture_of_the_h100_is_ecologits() -> None:
    made = tables.embodied()["h100-sxm"]
    assert 8 * (made.accelerator + made.host) == pytest.approx(7_012e3)
    assert tables.embodied()["typical"].sources[""].evidence is Evidence.ASSUMED


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "grid.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def day(values: list[float]) -> str:
    return "hour,g_per_kwh\n" + "".join(f"{hour},{g}\n" for hour, g in enumerate(values))


def test_a_day_and_a_week_are_read_as_they_are(write: Write) -> None:
    found = read_grid_hours(write(day([100.0 + hour for hour in range(24)])))
    assert [value * 3.6e6 for value in found.values] == pytest.approx([*range(100, 124)])
    assert not found.assumed
    week = [float(hour) for hour in range(1, 169)]
    found = read_grid_hours(write(day(week)))
    assert [value * 3.6e6 for value in found.values] == pytest.approx(week)


def test_times_are_folded_onto_the_hours_of_the_week(write: Write) -> None:
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)  # a Wednesday
    assert start.weekday() == 2
    rows = [
        f"{(start + dt.timedelta(hours=n)).isoformat()},{(start + dt.timedelta(hours=n)).weekday()}"
        for n in range(24 * 28)
    ]
    found = read_grid_hours(write("Datetime,g_per_kwh\n" + "\n".join(rows)))
    assert len(found.values) == 168
    for weekday in range(7):
        hours = found.values[24 * weekday : 24 * weekday + 24]
        assert [value * 3.6e6 for value in hours] == pytest.approx([weekday] * 24)


def test_two_days_become_one(write: Write) -> None:
    found = read_grid_hours(write(day([100.0] * 24 + [200.0] * 24)))
    assert [value * 3.6e6 for value in found.values] == pytest.approx([150.0] * 24)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "wanted are a column 'g_per_kwh'"),
        ("hour,carbon\n0,1\n", "it has: hour, carbon"),
        ("when,g_per_kwh\n0,1\n", "'hour' or 'datetime'"),
        (day([100.0] * 23), "23 hours; whole days"),
        (day([*[100.0] * 23, -1.0]), "line 25: -1.0 is not within 0 and 2000"),
        (day([*[100.0] * 23, 380_000.0]), "not within 0 and 2000"),
        (day([*[100.0] * 23, float("nan")]), "line 25"),
        (day([0.38] * 24), r"kg/kWh\? multiply by 1,000"),
        (day([100.0] * 24).replace("\n5,", "\n6,"), "line 7: hour is '6', 5 is wanted"),
        (day([100.0] * 24).replace(",100.0", ",many", 1), "line 2: 'many' is no number"),
        ("datetime,g_per_kwh\n2025-01-01T00:00,1\n2025-01-01T02:00,1\n", "by one hour"),
        ("datetime,g_per_kwh\nyesterday,1\n", "'yesterday' is no time"),
        ("datetime,g_per_kwh\n2025-01-01T00:00,1\n2025-01-01T01:00+00:00,1\n", "state a zone"),
        ("hour,g_per_kwh\n0\n", "fewer cells"),
    ],
)
def test_bad_files_are_refused(text: str, message: str, write: Write) -> None:
    with pytest.raises(CatalogError, match=message):
        read_grid_hours(write(text))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        read_grid_hours(tmp_path)
