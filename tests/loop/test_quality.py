import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.errors import ScenarioError
from inferometer.loop.quality import Position, default_text, divergence, judged, text_of


def _distribution(weights: list[float]) -> dict[int, float]:
    total = sum(weights)
    return {token: weight / total for token, weight in enumerate(weights)}


WHOLE = st.lists(st.floats(0.01, 1.0), min_size=6, max_size=6).map(_distribution)


def _listed(whole: dict[int, float], count: int) -> dict[int, float]:
    most = sorted(whole, key=lambda token: -whole[token])[:count]
    return {token: whole[token] for token in most}


@given(WHOLE, WHOLE, st.integers(1, 6))
def test_divergence_of_what_is_listed_is_a_lower_bound(
    p: dict[int, float], q: dict[int, float], count: int
) -> None:
    true = sum(p[token] * math.log(p[token] / q[token]) for token in p)
    found = divergence(_listed(p, count), _listed(q, count))
    assert -1e-12 <= found <= true + 1e-9


@given(WHOLE, st.integers(0, 5), st.integers(1, 6))
def test_loss_is_a_lower_bound_and_exact_where_the_target_is_listed(
    p: dict[int, float], target: int, count: int
) -> None:
    position = Position(target=target, listed=_listed(p, count))
    assert position.loss <= -math.log(p[target]) + 1e-9
    if not position.outside:
        assert position.loss == pytest.approx(-math.log(p[target]))


def _positions(chance: float, count: int = 40) -> list[Position]:
    return [Position(target=1, listed={1: chance, 2: 0.9 - chance}) for _ in range(count)]


def test_a_setting_is_as_good_as_itself_and_a_worse_one_is_worse() -> None:
    same = judged(_positions(0.5), _positions(0.5))
    assert (same.ratio, same.ratio_low, same.divergence, same.same_top) == (1.0, 1.0, 0.0, 1.0)
    assert same.perplexity == pytest.approx(2.0)
    worse = judged(_positions(0.25), _positions(0.5))
    assert worse.ratio == pytest.approx(2.0)
    assert worse.divergence > 0.1
    assert worse.same_top == 0.0


def test_different_places_are_not_compared() -> None:
    other = [Position(target=3, listed={3: 0.5}) for _ in range(40)]
    with pytest.raises(ScenarioError, match="same places"):
        judged(other, _positions(0.5))


def test_every_machine_has_a_text() -> None:
    text = default_text()
    assert len(text) > 100_000
    assert np.mean([c.isascii() for c in text]) > 0.99
    with pytest.raises(ScenarioError, match="cannot be read"):
        text_of(__import__("pathlib").Path("/nowhere/text"))
