"""A replica's cost from its engine's counters alone, by model, the unallocated part shown.

Two readings of `/metrics` give the tokens between them; the table of modelled work gives the time
that they took. llama.cpp counts that time itself, so there it is taken as counted. What the replica
cost beyond that time is unallocated: idle, and head-room that was not filled.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from inferometer.account.split import nanodollars, split
from inferometer.errors import LedgerError
from inferometer.meter.exposition import Sample
from inferometer.meter.work import Work, tokens_time
from inferometer.units import Duration, UsdPerSecond

UNALLOCATED = "(unallocated)"


class Counted(NamedTuple):
    """What an engine counted so far for one model.

    Attributes:
        prompt: Prompt tokens, cached ones too.
        cached: Of these, served from the prefix cache.
        generated: Generated tokens.
        seconds: Time on both as the engine counts it; None if it does not.
        running: Requests running at the moment.
    """

    prompt: float = 0.0
    cached: float = 0.0
    generated: float = 0.0
    seconds: float | None = None
    running: float = 0.0


_NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": (
        "vllm:prompt_tokens_total",
        "sglang:prompt_tokens_total",
        "llamacpp:prompt_tokens_total",
    ),
    "cached": ("vllm:prompt_tokens_cached_total", "sglang:cached_tokens_total"),
    "generated": (
        "vllm:generation_tokens_total",
        "sglang:generation_tokens_total",
        "llamacpp:tokens_predicted_total",
    ),
    "seconds": ("llamacpp:prompt_seconds_total", "llamacpp:tokens_predicted_seconds_total"),
    "running": (
        "vllm:num_requests_running",
        "sglang:num_running_reqs",
        "llamacpp:requests_processing",
    ),
}


def counted(samples: Iterable[Sample], default: str) -> dict[str, Counted]:
    """Return the counters of a page by model.

    Args:
        samples: The page.
        default: Name of a model where the engine labels none, as llama.cpp.

    Raises:
        LedgerError: no counters of vLLM, SGLang or llama.cpp are on it.
    """
    sums: dict[str, dict[str, float]] = {}
    for name, labels, value in samples:
        for field, names in _NAMES.items():
            if name in names:
                model = sums.setdefault(labels.get("model_name", default), {})
                model[field] = model.get(field, 0.0) + value
    if not any("generated" in found for found in sums.values()):
        raise LedgerError("no counters of vLLM, SGLang or llama.cpp: start it with its metrics on")
    return {model: Counted(**found) for model, found in sums.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A model's part of a replica's cost between two readings.

    Attributes:
        model: The model, or `UNALLOCATED`.
        prompt_tokens: Prompt tokens.
        cached_tokens: Of these, from the prefix cache.
        generated_tokens: Generated tokens.
        seconds: Time of the replica that they took.
        nano: Nano-dollars; the lines add up to what the replica cost.
    """

    model: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    seconds: Duration = 0.0
    nano: int = 0


def lines(
    first: Mapping[str, Counted],
    last: Mapping[str, Counted],
    seconds: float,
    cost: UsdPerSecond,
    work: Work,
) -> list[Line]:
    """Return who cost what between two readings `seconds` apart; the sum is exact.

    Raises:
        LedgerError: no time between them, or a counter that went backwards (a restart: the span
            cannot be told).
    """
    if not seconds > 0:
        raise LedgerError(f"{seconds} s between two readings")
    grown = {model: _grown(first.get(model, Counted()), end) for model, end in last.items()}
    busy = {model: _busy(one, work) for model, one in grown.items()}
    scale = min(1.0, seconds / sum(busy.values())) if sum(busy.values()) > 0 else 1.0
    held = {model: one * scale for model, one in busy.items()}
    held[UNALLOCATED] = max(0.0, seconds - sum(held.values()))
    amounts = split(nanodollars(cost * seconds), held)
    found = [
        Line(
            model=model,
            prompt_tokens=round(one.prompt),
            cached_tokens=round(one.cached),
            generated_tokens=round(one.generated),
            seconds=held[model],
            nano=amounts[model],
        )
        for model, one in grown.items()
    ]
    rest = Line(model=UNALLOCATED, seconds=held[UNALLOCATED], nano=amounts[UNALLOCATED])
    return [*found, rest]


def _grown(first: Counted, last: Counted) -> Counted:
    counters = ("prompt", "cached", "generated")
    if any(getattr(last, name) < getattr(first, name) for name in counters):
        raise LedgerError("a counter went backwards: the engine restarted between the readings")
    seconds = None if last.seconds is None else last.seconds - (first.seconds or 0.0)
    return Counted(
        last.prompt - first.prompt,
        last.cached - first.cached,
        last.generated - first.generated,
        seconds,
        max(1.0, (first.running + last.running) / 2),
    )


def _busy(grown: Counted, work: Work) -> float:
    """Return the replica's time for what was counted, s."""
    if grown.seconds is not None:
        return grown.seconds
    fresh = max(0.0, grown.prompt - grown.cached)
    batch = max(1, round(grown.running))
    return tokens_time(work, fresh, grown.generated, batch)
