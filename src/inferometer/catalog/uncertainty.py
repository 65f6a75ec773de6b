"""How far predictions were from measurements, by what was known when they were made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inferometer.catalog.source import Source
from inferometer.catalog.tables import table


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """Spread of measured over predicted in cross-validation, for one kind of prediction.

    Attributes:
        key: "quantity.load.novelty", e.g. "tpot.closed.new-model", "any" standing for any.
        low: Ratio of measured to predicted that a tenth of the rows fall short of.
        high: Ratio that a tenth of the rows exceed.
        rows: Rows that it was learned from.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    low: float
    high: float
    rows: int
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What the shipped efficiencies were fitted to.

    Attributes:
        key: "fit".
        families: Model families.
        accelerators: Accelerator keys.
        laboratories: Sources of the rows.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    families: tuple[str, ...]
    accelerators: tuple[str, ...]
    laboratories: tuple[str, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)


def residuals(overlay: Path | None = None) -> Mapping[str, Residual]:
    """Return all spreads by key.

    Raises:
        CatalogError: the overlay is at fault.
    """
    return table(Residual, "residuals", overlay)


def basis(overlay: Path | None = None) -> Basis:
    """Return what the efficiencies were fitted to.

    Raises:
        CatalogError: the overlay is at fault.
    """
    return table(Basis, "basis", overlay)["fit"]


def spread(
    known: Mapping[str, Residual], quantity: str, load: str, novelty: str
) -> tuple[float, float]:
    """Return the 80 % interval of measured over predicted, of the closest kind that is known.

    Args:
        known: Spreads by key.
        quantity: E.g. "tpot".
        load: E.g. "closed".
        novelty: "known", "new-model", "new-accelerator", "new-both" or "new-source".
    """
    for what, where in ((quantity, load), (quantity, "any"), ("any", "any")):
        key = f"{what}.{where}.{novelty}"
        if key in known:
            return known[key].low, known[key].high
    return 0.5, 2.0  # no residual of any kind: a factor of two, the error of a bare roofline
