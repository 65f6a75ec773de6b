"""How a length is distributed: by quantiles, or as a lognormal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """Distribution of one length: quantiles, or a lognormal by two of mean, p50, p90, p99.

    Attributes:
        levels: Rising shares in (0, 1], one per quantile.
        quantiles: Length that each share does not exceed, tokens.
        mean: Mean length, tokens.
        p50: Median length, tokens.
        p90: 90th percentile, tokens.
        p99: 99th percentile, tokens.
    """

    levels: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
