"""Inferometer: the economics of LLM inference.

The names below are the public Python API; each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.catalog.hardware import Accelerator as Accelerator
    from inferometer.catalog.models import Model as Model
    from inferometer.deployment import Deployment as Deployment
    from inferometer.deployment import EngineSettings as EngineSettings
    from inferometer.deployment import Parallelism as Parallelism
    from inferometer.deployment import Precision as Precision
    from inferometer.errors import InferometerError as InferometerError
    from inferometer.outcome import Latency as Latency
    from inferometer.outcome import Outcome as Outcome
    from inferometer.workload.shape import Shape as Shape
    from inferometer.workload.slo import Slo as Slo
    from inferometer.workload.slo import Target as Target
    from inferometer.workload.slo import parse_target as parse_target
    from inferometer.workload.trace import Trace as Trace

_HOMES = {
    "Accelerator": "catalog.hardware",
    "Deployment": "deployment",
    "EngineSettings": "deployment",
    "InferometerError": "errors",
    "Latency": "outcome",
    "Model": "catalog.models",
    "Outcome": "outcome",
    "Parallelism": "deployment",
    "Precision": "deployment",
    "Shape": "workload.shape",
    "Slo": "workload.slo",
    "Target": "workload.slo",
    "Trace": "workload.trace",
    "parse_target": "workload.slo",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605  one table


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'inferometer' has no attribute {name!r}")
    return getattr(import_module(f"inferometer.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
