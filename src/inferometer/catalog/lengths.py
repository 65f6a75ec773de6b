"""What published workloads look like: quantiles of their lengths, and the shape of their day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from inferometer.catalog.source import Source
from inferometer.errors import CatalogError
from inferometer.units import Fraction

LEVELS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
"""Levels at which a complete profile gives its quantiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthProfile:
    """Prompt and output lengths of a published workload, as marginal quantiles.

    Attributes:
        key: Name in the catalogue, e.g. "azure-2023-conv".
        name: Name for people.
        aliases: Other spellings.
        levels: Rising shares of requests in (0, 1], one per quantile.
        input_quantiles: Prompt length that each share of requests does not exceed, tokens.
        output_quantiles: The same of the output length.
        input_mean: Mean prompt length, tokens.
        output_mean: Mean output length, tokens.
        correlation: Spearman rank correlation of prompt and output length; None if unknown.
        reasoning_quantiles: Share of the output that is thought, not answer, which each share of
            requests does not exceed; empty where the source tells none apart.
        reasoning_mean: Mean of that share over requests; None likewise.
        requests: Requests behind the figures; 0 if unknown.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    levels: tuple[float, ...] = LEVELS
    input_quantiles: tuple[float, ...]
    output_quantiles: tuple[float, ...]
    input_mean: float
    output_mean: float
    correlation: float | None = None
    reasoning_quantiles: tuple[Fraction, ...] = ()
    reasoning_mean: Fraction | None = None
    requests: int = 0
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (_rises(self.levels, strictly=True) and 0 < self.levels[0] <= self.levels[-1] <= 1):
            raise CatalogError(f"{self.key}.levels: shares rising within (0, 1] are wanted")
        for name in ("input_quantiles", "output_quantiles"):
            values: tuple[float, ...] = getattr(self, name)
            if len(values) != len(self.levels) or not _rises(values) or values[0] < 0:
                raise CatalogError(
                    f"{self.key}.{name}: one length per level is wanted, not falling"
                )
        thought = self.reasoning_quantiles
        sound = len(thought) == len(self.levels) and _rises(thought) and thought[0] >= 0
        if thought and not (sound and thought[-1] <= 1):
            raise CatalogError(
                f"{self.key}.reasoning_quantiles: one share within 0 and 1 per level is wanted, not"
                " falling"
            )
        if self.correlation is not None and not -1 <= self.correlation <= 1:
            raise CatalogError(f"{self.key}.correlation: {self.correlation} is not within -1 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiurnalProfile:
    """How the load of a service moves through a day.

    Attributes:
        key: Name in the catalogue.
        name: Name for people.
        aliases: Other spellings.
        hourly: Arrival rate of each hour over the mean of the day, 24 values, hour 0 first.
        sources: Provenance by field name; "" holds the record's own.
    """

    key: str
    name: str
    aliases: tuple[str, ...] = ()
    hourly: tuple[float, ...]
    sources: Mapping[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.hourly) != 24 or min(self.hourly) < 0:
            raise CatalogError(f"{self.key}.hourly: 24 relative rates are wanted")
        if abs(sum(self.hourly) / 24 - 1) > 0.005:
            raise CatalogError(f"{self.key}.hourly: the mean is {sum(self.hourly) / 24}, not 1")


def _rises(values: tuple[float, ...], *, strictly: bool = False) -> bool:
    pairs = pairwise(values)
    return bool(values) and all(a < b if strictly else a <= b for a, b in pairs)
