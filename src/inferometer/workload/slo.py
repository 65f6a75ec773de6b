"""Service-level objectives: limits on latency quantiles, goodput, and how much stays free."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inferometer.errors import ScenarioError, UnitError
from inferometer.units import Fraction, Seconds, Unit, parse

METRICS = ("ttft", "tpot", "itl", "e2e")
QUANTILES = ("mean", "p50", "p90", "p99")
_TARGET = re.compile(r"\s*(\w+)[\s:]+(\w+)\s*(?:<=|<|=|:)\s*(.+)")
_GOODPUT = re.compile(r"\s*goodput\s*(?:>=|>|=|:)\s*(.+)", re.IGNORECASE)


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
        targets: Limits on latency quantiles.
        goodput: Least share of requests that stay within the limits of all targets at once,
            whatever quantile each is stated for; None asks for none.
        headroom: Share of every limit, and of the capacity, that a plan must leave free.
    """

    targets: tuple[Target, ...] = ()
    goodput: Fraction | None = None
    headroom: Fraction = 0.0

    def __post_init__(self) -> None:
        if self.goodput is not None and not 0 < self.goodput < 1:
            raise ScenarioError(
                f"SLO goodput is {self.goodput:g}; a share above 0 and below 1 is wanted, such as "
                "0.99: what is left of 1 is the error budget"
            )
        if self.goodput is not None and not self.targets:
            raise ScenarioError(
                "SLO goodput: requests are good within the limits of other targets; "
                "add one, such as 'ttft p99 <= 2s'"
            )
        if not 0 <= self.headroom < 1:
            raise ScenarioError(f"headroom is {self.headroom:g}; a share >= 0 and < 1 is wanted")

    @property
    def terms(self) -> tuple[str, ...]:
        """Every target in words, the latency quantiles first."""
        goodput = () if self.goodput is None else (f"goodput >= {self.goodput:g}",)
        return (*(str(target) for target in self.targets), *goodput)

    @property
    def strict(self) -> "Slo":
        """The SLO with what the headroom leaves of each limit, and nothing to be kept free."""
        used = 1 - self.headroom
        limits = tuple(replace(target, limit=target.limit * used) for target in self.targets)
        return replace(self, targets=limits, headroom=0.0)

    def __str__(self) -> str:
        free = f", {self.headroom:.3g} of each limit free" if self.headroom else ""
        return (", ".join(self.terms) or "none") + free


def parse_slo(texts: Sequence[str], *, headroom: float = 0.0) -> Slo:
    """Return the objectives that `texts`, such as "ttft p99 <= 2 s", state.

    Raises:
        ScenarioError: as `parse_target`, goodput twice, beyond (0, 1) or without any target.
    """
    shares = [match[1] for match in map(_GOODPUT.fullmatch, texts) if match]
    if len(shares) > 1:
        raise ScenarioError(f"SLO goodput is given {len(shares)} times; give it once")
    return Slo(
        targets=tuple(parse_target(text) for text in texts if not _GOODPUT.fullmatch(text)),
        goodput=_share(shares[0]) if shares else None,
        headroom=headroom,
    )


def _share(text: str) -> float:
    try:
        return parse(text, Unit("1"))
    except UnitError as error:
        raise ScenarioError(f"SLO goodput: {error}") from error


def parse_target(text: str) -> Target:
    """Return the limit that `text`, such as "ttft p99 <= 2 s", states.

    Raises:
        ScenarioError: another form, an unknown metric or quantile, or a limit <= 0.
    """
    match = _TARGET.fullmatch(text)
    if match is None:
        raise ScenarioError(f"SLO {text!r}: write it as 'ttft p99 <= 2s' or 'goodput >= 0.99'")
    metric, quantile = match[1].lower(), match[2].lower()
    if metric not in METRICS:
        raise ScenarioError(f"SLO {text!r}: metric {metric!r} is not one of {', '.join(METRICS)}")
    if quantile not in QUANTILES:
        raise ScenarioError(f"SLO {text!r}: {quantile!r} is not one of {', '.join(QUANTILES)}")
    try:
        limit = parse(match[3], Unit("s"))
    except UnitError as error:
        raise ScenarioError(f"SLO {text!r}: {error}") from error
    if limit <= 0:
        raise ScenarioError(f"SLO {text!r}: the limit must be positive")
    return Target(metric=metric, quantile=quantile, limit=limit)
