"""What a task of an agent costs: many calls whose prompts grow by what came before.

Exact over the distribution of calls per task: cost grows with the calls, so its quantiles are the
costs at the quantiles of the calls. Money is counted per *successful* task: failed ones are paid.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from inferometer.catalog.prices import LongPrice
from inferometer.errors import ScenarioError
from inferometer.units import Fraction, Tokens, Usd, UsdPerToken

Floats = NDArray[np.float64]
Z99 = NormalDist().inv_cdf(0.99)
"""Standard normal score of the 99th percentile."""

BEYOND = NormalDist().inv_cdf(1 - 1e-6)
"""Calls beyond this score are left out: one task in a million."""

MOST_CALLS = 1_000_000
"""Most calls of a task that are counted one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A kind of task.

    Attributes:
        calls_p50: Calls of the model per task, median.
        calls_p99: The same, 99th percentile; log-normal between and beyond.
        first: Prompt of the first call.
        growth: What each call adds to the next prompt: its own output, and what tools return.
        output: Output of one call, reasoning included.
        reuse: Share of the repeated prompt that a prefix cache serves.
        tool: What one call's tools cost.
        success: Share of tasks, let run to their end, that succeed.
        budget: Most that one task may cost; None for no cap.
    """

    calls_p50: float
    calls_p99: float
    first: Tokens
    growth: Tokens
    output: Tokens
    reuse: Fraction = 1.0
    tool: Usd = 0.0
    success: Fraction = 1.0
    budget: Usd | None = None

    def __post_init__(self) -> None:
        faults = [
            (1 <= self.calls_p50 <= self.calls_p99 < math.inf, "1 <= calls_p50 <= calls_p99"),
            (self.first > 0 and self.output > 0, "first and output above 0"),
            (self.growth >= 0 and self.tool >= 0, "growth and tool of at least 0"),
            (0 <= self.reuse <= 1, "reuse from 0 to 1"),
            (0 < self.success <= 1, "success above 0 and up to 1"),
            (self.budget is None or self.budget > 0, "a budget above 0"),
        ]
        wrong = [text for good, text in faults if not good]
        if wrong:
            raise ScenarioError(f"agent: wanted is {'; '.join(wrong)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Prices of tokens by class.

    Attributes:
        input: Prompt tokens that are computed.
        cached: Prompt tokens that a cache serves.
        output: Output tokens.
        longer: Prices of calls with longer prompts, by rising limit (`catalog.prices.LongPrice`).
    """

    input: UsdPerToken
    cached: UsdPerToken
    output: UsdPerToken
    longer: tuple[LongPrice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTokens:
    """Tokens of one task, means over tasks; each is in one class.

    Attributes:
        fresh: Prompt tokens that are computed.
        cached: Prompt tokens that a cache serves.
        output: Output tokens.
    """

    fresh: Tokens
    cached: Tokens
    output: Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCost:
    """What tasks cost.

    Attributes:
        tokens: Tokens of a task.
        mean: Mean over all tasks.
        p50: Median.
        p95: 95th percentile.
        p99: 99th percentile.
        stopped: Share of tasks that the budget stops.
        success: Share of tasks that succeed, those stopped counted as failed.
        per_success: Mean cost over the share that succeeds.
        without_reuse: The same if no prefix were served from a cache.
        calls: Mean calls of a task.
    """

    tokens: TaskTokens
    mean: Usd
    p50: Usd
    p95: Usd
    p99: Usd
    stopped: Fraction
    success: Fraction
    per_success: Usd
    without_reuse: Usd
    calls: float


def prompt_tokens(calls: Floats, first: Tokens, growth: Tokens) -> tuple[Floats, Floats]:
    """Return all prompt tokens of tasks of so many calls, and those that are new in them.

    n first + growth n (n - 1) / 2, of which first + (n - 1) growth appear for the first time.
    """
    whole = calls * first + growth * calls * (calls - 1) / 2
    return whole, np.where(calls > 0, first + (calls - 1) * growth, 0.0)


def task_cost(agent: Agent, rates: Rates) -> TaskCost:
    """Return what tasks of `agent` cost at `rates`.

    A task is stopped before the call that would take it beyond its budget; it is paid and fails.

    Raises:
        ScenarioError: a budget that pays for no call, or tasks of too many calls to count.
    """
    calls, share = call_distribution(agent.calls_p50, agent.calls_p99)
    cost = _costs(agent, rates, calls, agent.reuse)
    most = len(calls) if agent.budget is None else int(np.searchsorted(cost, agent.budget, "right"))
    if most == 0:
        raise ScenarioError(
            f"agent.budget {agent.budget:g} USD does not pay for one call of {cost[0]:.3g} USD"
        )
    made = np.minimum(calls, calls[most - 1])
    paid = np.minimum(cost, cost[most - 1])
    stopped = float(share[most:].sum())
    success = agent.success * (1 - stopped)
    without = float((share * _costs(agent, rates, made, 0.0)).sum())
    mean = float((share * paid).sum())
    p50, p95, p99 = (float(paid[_quantile(share, level)]) for level in (0.5, 0.95, 0.99))
    return TaskCost(
        tokens=_tokens(agent, made, share),
        mean=mean,
        p50=p50,
        p95=p95,
        p99=p99,
        stopped=stopped,
        success=success,
        per_success=mean / success,
        without_reuse=without / success,
        calls=float((share * made).sum()),
    )


def call_distribution(p50: float, p99: float) -> tuple[Floats, Floats]:
    """Return the calls 1, 2, ... of a task and the share of tasks with each.

    Log-normal, rounded to the nearest whole call of at least one; the shares add up to one.

    Raises:
        ScenarioError: one task in a million takes more than `MOST_CALLS`.
    """
    spread = math.log(p99 / p50) / Z99
    if math.log(p50) + spread * BEYOND > math.log(MOST_CALLS):
        raise ScenarioError(
            f"agent: with calls_p50 {p50:g} and calls_p99 {p99:g} one task in a million takes more "
            f"than {MOST_CALLS:,} calls, the most that are counted: lower calls_p99"
        )
    top = max(math.ceil(p50 * math.exp(spread * BEYOND)), math.ceil(p50), 1)
    calls = np.arange(1.0, top + 1)
    if spread == 0:
        share = (calls == max(round(p50), 1)).astype(np.float64)
        return calls, share
    normal = NormalDist(math.log(p50), spread)
    upper = np.array([normal.cdf(math.log(n + 0.5)) for n in calls])
    share = np.diff(upper, prepend=0.0)
    return calls, share / share.sum()


def _costs(agent: Agent, rates: Rates, calls: Floats, reuse: Fraction) -> Floats:
    """Return what tasks of so many calls cost: every call at the rates of its own prompt."""
    number = np.arange(1.0, calls.max() + 1)
    prompt = agent.first + agent.growth * (number - 1)
    cached = reuse * np.where(number > 1, prompt - agent.growth, 0.0)
    band = np.searchsorted([one.above for one in rates.longer], prompt, side="left")
    bands = (rates, *rates.longer)
    fresh_rate = np.array([one.input for one in bands])[band]
    cached_rate = np.array([one.input if one.cached is None else one.cached for one in bands])[band]
    output_rate = np.array([one.output for one in bands])[band]
    each = (prompt - cached) * fresh_rate + cached * cached_rate
    each = each + agent.output * output_rate + agent.tool
    return np.cumsum(each)[calls.astype(np.int64) - 1]


def _tokens(agent: Agent, calls: Floats, share: Floats) -> TaskTokens:
    whole, new = prompt_tokens(calls, agent.first, agent.growth)
    cached = agent.reuse * (whole - new)
    return TaskTokens(
        fresh=float((share * (whole - cached)).sum()),
        cached=float((share * cached).sum()),
        output=float((share * calls).sum()) * agent.output,
    )


def _quantile(share: Floats, level: float) -> int:
    return min(int(np.searchsorted(np.cumsum(share), level)), len(share) - 1)
