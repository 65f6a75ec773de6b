"""Speculative decoding in steady state: tokens per step, and what drafting costs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from perf_cases import columns, deployment

from inferometer.catalog.efficiency import efficiencies
from inferometer.deployment import Speculation
from inferometer.errors import ScenarioError
from inferometer.perf.demand import fixed_lengths
from inferometer.perf.roofline import compile_candidates
from inferometer.perf.steady import running_sequences, steady, step_yield


def lane(speculation: Speculation | None, sequences: float) -> tuple[float, float]:
    """Return tokens per step and the mean step, s."""
    stated = columns(replace(deployment("llama-3.1-8b"), speculation=speculation))
    machine = compile_candidates(stated, efficiencies())
    demand = fixed_lengths(np.array([500.0]), np.array([200.0]), machine.shard.reaches)
    state = steady(np.array([sequences]), machine, demand)
    return step_yield(machine).tokens, float(state.step[0])


def test_tokens_per_step_are_a_geometric_sum() -> None:
    tokens, _ = lane(Speculation(draft_tokens=3, acceptance=0.8), 1)
    assert tokens == pytest.approx(1 + 0.8 + 0.8**2 + 0.8**3)
    assert lane(Speculation(draft_tokens=3, acceptance=1.0), 1)[0] == 4


def test_acceptance_by_position_adds_up() -> None:
    stated = Speculation(draft_tokens=3, by_position=(0.8, 0.64, 0.512))
    assert stated.accepted == pytest.approx(Speculation(draft_tokens=3, acceptance=0.8).accepted)
    assert lane(Speculation(draft_tokens=2, by_position=(0.9, 0.3)), 1)[0] == pytest.approx(2.2)


@pytest.mark.parametrize(
    "wrong", [{"by_position": (0.5,)}, {"by_position": (0.5, 0.6)}, {"by_position": (1.2, 0.1)},
              {"by_position": (0.5, 0.4), "acceptance": 0.3}, {}],
)  # fmt: skip
def test_positions_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    stated: dict[str, Any] = {"draft_tokens": 2, **wrong}
    with pytest.raises(ScenarioError, match="by_position"):
        Speculation(**stated)


def test_speculation_pays_for_one_sequence_and_not_for_many() -> None:
    free = Speculation(draft_tokens=4, acceptance=0.7)
    alone, crowded = 1.0, 400.0
    speed = [lane(free, b)[0] / lane(free, b)[1] * lane(None, b)[1] for b in (alone, crowded)]
    assert speed[0] > 1.8
    assert speed[1] < speed[0]


def test_drafting_takes_its_share_of_a_plain_step() -> None:
    free = Speculation(draft_tokens=4, acceptance=0.7)
    paid = replace(free, draft_cost=0.1)
    _, plain = lane(None, 1)
    assert lane(paid, 1)[1] - lane(free, 1)[1] == pytest.approx(0.4 * plain, rel=0.2)


def test_running_sequences_solve_littles_law() -> None:
    stated = columns(*(deployment("llama-3.1-8b") for _ in range(5)))
    machine = compile_candidates(stated, efficiencies())
    demand = fixed_lengths(np.full(5, 500.0), np.full(5, 200.0), machine.shard.reaches)
    rate, limit = np.array([0.01, 0.1, 1.0, 5.0, 500.0]), np.full(5, 200.0)
    found = running_sequences(rate, limit, machine, demand)
    assert found[-1] == 200  # overloaded: every place is taken
    assert (np.diff(found) > 0).all()
