"""Physical and economic quantities: SI floats inside, parsed at the edge, suffixed on leaving.

Inside the package a quantity is a plain float (or numpy array) in the base unit that its
annotation names: bytes, seconds, FLOP, watts, joules, dollars, tokens, grams of CO2e and their
ratios. `parse` turns what people and datasheets write ("3.35 TB/s", "2.10 USD/h") into that float
and refuses a wrong dimension; `column` names a field and scales it for people ("ttft" in seconds
leaves as "ttft_ms").
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

from inferometer.errors import UnitError

Dimension = tuple[tuple[str, int], ...]
"""Exponents of the base units, sorted by name: B/s is (("B", 1), ("s", -1))."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The base unit of a float field, and how the field is shown to people.

    Attributes:
        symbol: Unit that the float is in, an expression over B, s, FLOP, W, J, USD, tok, g.
        suffix: What follows the field's name on leaving, e.g. "ms".
        shown: Unit of the number that leaves, e.g. "ms"; the base unit when empty.
    """

    symbol: str
    suffix: str = ""
    shown: str = ""


Bytes = Annotated[float, Unit("B", "gb", "GB")]
BytesPerSecond = Annotated[float, Unit("B/s", "gb_per_s", "GB/s")]
BytesPerToken = Annotated[float, Unit("B/tok", "bytes_per_token", "B/tok")]
Flop = Annotated[float, Unit("FLOP", "gflop", "GFLOP")]
FlopPerSecond = Annotated[float, Unit("FLOP/s", "tflop_per_s", "TFLOP/s")]
Grams = Annotated[float, Unit("g", "g", "g")]
GramsPerJoule = Annotated[float, Unit("g/J", "g_per_kwh", "g/kWh")]
GramsPerToken = Annotated[float, Unit("g/tok", "g_per_token", "g/tok")]
Joules = Annotated[float, Unit("J", "j", "J")]
JoulesPerToken = Annotated[float, Unit("J/tok", "j_per_token", "J/tok")]
Seconds = Annotated[float, Unit("s", "ms", "ms")]
Duration = Annotated[float, Unit("s", "s", "s")]
PerSecond = Annotated[float, Unit("1/s", "per_s", "1/s")]
Tokens = Annotated[float, Unit("tok", "tokens", "tok")]
TokensPerSecond = Annotated[float, Unit("tok/s", "tok_per_s", "tok/s")]
Usd = Annotated[float, Unit("USD", "usd", "USD")]
UsdPerSecond = Annotated[float, Unit("USD/s", "usd_per_h", "USD/h")]
UsdPerToken = Annotated[float, Unit("USD/tok", "usd_per_mtok", "USD/Mtok")]
UsdPerGram = Annotated[float, Unit("USD/g", "usd_per_t", "USD/t")]
UsdPerByte = Annotated[float, Unit("USD/B", "usd_per_gb", "USD/GB")]
UsdPerJoule = Annotated[float, Unit("USD/J", "usd_per_kwh", "USD/kWh")]
UsdPerPower = Annotated[float, Unit("USD/J", "usd_per_kw_month", "USD/kW/month")]
"""Price of power kept ready for a time: by dimension an energy's, by meaning not."""
UsdPerYear = Annotated[float, Unit("USD/s", "usd_per_year", "USD/year")]
Watts = Annotated[float, Unit("W", "w", "W")]
Fraction = Annotated[float, Unit("1", "fraction", "1")]

_BASE: dict[str, tuple[float, Dimension]] = {
    "1": (1.0, ()),
    "B": (1.0, (("B", 1),)),
    "bit": (0.125, (("B", 1),)),
    "FLOP": (1.0, (("FLOP", 1),)),
    "s": (1.0, (("s", 1),)),
    "min": (60.0, (("s", 1),)),
    "h": (3600.0, (("s", 1),)),
    "day": (86400.0, (("s", 1),)),
    "month": (8760 * 3600.0 / 12, (("s", 1),)),  # a twelfth of 8,760 h, as the field bills
    "year": (8760 * 3600.0, (("s", 1),)),  # 8,760 h, the convention of every TCO sheet cited
    "W": (1.0, (("J", 1), ("s", -1))),
    "J": (1.0, (("J", 1),)),
    "Wh": (3600.0, (("J", 1),)),
    "USD": (1.0, (("USD", 1),)),
    "tok": (1.0, (("tok", 1),)),
    "g": (1.0, (("g", 1),)),
    "t": (1e6, (("g", 1),)),
}
_DECIMAL = {"n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_DECIMAL |= {"T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_PREFIXABLE = {"B", "bit", "FLOP", "s", "W", "J", "Wh", "tok", "g"}
_NUMBER = r"[+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})(?![\d.,_])\s*(\S.*?)?\s*")


