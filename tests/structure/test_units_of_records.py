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
    "Agent": {"calls_p50", "calls_p99"},
    "AgentsSpec": {"calls_p50", "calls_p99"},
    "SubagentSpec": {"calls_p50", "calls_p99"},
    "Effort": {"calls", "output"},
    "Call": {"not_before_ms"},  # as the file has it
    "Dependency": {"delay"},
    "TaskCost": {"calls"},
    "Retrieval": {"chunks"},
    "Servers": {"calls"},
    "Stage": {"calls"},
    "Anatomy": {"sequences"},  # a count
    "Answer": {"active", "batch", "bits", "output_tokens", "parameters"},  # counts, in billions
    "Attention": {"extra_flop_per_token", "state_bytes_per_element"},  # per-element constants
    "Correction": {"actual", "planned"},  # of whatever the assumption is about
    "Served": {"input_tokens", "output_tokens"},
    "Counts": {"arrived", "finished", "in_flight", "rejected", "timed_out"},
    "AgentCalls": {"per_task"},
    "Saving": {"amount"},  # in the unit beside it
    "EcoLogits": {"energy_beta", "memory_overhead"},
    "Engine": {"memory_fraction"},
    "Facility": {"pue"},
    "LengthProfile": {"correlation", "input_mean", "output_mean"},  # tokens, as its quantiles
    "LengthSpec": {"correlation"},
    "Marginal": {"mean", "p50", "p90", "p99"},  # tokens, as plain numbers in a specification
    "Model": {"published_active", "published_total"},  # parameters
    "NumberFormat": {"bytes_per_element"},
    "Outcome": {"batch"},
    "CommittedUse": {"on_demand"},  # accelerators
    "OwnerHabits": {"staff", "years"},
    "Ownership": {"site_years", "staff", "years"},
    "Parameter": {"base", "high", "low", "prior"},  # the unit depends on the parameter
    "Power": {"pue"},
    "Horizon": {"growth", "years"},
    "Part": {"change", "held"},  # per year, years
    "Provision": {"cold", "idle", "paid", "spares", "starts", "targets", "work"},  # replicas
    "Rent": {"change", "held"},
    "Residual": {"high", "low"},  # natural logarithms of ratios
    "SessionSpec": {"turns"},
    "Shape": {"burstiness", "requests"},
    "Tariff": {"pue"},
    "Uncertain": {"high", "low"},  # factors
    "TierDiscount": {"factor"},
    "Trend": {"change", "high", "low"},  # fractions that may be negative
    "Week": {"burst"},
    "WorkloadSpec": {"cv"},
}
"""Counts and ratios by record: what has no unit, or one that the record itself cannot know."""


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
        for name in bare_floats(record) - DIMENSIONLESS.get(record.__name__, set())
    }
    assert not wrong


def test_the_list_names_only_fields_that_exist_and_are_bare() -> None:
    bare = {record.__name__: bare_floats(record) for record in records()}
    stale = {
        f"{record}.{name}"
        for record, names in DIMENSIONLESS.items()
        for name in names - bare.get(record, set())
    }
    assert not stale
