"""Named efficiencies and overheads of the performance model, with the factors that refine them.

Each parameter has a base value, shared by everything, and multiplicative factors for what it was
fitted to differ by: "architecture:hopper", "engine:vllm", "format:fp8", "accelerator:h100-pcie".
A key without a factor multiplies by one, so hardware that nobody measured inherits the base.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.catalog.source import Source
from inferometer.catalog.tables import table
from inferometer.errors import CatalogError


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One efficiency or overhead.

    Attributes:
        key: Name, e.g. "weight_bandwidth".
        base: Value before any factor: a fraction of the peak, or seconds.
        low: Least value that physics allows after all factors.
        high: Greatest such value.
        prior: Base value that was plausible before any measurement: where a fit starts, and what it
            is pulled to.
        factors: Multipliers by "dimension:key".
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    base: float
    low: float
    high: float
    prior: float
    factors: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = {"base": self.base, **self.factors}
        for name, value in values.items():
            if not (math.isfinite(value) and value >= 0):
                raise CatalogError(f"efficiency {self.key}.{name} is {value}; at least 0 is wanted")
        if not self.low <= self.high:
            raise CatalogError(f"efficiency {self.key}: low {self.low} is above high {self.high}")

    def value(self, keys: Iterable[str]) -> float:
        """Return base times the factors of `keys`, within `low` and `high`."""
        product = math.prod((self.factors.get(key, 1.0) for key in keys), start=self.base)
        return min(max(product, self.low), self.high)


Efficiencies = Mapping[str, Parameter]
"""All parameters by key; the keys are the fields of `perf.rates.Rates` and the power weights."""


def efficiencies(overlay: Path | None = None) -> Efficiencies:
    """Return all parameters, read once; `overlay` is a file that a calibration wrote.

    Raises:
        CatalogError: the overlay is at fault; every fault is named.
    """
    return table(Parameter, "efficiencies", overlay)
