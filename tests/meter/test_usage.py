"""Usage objects of each family: overlap rules, bad counts, estimates."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.meter import usage
from inferometer.meter.usage import Meters

CASES: list[tuple[str, dict[str, Any], Meters]] = [
    (
        "openai",
        {
            "prompt_tokens": 100,
            "completion_tokens": 64,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 16},
        },
        Meters(uncached_input=60, cache_read=40, output=48, reasoning=16),
    ),
    (
        "responses",
        {
            "input_tokens": 100,
            "output_tokens": 64,
            "input_tokens_details": {"cached_tokens": 40},
            "output_tokens_details": {"reasoning_tokens": 16},
        },
        Meters(uncached_input=60, cache_read=40, output=48, reasoning=16),
    ),
    (
        "anthropic",
        {
            "input_tokens": 60,
            "output_tokens": 64,
            "cache_read_input_tokens": 40,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_1h_input_tokens": 10, "ephemeral_5m_input_tokens": 20},
        },
        Meters(uncached_input=60, cache_read=40, cache_write_5m=20, cache_write_1h=10, output=64),
    ),
    (
        "gemini",
        {
            "promptTokenCount": 100,
            "candidatesTokenCount": 48,
            "thoughtsTokenCount": 16,
            "cachedContentTokenCount": 40,
            "toolUsePromptTokenCount": 5,
        },
        Meters(uncached_input=65, cache_read=40, output=48, reasoning=16),
    ),
    (
        "bedrock",
        {
            "inputTokens": 60,
            "outputTokens": 64,
            "cacheReadInputTokens": 40,
            "cacheWriteInputTokens": 30,
        },
        Meters(uncached_input=60, cache_read=40, cache_write_5m=30, output=64),
    ),
]


@pytest.mark.parametrize(("family", "fields", "meters"), CASES, ids=[case[0] for case in CASES])
def test_families_by_their_overlap_rules(
    family: str, fields: dict[str, Any], meters: Meters
) -> None:
    found = usage.read(family, fields)
    assert found is not None
    assert found.meters == meters
    assert found.source == "reported"


def test_every_family_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(usage.FAMILIES)


@pytest.mark.parametrize("bad", [-1, 1.5, "7", True, 10**30, [], {}])
def test_a_count_that_is_no_count_is_a_missing_report(bad: object) -> None:
    """S6: negative, fractional, text, enormous: never believed, never zero."""
    fields = {"prompt_tokens": 10, "completion_tokens": bad}
    assert usage.read("openai", fields) is None


@pytest.mark.parametrize("fields", [None, [], "x", 3, {}, {"prompt_tokens": None}])
def test_no_report_is_none_and_zero_is_a_report(fields: object) -> None:
    """M3: an explicit zero and a missing report are different things."""
    assert usage.read("openai", fields) is None
    zero = usage.read("openai", {"prompt_tokens": 0, "completion_tokens": 0})
    assert zero is not None
    assert zero.meters == Meters()
    assert zero.source == "reported"


def test_null_details_are_no_details() -> None:
    fields = {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None}
    found = usage.read("openai", fields)
    assert found is not None
    assert found.meters == Meters(uncached_input=3, output=4)


@pytest.mark.parametrize(
    ("family", "fields"),
    [
        (
            "openai",
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 11},
            },
        ),
        (
            "openai",
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "completion_tokens_details": {"reasoning_tokens": 6},
            },
        ),
    ],
)
def test_a_part_larger_than_its_whole_keeps_the_whole(family: str, fields: Any) -> None:
    """M15: cached > input, reasoning > output: flagged, and no token is invented."""
    found = usage.read(family, fields)
    assert found is not None
    assert found.source == "inconsistent"
    assert (found.meters.total_input, found.meters.total_output) == (10, 5)


COUNT = st.integers(0, usage.LARGEST)


@settings(deadline=None)
@given(prompt=COUNT, cached=COUNT, completion=COUNT, reasoning=COUNT)
def test_openai_totals_are_kept_whatever_the_parts(
    prompt: int, cached: int, completion: int, reasoning: int
) -> None:
    found = usage.read(
        "openai",
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        },
    )
    assert found is not None
    assert found.meters.total_input == prompt
    assert found.meters.total_output == completion
    assert (found.source == "reported") == (cached <= prompt and reasoning <= completion)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(sorted({name for case in CASES for name in case[1]})), JSON
)


@settings(deadline=None)
@given(family=st.sampled_from(sorted(usage.FAMILIES)), fields=FIELDS | JSON)
def test_any_object_is_read_or_refused(family: str, fields: object) -> None:
    found = usage.read(family, fields)
    if found is not None:
        counts = [getattr(found.meters, name) for name in found.meters._fields]
        assert all(isinstance(count, int) and count >= 0 for count in counts)


def test_anthropic_reports_at_both_ends_are_merged() -> None:
    start = {"input_tokens": 25, "cache_read_input_tokens": 5, "output_tokens": 1}
    end = {"output_tokens": 15, "input_tokens": None}
    found = usage.read("anthropic", usage.merged(start, end))
    assert found is not None
    assert found.meters == Meters(uncached_input=25, cache_read=5, output=15)
    assert usage.merged(None, end) is end
    assert usage.merged(start, None) is start


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**9))
def test_an_estimate_is_flagged_and_never_zero(request: int, events: int, answer: int) -> None:
    found = usage.estimated(request, events, answer)
    assert found.source == "estimated"
    assert found.meters.uncached_input >= 1
    assert (found.meters.output > 0) == (events > 0 or answer > 0)
