"""Inferometer: the economics of LLM inference.

The names below are the public Python API; each is imported when it is first used.
`tests/examples/test_python_api.py` shows them at work.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.account.bill import Bill as Bill
    from inferometer.account.bill import Tariff as Tariff
    from inferometer.account.bill import bill as bill
    from inferometer.candidates import one as one
    from inferometer.catalog.efficiency import efficiencies as efficiencies
    from inferometer.catalog.models import model as model
    from inferometer.catalog.prices import accelerator_price as accelerator_price
    from inferometer.catalog.tables import accelerator as accelerator
    from inferometer.catalog.tables import engine as engine
    from inferometer.catalog.tables import node as node
    from inferometer.catalog.tables import number_format as number_format
    from inferometer.deployment import Deployment as Deployment
    from inferometer.deployment import EngineSettings as EngineSettings
    from inferometer.deployment import Parallelism as Parallelism
    from inferometer.deployment import Precision as Precision
    from inferometer.errors import InferometerError as InferometerError
    from inferometer.outcome import Outcome as Outcome
    from inferometer.perf.predict import predict as predict
    from inferometer.plan.search import search as search
    from inferometer.plan.space import Choices as Choices
    from inferometer.plan.space import Supply as Supply
    from inferometer.plan.space import build as build
    from inferometer.workload.formats.files import read as read
    from inferometer.workload.shape import shape_of as shape_of
    from inferometer.workload.slo import parse_slo as parse_slo

_HOMES = {
    "Bill": "account.bill",
    "Choices": "plan.space",
    "Deployment": "deployment",
    "EngineSettings": "deployment",
    "InferometerError": "errors",
    "Outcome": "outcome",
    "Parallelism": "deployment",
    "Precision": "deployment",
    "Supply": "plan.space",
    "Tariff": "account.bill",
    "accelerator": "catalog.tables",
    "accelerator_price": "catalog.prices",
    "bill": "account.bill",
    "build": "plan.space",
    "efficiencies": "catalog.efficiency",
    "engine": "catalog.tables",
    "model": "catalog.models",
    "node": "catalog.tables",
    "number_format": "catalog.tables",
    "one": "candidates",
    "parse_slo": "workload.slo",
    "predict": "perf.predict",
    "read": "workload.formats.files",
    "search": "plan.search",
    "shape_of": "workload.shape",
}

__all__ = [
    "Bill",
    "Choices",
    "Deployment",
    "EngineSettings",
    "InferometerError",
    "Outcome",
    "Parallelism",
    "Precision",
    "Supply",
    "Tariff",
    "accelerator",
    "accelerator_price",
    "bill",
    "build",
    "efficiencies",
    "engine",
    "model",
    "node",
    "number_format",
    "one",
    "parse_slo",
    "predict",
    "read",
    "search",
    "shape_of",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'inferometer' has no attribute {name!r}")
    return getattr(import_module(f"inferometer.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
