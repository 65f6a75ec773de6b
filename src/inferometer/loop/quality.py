"""Quality of a setting over HTTP alone: perplexity and divergence on a text, both as bounds.

At each position of a text the engine is given all tokens before it and asked for one, with the
probabilities of the most likely ones. A token of the text that is not among them has at most the
probability of the least likely one there, so what is summed is a lower bound of the perplexity.
Divergence from the reference is taken over the tokens that both list, the rest as one: grouping can
only shrink it (data-processing inequality), so that is a lower bound too.
"""

import json
import math
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import EngineError, ScenarioError

LISTED = 500
"""Tokens whose probabilities are asked for at each position."""

FIRST = 16
"""Positions at the start of each stretch that are not scored: they have hardly any context."""

STRETCH = 64
"""Tokens of one stretch of text."""

FLOOR = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What an engine expected at one place of a text.

    Attributes:
        target: The token of the text.
        listed: Probability of each listed token.
    """

    target: int
    listed: Mapping[int, float]

    @property
    def loss(self) -> float:
        """-ln of the target's probability, at most that of the least likely listed one."""
        rest = max(1.0 - sum(self.listed.values()), FLOOR)
        least = min(self.listed.values(), default=1.0)
        return -math.log(max(self.listed.get(self.target, min(least, rest)), FLOOR))

    @property
    def outside(self) -> bool:
        """Whether the target was not listed."""
        return self.target not in self.listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Quality beside a reference, on the same positions.

    Attributes:
        perplexity: exp of the mean loss, a lower bound.
        ratio: Perplexity over the reference's.
        ratio_low: Lower end of the 95 % interval of the ratio, positions drawn again.
        ratio_high: Upper end.
        divergence: Mean divergence from the reference, nats, a lower bound.
        same_top: Share of positions with the reference's most likely token.
        outside: Share of targets that were not listed, here or by the reference.
        positions: Positions scored.
    """

    perplexity: float
    ratio: float
    ratio_low: float
    ratio_high: float
    divergence: float
    same_top: float
    outside: float
    positions: int


def default_text() -> str:
    """Return the reference manual that comes with Python: English prose that every machine has."""
    topics: Mapping[str, str] = import_module("pydoc_data.topics").topics
    return "\n".join(topics[name] for name in sorted(topics))


def text_of(path: Path | None) -> str:
    """Return the text of a file, the default one without.

    Raises:
        ScenarioError: the file cannot be read.
    """
    if path is None:
        return default_text()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"--text {path}: cannot be read: {error}") from error


def positions(url: str, text: str, count: int) -> tuple[Position, ...]:
    """Return what the engine at `url` expects at `count` places of a text.

    Stretches are spread evenly over the text; equal calls score equal places.

    Raises:
        EngineError: the engine does not answer, or not with probabilities.
        ScenarioError: the text is too short.
    """
    scored = STRETCH - FIRST
    stretches = -(-count // scored)
    found = list[Position]()
    for stretch in range(stretches):
        begin = len(text) * stretch // stretches
        tokens = _tokens(url, text[begin : begin + STRETCH * 12])[:STRETCH]
        if len(tokens) < STRETCH:
            raise ScenarioError(
                f"the text is too short: {stretches} stretches of {STRETCH} tokens are wanted"
            )
        for place in range(FIRST, STRETCH):
            if len(found) < count:
                found.append(_position(url, tokens[:place], tokens[place]))
    return tuple(found)


def _tokens(url: str, text: str) -> list[int]:
    answer = _post(f"{url}/tokenize", {"content": text})
    tokens: list[int] = answer.get("tokens", [])
    return tokens


def _position(url: str, before: Sequence[int], target: int) -> Position:
    asked = {
        "prompt": list(before), "n_predict": 1, "n_probs": LISTED, "temperature": 0,
        "cache_prompt": True, "id_slot": 0,
    }  # fmt: skip
    answer = _post(f"{url}/completion", asked)
    places = answer.get("completion_probabilities") or []
    listed = places[0].get("top_logprobs") if places else None
    if not listed:
        raise EngineError(f"{url}: no probabilities in the answer of /completion")
    return Position(target=target, listed={t["id"]: math.exp(t["logprob"]) for t in listed})


def _post(url: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:  # noqa: S310
            answer: Mapping[str, Any] = json.loads(reply.read())
            return answer
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise EngineError(f"{url}: no answer to a question of quality: {error}") from error


def judged(found: Sequence[Position], reference: Sequence[Position], *, seed: int = 0) -> Quality:
    """Return the quality of a setting beside a reference on the same positions.

    Raises:
        ScenarioError: the positions differ.
    """
    if [p.target for p in found] != [p.target for p in reference] or not found:
        raise ScenarioError("quality: setting and reference were not asked about the same places")
    own = np.array([position.loss for position in found])
    gaps = own - np.array([position.loss for position in reference])
    draws = np.random.default_rng(seed).integers(0, len(gaps), (2000, len(gaps)))
    low, high = np.quantile(np.exp(gaps[draws].mean(axis=1)), [0.025, 0.975])
    pairs = list(zip(found, reference, strict=True))
    return Quality(
        perplexity=float(np.exp(own.mean())),
        ratio=float(np.exp(gaps.mean())),
        ratio_low=float(low),
        ratio_high=float(high),
        divergence=float(np.mean([divergence(ref.listed, one.listed) for one, ref in pairs])),
        same_top=float(np.mean([_top(one) == _top(ref) for one, ref in pairs])),
        outside=float(np.mean([one.outside or ref.outside for one, ref in pairs])),
        positions=len(pairs),
    )


def _top(position: Position) -> int:
    return max(position.listed, key=lambda token: position.listed[token])


def divergence(reference: Mapping[int, float], found: Mapping[int, float]) -> float:
    """Return the divergence of two lists of probabilities, what one lacks counted as one token.

    KL(p || q) = sum p ln(p / q) over the shared tokens, and over the rest as a whole.
    """
    shared = reference.keys() & found.keys()
    total = sum(reference[t] * math.log(reference[t] / max(found[t], FLOOR))
                for t in shared if reference[t] > 0)  # fmt: skip
    p = max(1.0 - sum(reference[t] for t in shared), 0.0)
    q = max(1.0 - sum(found[t] for t in shared), FLOOR)
    return max(total + (p * math.log(p / q) if p > 0 else 0.0), 0.0)
