"""Percentiles under the keys that tools give them: "p99", "99", "99.0", "median"; never p99.9."""

from collections.abc import Mapping
from typing import Any

_NAMED = {"median": 50.0}


def percentile(found: Mapping[str, Any], wanted: str) -> Any:
    """Return the value of `wanted`, such as "p99" or "median", however its key is spelt.

    Other statistics ("mean") are taken by name; None where there is none.
    """
    level = _level(wanted)
    if level is None:
        return found.get(wanted)
    return next((found[key] for key in found if _level(key) == level), None)


def _level(key: str) -> float | None:
    """Return the percentile that a key names, None if it names another statistic."""
    if key in _NAMED:
        return _NAMED[key]
    text = key.removeprefix("p")
    if not text.replace(".", "", 1).isdecimal():
        return None
    level = float(text)
    return level if level <= 100 else None  # "p999" of some tools would be 99.9: not guessed
