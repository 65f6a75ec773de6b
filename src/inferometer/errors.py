"""Every error that Inferometer raises on purpose.

::

    InferometerError          anything below; the message says what, where and what to do
    ├── UnitError             a quantity cannot be read, or has the wrong dimension
    ├── CatalogError          a catalogue file, model description or price row is wrong or missing
    ├── WorkloadError         a trace or a workload specification is wrong
    ├── ScenarioError         a scenario, option or combination of options is wrong
    ├── LedgerError           accounts do not add up, or cannot be kept
    ├── GatewayError          a gateway's configuration is wrong, or it cannot start
    ├── EngineError           a live engine does not start, died, or does not answer
    └── InfeasibleError       the question is sound, but nothing in the search space answers it

The command line maps `InfeasibleError` to exit code 3, `EngineError` to 1 (the run failed, the
question was sound) and every other one to exit code 2.
"""


class InferometerError(Exception):
    """Root of all errors raised on purpose: catch this one to catch them all."""


class UnitError(InferometerError, ValueError):
    """A quantity cannot be read, or has the wrong dimension."""


class CatalogError(InferometerError):
    """A catalogue file, a model description or a price row is wrong or missing."""


class WorkloadError(InferometerError):
    """A trace or a workload specification is wrong."""


class ScenarioError(InferometerError):
    """A scenario file, an option or a combination of options is wrong."""


class LedgerError(InferometerError):
    """Accounts do not add up, or cannot be kept."""


class GatewayError(InferometerError):
    """A gateway's configuration is wrong, or it cannot start."""


class EngineError(InferometerError):
    """A live engine does not start, died, or does not answer."""


class InfeasibleError(InferometerError):
    """The question is sound, but nothing in the search space answers it."""
