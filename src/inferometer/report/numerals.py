"""Numbers as people read them: three significant digits, thousands grouped, unit beside them."""

import math

HOUR = 3600.0
DAY = 24 * HOUR
MONTH = 8760 * HOUR / 12
MILLION = 1e6
MISSING = "not known"


def number(value: float | None, digits: int = 3) -> str:
    """Return `value` with `digits` significant digits, whole and grouped where it is that large."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    if abs(rounded) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".") if abs(rounded) >= 1e-4 else f"{value:.{digits}g}"


def dollars(value: float | None, digits: int = 3) -> str:
    """Return an amount as "$1.60"; "unpriced" where there is none."""
    if value is None:
        return "unpriced"
    sign = "-" if value < 0 else ""
    if abs(value) < 1:
        return f"{sign}${number(abs(value), digits)}"
    return f"{sign}${abs(value):,.2f}" if abs(value) < 1000 else f"{sign}${abs(value):,.0f}"


def milliseconds(value: float) -> str:
    """Return seconds as "12.3 ms"."""
    return f"{number(value * 1e3)} ms"


def share(value: float) -> str:
    """Return a fraction as "24 %", with a digit more below 10 %."""
    percent = 100 * value
    if not math.isfinite(percent):
        return MISSING
    return f"{percent:.0f} %" if abs(percent) >= 9.95 or percent == 0 else f"{percent:.1f} %"


def duration(seconds: float) -> str:
    """Return a span as the largest unit that it fills at least twice: "59.4 min", "24 h"."""
    for name, size in (("days", 86400.0), ("h", HOUR), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{number(seconds / size)} {name}"
    return f"{number(seconds)} s"
