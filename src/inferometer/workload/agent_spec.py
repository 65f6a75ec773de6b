"""What synthetic agents shall do: the `[workload.agents]` table."""

import math
from dataclasses import dataclass

from inferometer.errors import WorkloadError
from inferometer.units import Duration, Fraction, Tokens
from inferometer.workload.marginal import Marginal


@dataclass(frozen=True, slots=True, kw_only=True)
class SubagentSpec:
    """Sub-agents: they start when a call has ended, all at once, and the next call waits for all.

    Attributes:
        share: Share of an agent's calls, its last left out, that are followed by sub-agents.
        width: How many at once.
        calls_p50: Calls of one of them, median.
        calls_p99: The same, 99th percentile; log-normal.
    """

    share: Fraction
    width: int = 1
    calls_p50: float = 1.0
    calls_p99: float = 1.0

    def __post_init__(self) -> None:
        faults = [
            (0 <= self.share <= 1, "share: is not within 0 and 1"),
            (1 <= self.width <= 1000, "width: is not within 1 and 1,000"),
            (_calls(self.calls_p50, self.calls_p99), "calls: 1 <= calls_p50 <= calls_p99"),
        ]
        _refuse("agents.sub", faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsSpec:
    """Tasks of agents: calls one after another, each prompt the last one and what came of it.

    The first prompt of an agent is of the workload's lengths, and so is every output. A call comes
    once the one before it has ended and its tools have returned, so slow service delays it.

    Attributes:
        calls_p50: Calls of a task, those of sub-agents left out, median.
        calls_p99: The same, 99th percentile; log-normal.
        tool_p50: Time of the tools between two calls, median; 0 for none.
        tool_p99: The same, 99th percentile; log-normal.
        result: Tokens that tools return, which the next prompt has more; None for none.
        reuse: Share of a repeated prompt, from its start, that keeps its block hashes.
        context: Longest prompt: what would pass it is cut, and repeats only the shared prefix; 0
            for no limit.
        sub: Sub-agents; None for none.
    """

    calls_p50: float
    calls_p99: float
    tool_p50: Duration = 0.0
    tool_p99: Duration = 0.0
    result: Marginal | None = None
    reuse: Fraction = 1.0
    context: Tokens = 0.0
    sub: SubagentSpec | None = None

    def __post_init__(self) -> None:
        timed = 0 < self.tool_p50 <= self.tool_p99 < math.inf
        faults = [
            (_calls(self.calls_p50, self.calls_p99), "calls: 1 <= calls_p50 <= calls_p99"),
            (timed or self.tool_p50 == self.tool_p99 == 0, "tool: 0 < tool_p50 <= tool_p99"),
            (0 <= self.reuse <= 1, "reuse: is not within 0 and 1"),
            (self.context >= 0, "context: is negative"),
        ]
        _refuse("agents", faults)


def _calls(p50: float, p99: float) -> bool:
    return 1 <= p50 <= p99 <= 1e6


def _refuse(where: str, faults: list[tuple[bool, str]]) -> None:
    wrong = [f"workload.{where}.{text}" for sound, text in faults if not sound]
    if wrong:
        raise WorkloadError("\n".join(wrong))
