"""Drafts that an engine looks up in its own text: what it counts of them, and what they yield.

Look-up proposes nothing until the last tokens of a sequence have occurred before, so that some
steps of a sequence verify a draft and the others are plain. Both kinds are told apart here: the
share of tokens that come from steps with a draft, and what such a step yields.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inferometer.deployment import Speculation
from inferometer.meter.exposition import Sample
from inferometer.units import Fraction

_ROUNDS = "spec_decode_num_drafts_total"
_PROPOSED = "spec_decode_num_draft_tokens_total"
_BY_POSITION = "spec_decode_num_accepted_tokens_per_pos_total"
"""Counters of llama.cpp and vLLM, behind the engine's own prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """What an engine counted of its drafts.

    Attributes:
        rounds: Steps of a sequence in which a draft was verified.
        proposed: Tokens of these drafts.
        accepted: Of these, accepted at each position of a draft.
    """

    rounds: float = 0.0
    proposed: float = 0.0
    accepted: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafting:
    """What drafts do to requests of one kind.

    Attributes:
        share: Of output tokens after the first, that come from steps with a draft.
        speculation: Such a step.
    """

    share: Fraction
    speculation: Speculation


def drafts_of(samples: Iterable[Sample]) -> Drafts | None:
    """Return what a page of metrics counts of drafts; None if it counts none."""
    rounds: float | None = None
    proposed, accepted = 0.0, dict[int, float]()
    for name, labels, value in samples:
        counter = name.partition(":")[2]
        if counter == _ROUNDS:
            rounds = (rounds or 0.0) + value
        elif counter == _PROPOSED:
            proposed += value
        elif counter == _BY_POSITION:
            place = _position(labels)
            accepted[place] = accepted.get(place, 0.0) + value
    if rounds is None:
        return None
    by_position = tuple(accepted.get(place, 0.0) for place in range(max(accepted, default=-1) + 1))
    return Drafts(rounds=rounds, proposed=proposed, accepted=by_position)


def _position(labels: Mapping[str, str]) -> int:
    return int(labels.get("position", "0"))


def drafts_between(first: Drafts | None, last: Drafts | None) -> Drafts | None:
    """Return what was drafted between two readings; None if unknown, as after a restart."""
    if first is None or last is None or last.rounds < first.rounds:
        return None
    before = (*first.accepted, *(0.0 for _ in last.accepted[len(first.accepted) :]))
    return Drafts(
        rounds=last.rounds - first.rounds,
        proposed=last.proposed - first.proposed,
        accepted=tuple(b - a for a, b in zip(before, last.accepted, strict=True)),
    )


def drafting(found: Drafts, *, longest: int, tokens: float) -> Drafting | None:
    """Return what drafts do, from what was counted; None if nothing was drafted.

    Args:
        found: What the engine counted.
        longest: Tokens that it may propose in a draft. A shorter one, as at the end of an answer,
            is taken for a whole one, so that a step with a draft is if anything too dear.
        tokens: Output tokens of the same requests, less the first of each, which prefill gives.
    """
    if not found.rounds:
        return None
    rates = [min(count / found.rounds, 1.0) for count in found.accepted[:longest]]
    rates += [0.0] * (longest - len(rates))
    yielded = found.rounds + sum(found.accepted)
    return Drafting(
        share=min(yielded / tokens, 1.0),
        speculation=Speculation(draft_tokens=longest, by_position=tuple(rates)),
    )
