"""Clocks of least energy, what they save and for whom, and agents' calls as a workload."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from perf_cases import deployment
from plan_cases import shape, slo

from inferometer.account.agent import Agent, Rates, task_cost
from inferometer.account.bill import Tariff
from inferometer.catalog.clock_law import clock_laws
from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import InfeasibleError
from inferometer.perf.clocks import at_clock
from inferometer.perf.predict import predict
from inferometer.plan.agent_calls import agent_calls
from inferometer.plan.clock_choice import (
    clock_points,
    highest_draw,
    least_energy,
    phase_clocks,
)
from inferometer.plan.replicas import Evaluate
from inferometer.plan.savings import Prices, savings

KNOWN, LAWS = efficiencies(), clock_laws()
SITE = Tariff(accelerator=None, pue=1.3, carbon=400 / 3.6e6)
BUILT, LOAD = deployment("qwen3-4b", "h200-sxm"), shape(2.0)
TARGETS = slo("tpot p99 <= 200 ms")


def at(clock: float) -> Evaluate:
    tuned = None if clock == 1 else partial(at_clock, clock=clock, laws=LAWS)
    return partial(predict, efficiencies=KNOWN, tuned=tuned)


POINTS = clock_points(BUILT, LOAD, TARGETS, at, SITE)


def test_each_phase_has_its_clock_and_says_that_its_law_is_assumed() -> None:
    prefill, decode = phase_clocks(BUILT, LOAD, KNOWN, LAWS)
    assert (prefill.phase, decode.phase) == ("prefill", "decode")
    assert prefill.clock >= decode.clock  # AC-27
    for one in (prefill, decode):
        assert one.clock < 1
        assert 0 < one.saving < 1
        assert one.slower >= 0
        assert one.power_at_best < one.power
        assert one.law == "assumed"
        gone = one.power_at_best / one.power * (1 + one.slower)
        assert one.saving == pytest.approx(1 - gone, rel=1e-6)  # energy is draw x time


@pytest.mark.parametrize(
    ("card", "law"), [("rtx-3090", "ampere-ga10x"), ("rtx-4000-ada", "assumed")]
)
def test_only_silicon_whose_clocks_were_measured_names_its_law(card: str, law: str) -> None:
    built = deployment("llama-3.1-8b", card, weights="int4")
    for one in phase_clocks(built, shape(0.1), KNOWN, LAWS):
        assert one.law == law


def test_the_deployment_is_the_stated_one_at_full_clock() -> None:
    full = POINTS[0]
    assert full.clock == 1
    assert full.energy == pytest.approx(full.option.bill.energy.total)
    tails = [point.option.outcome.tpot.p99 for point in POINTS]
    assert np.all(np.diff(tails) >= -1e-12)  # slower cores are never faster


def test_the_clock_of_least_energy_keeps_the_slo() -> None:
    best = least_energy(POINTS)
    assert best is not None
    assert best.kept
    assert best.energy == min(point.energy for point in POINTS if point.kept)
    strict = clock_points(BUILT, LOAD, slo("tpot p99 <= 0.01 ms"), at, SITE)
    assert least_energy(strict) is None


def test_savings_are_money_only_for_who_pays() -> None:
    best = least_energy(POINTS)
    assert best is not None
    lower = highest_draw(BUILT, LOAD, KNOWN, LAWS, 1.0) - highest_draw(
        BUILT, LOAD, KNOWN, LAWS, best.clock
    )
    assert lower > 0
    prices = Prices(rent=3 / 3600, energy=0.1 / 3.6e6, provisioned=200 / 1e3 / 2.628e6, carbon=1e-4)
    energy, draw, idle, carbon = savings(POINTS[0], best, lower, 2.5, prices)
    assert energy.rented == 0
    assert energy.metered == pytest.approx(energy.amount * 0.1)
    assert draw.colocated == pytest.approx(draw.amount * 200 * 12)
    assert idle.rented == pytest.approx(idle.amount * 3)
    assert (idle.metered, idle.colocated) == (0, 0)
    years = 8760 * 3600 / best.option.outcome.span
    assert carbon.amount == pytest.approx(2.5 * years / 1e6)
    assert carbon.priced == pytest.approx(carbon.amount * 100)
    unknown = savings(POINTS[0], best, lower, None, Prices())
    assert len(unknown) == 3
    assert unknown[0].metered is None
    assert unknown[1].colocated is None


AGENT = Agent(calls_p50=10.0, calls_p99=30.0, first=2000, growth=300, output=150, reuse=0.9)


def test_calls_of_an_agent_carry_its_tokens() -> None:
    found = agent_calls(AGENT, LOAD, 131072)
    tokens = task_cost(AGENT, Rates(input=1.0, cached=0.0, output=0.0)).tokens
    prompts = found.shape.mean_input * found.per_task
    assert prompts == pytest.approx(tokens.fresh + tokens.cached, rel=2e-3)
    assert found.shape.cached_fraction * prompts == pytest.approx(tokens.cached, rel=5e-3)
    assert found.shape.mean_output * found.per_task == pytest.approx(tokens.output, rel=2e-3)
    assert (found.shape.rate, found.shape.peak_rate) == (LOAD.rate, LOAD.peak_rate)
    assert found.cut == 0


def test_long_tasks_are_cut_to_the_context_and_say_so() -> None:
    found = agent_calls(AGENT, LOAD, 4000)
    assert 0 < found.cut < 1
    assert found.shape.longest <= 4000
    with pytest.raises(InfeasibleError, match="leave no room"):
        agent_calls(replace(AGENT, output=4000), LOAD, 4000)
