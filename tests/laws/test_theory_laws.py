"""Laws of the theory's step time."""

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.perf.theory.architecture import architecture, architectures
from inferometer.perf.theory.chip import chip
from inferometer.perf.theory.search import evaluate
from inferometer.perf.theory.speculation import Speculation, latency_of, speculative
from inferometer.perf.theory.step import Question, step

MODELS = st.sampled_from(sorted(architectures()))
CHIPS = st.floats(1, 2000).map(lambda x: np.array([x]))
BATCHES = st.floats(1, 1e4).map(lambda x: np.array([x]))
quick = settings(deadline=None, max_examples=60)


@quick
@given(MODELS, CHIPS, BATCHES, st.floats(1, 8))
def test_faster_hardware_is_never_slower(
    model: str, n: np.ndarray, b: np.ndarray, factor: float
) -> None:
    chip_ = chip("H100")
    for name in ("memory_bandwidth", "peak_8", "peak_16", "intra_bandwidth", "inter_bandwidth"):
        better = dataclasses.replace(chip_, **{name: factor * getattr(chip_, name)})
        old = step(Question(model=architecture(model), chip=chip_), n, b).total
        new = step(Question(model=architecture(model), chip=better), n, b).total
        assert (new <= old * (1 + 1e-12)).all()


@quick
@given(MODELS, CHIPS, BATCHES, st.floats(0, 1e5), st.floats(1, 4))
def test_larger_batch_and_longer_context_are_never_faster(
    model: str, n: np.ndarray, b: np.ndarray, context: float, factor: float
) -> None:
    question = Question(model=architecture(model), chip=chip("H200"), context=context)
    longer = dataclasses.replace(question, context=context * factor)
    base = step(question, n, b).total
    assert (step(longer, n, b).total >= base * (1 - 1e-12)).all()


@quick
@given(MODELS, CHIPS, BATCHES, st.floats(0.1, 10))
def test_rent_scales_the_price_and_nothing_else(
    model: str, n: np.ndarray, b: np.ndarray, factor: float
) -> None:
    question = Question(model=architecture(model), chip=chip("A100"), capacity=False)
    dear = dataclasses.replace(question.chip, price=factor * question.chip.price)
    other = dataclasses.replace(question, chip=dear)
    one = evaluate(question, latency_of(question), n, b)
    two = evaluate(other, latency_of(other), n, b)
    np.testing.assert_allclose(two.price, factor * one.price, rtol=1e-12)
    np.testing.assert_array_equal(two.latency, one.latency)
    assert (one.mfu <= 1).all()


@quick
@given(CHIPS, BATCHES, st.floats(0, 0.98))
def test_a_draft_never_slows_down(n: np.ndarray, b: np.ndarray, acceptance: float) -> None:
    question = Question(model=architecture("llama3-70b"), chip=chip("H100"))
    draft = Speculation(draft=architecture("llama3-8b"), acceptance=acceptance, longest=5)
    plain = step(question, n, b).total
    seconds, length = speculative(question, draft, n, b)
    assert (seconds <= plain).all()
    assert ((length == 0) == (seconds == plain)).all()


def test_one_sequence_on_one_chip_is_bound_by_memory() -> None:
    question = Question(model=architecture("llama3-8b"), chip=chip("H100"))
    parts = step(question, np.array([1.0]), np.array([1.0]))
    assert parts.memory[0] > 100 * parts.arithmetic[0]
    assert parts.network[0] == 0
