"""How far predictions were from measurements, by what was known when they were made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

from inferometer.catalog.source import Source
from inferometer.catalog.tables import table


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """Spread of measured over predicted in cross-validation, for one kind of prediction.

    Attributes:
        key: "quantity.load.novelty", e.g. "tpot.closed.new-model", "any" standing for any; the
            novelty "own" is that of the rows of an overlay.
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
    """What efficiencies were fitted to.

    Attributes:
        key: "fit" for the shipped ones, "own" for what an overlay adds.
        families: Model families, as the rows name them.
        architectures: Families of the same models in the catalogue.
        accelerators: Accelerator keys.
        laboratories: Sources of the rows.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    families: tuple[str, ...]
    architectures: tuple[str, ...] = ()
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


def own_basis(overlay: Path | None = None) -> Basis | None:
    """Return what an overlay was fitted to on top of the shipped fit, None without one.

    Raises:
        CatalogError: the overlay is at fault.
    """
    return table(Basis, "basis", overlay).get(OWN)


OWN = "own"
"""Novelty of a model family on an accelerator that an overlay has own rows of."""


class Spread(NamedTuple):
    """Measured over predicted: the tenth and the ninetieth percentile."""

    low: float
    high: float

    def quantile(self, share: float) -> float:
        """Return the ratio that a `share` of measurements stays below.

        Log-normal through both percentiles.
        """
        middle = (math.log(self.low) + math.log(self.high)) / 2
        width = (math.log(self.high) - math.log(self.low)) / 2 / NormalDist().inv_cdf(0.9)
        return math.exp(middle + width * NormalDist().inv_cdf(share))


NOVELTIES: Mapping[tuple[bool, bool], str] = {
    (False, False): "known",
    (True, False): "new-model",
    (False, True): "new-accelerator",
    (True, True): "new-both",
}
"""Kinds of novelty by (new model family, new accelerator); "new-source" is another laboratory with
both known."""


def novelty_of(basis: Basis, family: str, accelerator: str, own: Basis | None = None) -> str:
    """Return how new a model family of the catalogue on an accelerator is to a fit.

    Args:
        basis: What the shipped fit rests on.
        family: Family as the rows or as the catalogue name it.
        accelerator: Key of the accelerator.
        own: What an overlay's fit rests on, on top of it.
    """
    if own is not None and NOVELTIES[_new(own, family, accelerator)] == "known":
        return OWN
    return NOVELTIES[_new(basis, family, accelerator)]


def _new(basis: Basis, family: str, accelerator: str) -> tuple[bool, bool]:
    known = (*basis.families, *basis.architectures)
    return family not in known, accelerator not in basis.accelerators


def spread(known: Mapping[str, Residual], quantity: str, load: str, novelty: str) -> Spread:
    """Return the 80 % interval of measured over predicted, of the closest kind that is known.

    Args:
        known: Spreads by key.
        quantity: E.g. "tpot".
        load: E.g. "closed", or "any".
        novelty: "known", "new-model", "new-accelerator", "new-both", "new-source", or "own", which
            is "known" for quantities that no own row gave.
    """
    places = [(quantity, load), (quantity, "any"), ("any", "any")]
    keys = [f"{what}.{where}.{novelty}" for what, where in places]
    if novelty == OWN:
        keys = keys[:2] + [f"{what}.{where}.known" for what, where in places]
    for key in keys:
        if key in known:
            return Spread(known[key].low, known[key].high)
    return Spread(
        0.5, 2.0
    )  # no residual of any kind: a factor of two, the error of a bare roofline
