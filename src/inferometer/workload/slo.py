"""Service-level objectives: limits on latency quantiles."""

import re
from dataclasses import dataclass

from inferometer.errors import ScenarioError
from inferometer.units import Seconds, Unit, parse

METRICS = ("ttft", "tpot", "itl", "e2e")
QUANTILES = ("mean", "p50", "p90", "p99")
_TARGET = re.compile(r"\s*(\w+)[\s:]+(\w+)\s*(?:<=|<|=|:)\s*(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One limit, e.g. TTFT p99 at most 2 s.

    Attributes:
        metric: "ttft", "tpot", "itl" or "e2e".
        quantile: "mean", "p50", "p90" or "p99".
        limit: Largest value allowed.
    """

    metric: str
    quantile: str
    limit: Seconds

    def __str__(self) -> str:
        return f"{self.metric} {self.quantile} <= {self.limit * 1e3:g} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """All limits together; an empty one is always met.

    Attributes:
        targets: The limits.
    """

    targets: tuple[Target, ...] = ()

    def __str__(self) -> str:
        return ", ".join(str(target) for target in self.targets) or "none"


def parse_target(text: str) -> Target:
    """Return the limit that `text`, such as "ttft p99 <= 2 s", states.

    Raises:
        ScenarioError: another form, an unknown metric or quantile, or a limit <= 0.
    """
    match = _TARGET.fullmatch(text)
    if match is None:
        raise ScenarioError(f"SLO {text!r}: write it as 'ttft p99 <= 2s'")
    metric, quantile = match[1].lower(), match[2].lower()
    if metric not in METRICS:
        raise ScenarioError(f"SLO {text!r}: metric {metric!r} is not one of {', '.join(METRICS)}")
    if quantile not in QUANTILES:
        raise ScenarioError(f"SLO {text!r}: {quantile!r} is not one of {', '.join(QUANTILES)}")
    limit = parse(match[3], Unit("s"))
    if limit <= 0:
        raise ScenarioError(f"SLO {text!r}: the limit must be positive")
    return Target(metric=metric, quantile=quantile, limit=limit)
