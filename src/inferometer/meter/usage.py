"""Usage objects of every API family as disjoint token counts.

APIs disagree on what contains what: OpenAI counts cached tokens inside the prompt and reasoning
inside the completion, Anthropic counts cache reads and writes beside the input, Gemini counts
thoughts beside the candidates. Here no token is in two meters, so that prices can be multiplied
and summed without double counting. Records are tuples: they are made for every request, and a
frozen dataclass takes three times as long. Overlap rules: field documentation of each provider, as
collected in `genai-prices` 0.2.3's extractors.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from inferometer.meter.record import Basis

LARGEST = 1_000_000_000
"""No request of an engine that exists has more tokens; a larger count is a fault upstream."""
BYTES_PER_TOKEN = 4
"""Rule of thumb for English text under byte-pair vocabularies; used for estimates only."""


Object = Mapping[str, Any]


class Meters(NamedTuple):
    """Disjoint token counts of one upstream attempt; a token is in exactly one of them."""

    uncached_input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total_input(self) -> int:
        """All prompt tokens, however they were served."""
        return self.uncached_input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def total_output(self) -> int:
        """All generated tokens, visible or not."""
        return self.output + self.reasoning


class Usage(NamedTuple):
    """Token counts and how they are known.

    `source`: `reported` by the upstream; `inconsistent` if reported, but a part exceeded its
    whole and was cut to it; `cumulative` for the last report of an answer cut short; `estimated`
    from bytes and events; `none` where nothing was served.
    """

    meters: Meters
    source: Basis


NOTHING = Usage(Meters(), "none")


class _UsageError(ValueError):
    """A count is not a whole number in range."""


def _count(fields: Object, name: str) -> int:
    """Return a count; absent and null are 0."""
    value = fields.get(name)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= LARGEST:  # a bool is no count
        raise _UsageError(name)
    return value


def _part(fields: Object, group: str, name: str) -> int:
    inner = fields.get(group)
    if inner is None:
        return 0
    if not isinstance(inner, dict):
        raise _UsageError(group)
    return _count(inner, name)


def _given(fields: Object, *names: str) -> None:
    for name in names:
        if fields.get(name) is not None:
            return
    raise _UsageError(names[0])


def _inside(whole: int, part: int) -> tuple[int, int, bool]:
    """Return rest and part of a whole that contains the part, and whether they agreed."""
    return (whole - part, part, True) if part <= whole else (0, whole, False)


def _nested(inputs: int, cached: int, outputs: int, reasoning: int) -> Usage:
    uncached, read, sound = _inside(inputs, cached)
    visible, thought, sound_too = _inside(outputs, reasoning)
    meters = Meters(uncached_input=uncached, cache_read=read, output=visible, reasoning=thought)
    return Usage(meters, "reported" if sound and sound_too else "inconsistent")


def _openai(fields: Object) -> Usage:
    _given(fields, "prompt_tokens", "completion_tokens")
    return _nested(
        _count(fields, "prompt_tokens"),
        _part(fields, "prompt_tokens_details", "cached_tokens"),
        _count(fields, "completion_tokens"),
        _part(fields, "completion_tokens_details", "reasoning_tokens"),
    )


def _responses(fields: Object) -> Usage:
    _given(fields, "input_tokens", "output_tokens")
    return _nested(
        _count(fields, "input_tokens"),
        _part(fields, "input_tokens_details", "cached_tokens"),
        _count(fields, "output_tokens"),
        _part(fields, "output_tokens_details", "reasoning_tokens"),
    )


def _anthropic(fields: Object) -> Usage:
    _given(fields, "input_tokens", "output_tokens")
    written = _count(fields, "cache_creation_input_tokens")
    hour = _part(fields, "cache_creation", "ephemeral_1h_input_tokens")
    short, hour, sound = _inside(written, hour)
    meters = Meters(
        uncached_input=_count(fields, "input_tokens"),
        cache_read=_count(fields, "cache_read_input_tokens"),
        cache_write_5m=short,
        cache_write_1h=hour,
        output=_count(fields, "output_tokens"),
    )
    return Usage(meters, "reported" if sound else "inconsistent")


def _gemini(fields: Object) -> Usage:
    _given(fields, "promptTokenCount", "candidatesTokenCount", "totalTokenCount")
    uncached, read, sound = _inside(
        _count(fields, "promptTokenCount"), _count(fields, "cachedContentTokenCount")
    )
    meters = Meters(
        uncached_input=uncached + _count(fields, "toolUsePromptTokenCount"),
        cache_read=read,
        output=_count(fields, "candidatesTokenCount"),
        reasoning=_count(fields, "thoughtsTokenCount"),
    )
    return Usage(meters, "reported" if sound else "inconsistent")


def _bedrock(fields: Object) -> Usage:
    _given(fields, "inputTokens", "outputTokens")
    meters = Meters(
        uncached_input=_count(fields, "inputTokens"),
        cache_read=_count(fields, "cacheReadInputTokens"),
        cache_write_5m=_count(fields, "cacheWriteInputTokens"),
        output=_count(fields, "outputTokens"),
    )
    return Usage(meters, "reported")


FAMILIES: Mapping[str, Callable[[Object], Usage]] = {
    "openai": _openai,  # chat completions, completions and embeddings; vLLM, SGLang, llama.cpp
    "responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock": _bedrock,
}


_PROMPTS = ("prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens")
"""A prompt's tokens, by family."""


def read(family: str, fields: object) -> Usage | None:
    """Return the usage that an object of this family reports, or None if it reports none.

    None also if a count is negative, fractional, text or beyond `LARGEST`: such a report is
    treated as missing, so that it is estimated and flagged, never believed. Zero is a report.
    """
    if not isinstance(fields, dict):
        return None
    try:
        return FAMILIES[family](fields)
    except _UsageError:
        return None


def prompted(found: Usage, fields: object, request_bytes: int) -> Usage:
    """Return a usage whose prompt is estimated if the report says nothing of one.

    llama.cpp leaves out the start of an Anthropic stream, which has it, if the first token is a
    part of a character.
    """
    if not isinstance(fields, dict):
        return found
    for name in _PROMPTS:
        if fields.get(name) is not None:
            return found
    guess = estimated(request_bytes, 0, 0).meters.uncached_input
    return Usage(found.meters._replace(uncached_input=guess), "estimated")


def merged(first: object, last: object) -> object:
    """Return the later report over the earlier one, field by field.

    Anthropic reports the input at the start of a stream and the output, cumulatively, at its end.
    """
    if not isinstance(first, dict):
        return last
    if not isinstance(last, dict):
        return first
    return {**first, **{name: value for name, value in last.items() if value is not None}}


def estimated(request_bytes: int, events: int, answer_bytes: int) -> Usage:
    """Return an estimate where no usage came: never zero, always flagged.

    Args:
        request_bytes: Size of the forwarded body.
        events: Events of the stream that were seen; engines send about one token in each.
        answer_bytes: Bytes of an answer that was no stream.
    """
    output = events or -(-answer_bytes // BYTES_PER_TOKEN)
    meters = Meters(uncached_input=max(1, -(-request_bytes // BYTES_PER_TOKEN)), output=output)
    return Usage(meters, "estimated")
