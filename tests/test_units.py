import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer import units
from inferometer.catalog.hardware import Accelerator
from inferometer.errors import UnitError
from inferometer.units import Unit, column, convert, parse, shown_scale, unit_of, units_of

ALIASES = {name: get_args(alias)[1] for name, alias in vars(units).items() if unit_of(alias)}


@pytest.mark.parametrize(
    ("text", "symbol", "value"),
    [
        ("80 GB", "B", 80e9),
        ("80 GiB", "B", 80 * 2**30),
        ("80GB", "B", 80e9),
        ("400 Gbit/s", "B/s", 50e9),
        ("3.35 TB/s", "B/s", 3.35e12),
        ("989.4 TFLOP/s", "FLOP/s", 989.4e12),
        ("2.10 USD/h", "USD/s", 2.10 / 3600),
        ("0.1437 USD/kWh", "USD/J", 0.1437 / 3.6e6),
        ("381 g/kWh", "g/J", 381 / 3.6e6),
        ("15 USD/Mtok", "USD/tok", 15e-6),
        ("50 ms", "s", 0.05),
        ("2 µs", "s", 2e-6),
        ("1 year", "s", 8760 * 3600),
        ("12 month", "s", 8760 * 3600),
        ("700 W", "J/s", 700),
        ("1,155 tok", "tok", 1155),
        ("1_000_000 tok", "tok", 1e6),
        ("1.5e3 W", "W", 1500),
        (".5", "1", 0.5),
        ("54 %", "1", 0.54),
        ("-3 W", "W", -3),
        ("3 EB", "B", 3e18),
    ],
)
def test_a_quantity_arrives_in_base_units(text: str, symbol: str, value: float) -> None:
    assert parse(text, Unit(symbol)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "symbol", "says"),
    [
        ("80 GB/s", "B", "GB/s"),
        ("80", "B", "is in 1"),
        ("80 G", "B", "unknown unit 'G'"),
        ("80 gb", "B", "unknown unit"),
        ("80 GB 5", "B", "unknown unit"),
        ("eighty GB", "B", "not a quantity"),
        ("", "B", "not a quantity"),
        ("nan W", "W", "not a quantity"),
        ("inf W", "W", "not a quantity"),
        ("1e999 W", "W", "not finite"),
        ("1e305 EB", "B", "not finite"),
        ("1,5 GB", "B", "not a quantity"),
        ("1.2.3 GB", "B", "not a quantity"),
        ("5 %", "W", "is wanted"),
        ("5 GiW", "W", "unknown unit"),
        ("5 GB/", "B", "unknown unit"),
    ],
)
def test_what_is_no_such_quantity_is_refused(text: str, symbol: str, says: str) -> None:
    with pytest.raises(UnitError, match=says.replace(".", r"\.")):
        parse(text, Unit(symbol))


def test_a_unit_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="wanted"):
        parse("5 s", Unit("B"))


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_every_alias_parses_what_it_shows(name: str) -> None:
    unit = ALIASES[name]
    shown = unit.shown or unit.symbol
    assert parse(f"1 {shown}" if shown != "1" else "1", unit) == pytest.approx(shown_scale(unit))


@given(
    st.floats(min_value=1e-6, max_value=1e9),
    st.sampled_from(sorted(ALIASES)),
)
def test_convert_undoes_parse(number: float, name: str) -> None:
    unit = ALIASES[name]
    shown = unit.shown or unit.symbol
    assert convert(parse(f"{number!r} {shown}", unit), unit) == pytest.approx(number, rel=1e-12)


@given(
    st.floats(min_value=0.001, max_value=1000),
    st.sampled_from(["", "k", "M", "G", "T", "P", "E"]),
    st.sampled_from(["B", "FLOP", "W", "J", "tok", "Wh"]),
)
def test_each_decimal_prefix_is_a_thousand_of_the_last(n: float, prefix: str, base: str) -> None:
    power = ["", "k", "M", "G", "T", "P", "E"].index(prefix)
    whole = parse(f"{n!r} {prefix}{base}", Unit(base))
    assert math.isclose(whole, n * 1000**power, rel_tol=1e-12)


def test_columns_carry_the_unit_once() -> None:
    assert column("ttft", Unit("s", "ms", "ms")) == "ttft_ms"
    assert column("ttft_ms", Unit("s", "ms", "ms")) == "ttft_ms"
    assert column("share", Unit("1", "fraction", "1")) == "share"


def test_units_are_found_inside_optional_fields() -> None:
    found = units_of(Accelerator)
    assert found["peak_fp8"].symbol == "FLOP/s"
    assert "name" not in found
