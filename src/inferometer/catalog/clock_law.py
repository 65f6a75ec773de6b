"""How the cores of an accelerator trade clock against voltage, bandwidth and draw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.catalog.source import Evidence, Source
from inferometer.catalog.tables import table
from inferometer.errors import CatalogError
from inferometer.units import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLaw:
    """Clock law of one silicon generation; clocks and voltages are over those at full clock.

    Attributes:
        key: The generation, e.g. "ampere-ga10x".
        voltage_floor: Lowest core voltage.
        voltage_knee: Clock below which voltage stays at its floor.
        bandwidth_knee: Clock below which the cores ask for less than the memory can give.
        memory_switching: Share of the draw of memory traffic that is the cores' and caches', and
            falls with the square of their voltage; the rest is the memory's own.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    voltage_floor: Fraction
    voltage_knee: Fraction
    bandwidth_knee: Fraction
    memory_switching: Fraction
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("voltage_floor", "voltage_knee", "bandwidth_knee"):
            if not 0 < getattr(self, name) < 1:
                raise CatalogError(f"clock law {self.key}: {name} is not between 0 and 1")
        if not 0 <= self.memory_switching <= 1:
            raise CatalogError(f"clock law {self.key}: memory_switching is not within 0 and 1")

    @property
    def measured(self) -> bool:
        """Whether rows state the clocks; else they are implied by draw and speed under caps."""
        return "" in self.sources and self.sources[""].evidence is Evidence.MEASURED


def clock_laws(overlay: Path | None = None) -> Mapping[str, ClockLaw]:
    """Return the clock laws that measurements tell, by silicon generation.

    Raises:
        CatalogError: the overlay is at fault.
    """
    return table(ClockLaw, "clock_laws", overlay)