def _atom(name: str) -> tuple[float, Dimension]:
    if name in _BASE:
        return _BASE[name]
    for base in _PREFIXABLE:
        prefix = name.removesuffix(base)
        if prefix != name:
            if prefix in _DECIMAL:
                return _DECIMAL[prefix] * _BASE[base][0], _BASE[base][1]
            if prefix in _BINARY and base == "B":
                return _BINARY[prefix] * _BASE[base][0], _BASE[base][1]
    known = ", ".join(_BASE)
    raise UnitError(f"unknown unit {name!r}; known: {known}, with prefixes such as k, M, G, Ti")


def _expression(text: str) -> tuple[float, Dimension]:
    scale, powers = 1.0, dict[str, int]()
    for position, name in enumerate(text.split("/")):
        factor, dimension = _atom(name.strip())
        sign = 1 if position == 0 else -1
        scale *= factor**sign
        for base, power in dimension:
            powers[base] = powers.get(base, 0) + sign * power
    return scale, tuple(sorted((base, power) for base, power in powers.items() if power))


def parse(text: str, unit: Unit) -> float:
    """Return the quantity `text`, such as "3.35 TB/s", in the base unit of `unit`.

    A bare number is taken only where the unit is dimensionless; decimal (GB) and binary (GiB)
    prefixes are kept apart; "%" is a fraction. A comma only groups thousands ("1,155"): "1,5" is
    refused, since half of the world reads it as one and a half.

    Raises:
        UnitError: not a finite number, unknown unit, or a dimension other than that of `unit`.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise UnitError(f"{text!r} is not a quantity; write for example '1.5 {unit.symbol}'")
    number, name = float(match[1].replace(",", "").replace("_", "")), match[2] or "1"
    if name == "%":
        number, name = number / 100, "1"
    scale, dimension = _expression(name)
    base_scale, wanted = _expression(unit.symbol)
    if dimension != wanted:
        raise UnitError(f"{text!r} is in {name}, but {unit.symbol} is wanted")
    value = number * scale / base_scale
    if not math.isfinite(value):
        raise UnitError(f"{text!r} is not finite")
    return value


def convert(value: float, unit: Unit) -> float:
    """Return `value`, in the base unit, as the number that leaves (seconds -> milliseconds)."""
    return value / shown_scale(unit)


def shown_scale(unit: Unit) -> float:
    """Return the size of the shown unit in base units (0.001 for seconds shown as ms)."""
    return _expression(unit.shown or unit.symbol)[0] / _expression(unit.symbol)[0]


def column(name: str, unit: Unit) -> str:
    """Return the name under which a field leaves: "ttft" in seconds leaves as "ttft_ms"."""
    if unit.suffix in {"", "fraction"} or name.endswith(f"_{unit.suffix}"):
        return name
    return f"{name}_{unit.suffix}"


def unit_of(annotation: object) -> Unit | None:
    """Return the `Unit` in an annotation (also in `X | None`), or None if it carries none."""
    for argument in get_args(annotation):
        if isinstance(argument, Unit):
            return argument
        inner = unit_of(argument)
        if inner is not None:
            return inner
    return None


def units_of(record: type) -> dict[str, Unit]:
    """Return the units of all fields of a record class that carry one."""
    hints: dict[str, Any] = get_type_hints(record, include_extras=True)
    found = {name: unit_of(hint) for name, hint in hints.items()}
    return {name: unit for name, unit in found.items() if unit is not None}
