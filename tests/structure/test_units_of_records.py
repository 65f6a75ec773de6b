"""Every float field of a public record says its unit, or is listed as dimensionless."""

import importlib
import inspect
import pkgutil
from dataclasses import is_dataclass
from typing import get_type_hints

import inferometer
from inferometer.units import unit_of

FOLDERS = ("catalog", "workload", "deployment", "outcome", "candidates", "account", "plan")
DIMENSIONLESS = {
    "arrived", "finished", "rejected", "timed_out", "in_flight", "batch", "requests",
    "burstiness", "base", "low", "high", "memory_fraction", "bytes_per_element",
    "state_bytes_per_element", "extra_flop_per_token", "published_total", "published_active",
}  # fmt: skip
"""Counts and ratios, and per-element constants of formats; `base`, `low`, `high` belong to
parameters whose unit is a field of its own."""


def records() -> list[type]:
    names = [module.name for module in pkgutil.walk_packages(inferometer.__path__, "inferometer.")]
    found: list[type] = []
    for name in names:
        if name.split(".")[1] in FOLDERS:
            module = importlib.import_module(name)
            found += [
                item
                for _, item in inspect.getmembers(module, inspect.isclass)
                if item.__module__ == name and is_dataclass(item)
            ]
    return [record for record in found if not record.__name__.startswith("_")]


def bare_floats(record: type) -> set[str]:
    hints = get_type_hints(record, include_extras=True)
    plain = {name for name, hint in hints.items() if hint in (float, float | None)}
    return {name for name in plain if unit_of(hints[name]) is None}


def test_there_are_records_to_check() -> None:
    assert {"Outcome", "Accelerator", "Deployment"} <= {record.__name__ for record in records()}


def test_every_float_has_a_unit_or_is_dimensionless() -> None:
    wrong = {
        f"{record.__module__}.{record.__name__}.{name}"
        for record in records()
        for name in bare_floats(record) - DIMENSIONLESS
    }
    assert not wrong
