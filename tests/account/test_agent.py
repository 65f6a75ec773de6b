"""Cost of agents' tasks: exact sums, quantiles against sampling, laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.account.agent import Agent, Rates, call_distribution, prompt_tokens, task_cost
from inferometer.catalog.prices import LongPrice
from inferometer.errors import ScenarioError

RATES = Rates(input=3e-6, cached=0.3e-6, output=15e-6)
TASK = Agent(calls_p50=12, calls_p99=60, first=4000, growth=900, output=300, success=0.7)


def test_nine_calls_send_the_tokens_of_the_published_example() -> None:
    whole, new = prompt_tokens(np.array([9.0]), 1000, 300)
    assert (whole[0], new[0]) == (19_800, 3_400)  # AC-12
    nine = Agent(calls_p50=9, calls_p99=9, first=1000, growth=300, output=50)
    tokens = task_cost(nine, RATES).tokens
    assert (tokens.fresh, tokens.cached, tokens.output) == (3_400, 16_400, 450)


@pytest.mark.parametrize("calls", [(12.0, 1e6), (2e6, 2e6), (1.0, 1e300)])
def test_tasks_of_too_many_calls_are_refused_not_counted(calls: tuple[float, float]) -> None:
    with pytest.raises(ScenarioError, match="lower calls_p99"):
        task_cost(replace(TASK, calls_p50=calls[0], calls_p99=calls[1]), RATES)


def test_quantiles_against_sampling() -> None:
    random = np.random.default_rng(0)
    calls, share = call_distribution(TASK.calls_p50, TASK.calls_p99)
    drawn = random.choice(calls, size=200_000, p=share)
    costs = np.array([
        sum(
            (TASK.first if k == 0 else TASK.growth) * RATES.input
            + (0 if k == 0 else TASK.first + (k - 1) * TASK.growth) * RATES.cached
            + TASK.output * RATES.output
            for k in range(int(n))
        )
        for n in calls
    ])  # fmt: skip
    sampled = costs[(drawn - 1).astype(int)]
    found = task_cost(TASK, RATES)
    assert found.mean == pytest.approx(sampled.mean(), rel=0.01)
    for name, level in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert getattr(found, name) == pytest.approx(np.quantile(sampled, level), rel=0.05)
    assert found.per_success == pytest.approx(found.mean / 0.7)


def test_median_and_tail_of_calls() -> None:
    calls, share = call_distribution(12, 60)
    total = np.cumsum(share)
    assert share.sum() == pytest.approx(1)
    assert calls[np.searchsorted(total, 0.5)] == 12
    assert calls[np.searchsorted(total, 0.99)] == pytest.approx(60, abs=1)


@given(factor=st.floats(0.1, 50))
def test_prices_scale_costs(factor: float) -> None:
    dear = Rates(
        input=RATES.input * factor, cached=RATES.cached * factor, output=RATES.output * factor
    )
    assert task_cost(TASK, dear).per_success == pytest.approx(
        factor * task_cost(TASK, RATES).per_success
    )


@given(budget=st.floats(0.05, 5))
def test_a_budget_caps_cost_and_costs_success(budget: float) -> None:
    free, capped = task_cost(TASK, RATES), task_cost(replace(TASK, budget=budget), RATES)
    assert capped.p99 <= budget
    assert capped.mean <= free.mean
    assert capped.success == pytest.approx(0.7 * (1 - capped.stopped))
    assert capped.calls <= free.calls


@given(reuse=st.floats(0, 1))
def test_reuse_saves_and_loses_no_token(reuse: float) -> None:
    found, whole = task_cost(replace(TASK, reuse=reuse), RATES), task_cost(TASK, RATES)
    assert found.per_success >= whole.per_success - 1e-12
    assert found.per_success <= found.without_reuse + 1e-12
    assert found.tokens.fresh + found.tokens.cached == pytest.approx(
        whole.tokens.fresh + whole.tokens.cached
    )


def test_bad_tasks_are_refused() -> None:
    with pytest.raises(ScenarioError, match="success above 0"):
        replace(TASK, success=0.0)
    with pytest.raises(ScenarioError, match="does not pay for one call"):
        task_cost(replace(TASK, budget=1e-6), RATES)
    with pytest.raises(ScenarioError, match="calls_p50 <= calls_p99"):
        replace(TASK, calls_p99=1.0)


def test_calls_with_long_prompts_pay_more_for_all_their_tokens() -> None:
    four = Agent(calls_p50=4, calls_p99=4, first=1000, growth=500, output=100, reuse=0.5)
    beyond = LongPrice(above=1500.0, input=6e-6, cached=0.6e-6, output=22.5e-6)
    found = task_cost(four, replace(RATES, longer=(beyond,))).mean
    paid = 0.0
    for call in range(4):
        prompt = 1000 + 500 * call
        cached = 0.5 * (prompt - 500) if call else 0.0
        rates = beyond if prompt > 1500 else RATES
        paid += (prompt - cached) * rates.input + cached * (rates.cached or 0.0)
        paid += 100 * rates.output
    assert found == pytest.approx(paid)
    assert found > task_cost(four, RATES).mean
