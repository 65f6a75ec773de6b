"""Speculative decoding: a draft model proposes, the target checks several tokens in one pass."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from inferometer.perf.theory.architecture import Architecture
from inferometer.perf.theory.collectives import Array
from inferometer.perf.theory.step import Question, step
from inferometer.units import Fraction


class Rule(Enum):
    """How many tokens a round of gamma drafted ones yields."""

    NOTEBOOK = 1
    """The target's own token counts too; gamma + 1 tokens are checked."""
    PAPER = 0
    """Eq. 46, which the paper's tables follow: only drafted tokens count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculation:
    """How the draft is used.

    Attributes:
        draft: Shape of the draft model, on the same accelerators and at the same batch.
        acceptance: Chance that one drafted token is accepted, independent of the others.
        longest: Most tokens drafted in a round.
        rule: What a round yields.
    """

    draft: Architecture
    acceptance: Fraction
    longest: int = 20
    rule: Rule = Rule.NOTEBOOK


def speculative(
    question: Question, speculation: Speculation, chips: Array, batch: Array
) -> tuple[Array, Array]:
    """Return seconds per accepted token and the best draft length (0 where plain is faster)."""
    plain = replace(question, tokens=1.0)
    best = step(plain, chips, batch).total
    draft = replace(plain, model=speculation.draft, experts_apart=False)
    # The draft's weights are not counted against memory, but its own fit is (as the notebook).
    proposal = step(draft, chips, batch).total
    length = np.zeros_like(best)
    extra, a = speculation.rule.value, speculation.acceptance
    for gamma in range(1, speculation.longest + 1):
        check = step(replace(question, tokens=float(gamma + extra)), chips, batch).total
        found = (check + gamma * proposal) * (1 - a) / (1 - a ** (gamma + extra))
        length = np.where(found < best, gamma, length)
        best = np.minimum(found, best)
    return best, length


Latency = Callable[[Array, Array], Array]
"""Seconds per token of instances (chips, batch)."""


def latency_of(question: Question, speculation: Speculation | None = None) -> Latency:
    """Return the full latency function of a question, with or without a draft."""
    if speculation is None:
        return lambda chips, batch: step(question, chips, batch).total
    return lambda chips, batch: speculative(question, speculation, chips, batch)[0]
