"""Precisions come from published checkpoints; anything else must be asked for."""

from dataclasses import replace

import pytest
from plan_cases import model

from inferometer.catalog.models import Checkpoint
from inferometer.catalog.tables import formats
from inferometer.errors import CatalogError
from inferometer.plan.precision import provided


def test_only_published_formats_without_permission() -> None:
    found = provided(model(), formats())
    assert {item.precision.linear.key for item in found} == {"bf16", "fp8"}
    assert {item.precision.kv.key for item in found} == {"bf16"}
    assert {item.origin for item in found} == {"test/8b", "test/8b-fp8"}


def test_conversion_is_named_as_the_users_own() -> None:
    found = provided(model(), formats(), requantise=("int4",))
    own = [item for item in found if item.precision.linear.key == "int4"]
    assert own
    assert all("own conversion" in item.origin for item in own)
    assert all(item.quality for item in own)


def test_a_published_format_stays_published() -> None:
    found = provided(model(), formats(), requantise=("fp8",))
    assert not [item for item in found if "own" in item.origin]


def test_a_quantised_kv_cache_comes_with_the_checkpoint_that_states_it() -> None:
    stated = replace(
        model(), checkpoints=(Checkpoint(name="a"), Checkpoint(name="b", linear="fp8", kv="fp8"))
    )
    pairs = {(i.precision.linear.key, i.precision.kv.key) for i in provided(stated, formats())}
    assert pairs == {("bf16", "bf16"), ("fp8", "fp8"), ("fp8", "bf16")}


def test_any_other_quantised_kv_cache_must_be_allowed_and_says_its_quality() -> None:
    found = provided(model(), formats(), requantise=("kv-fp8",))
    assert {item.precision.kv.key for item in found} == {"bf16", "fp8"}
    assert {item.precision.linear.key for item in found} == {"bf16", "fp8"}
    quantised = [item for item in found if item.precision.kv.key == "fp8"]
    assert all(item.quality.endswith("fp8 KV cache: not known") for item in quantised)
    assert not any("KV" in item.quality for item in found if item not in quantised)


def test_an_unknown_format_of_the_kv_cache_is_refused() -> None:
    with pytest.raises(CatalogError, match="int3"):
        provided(model(), formats(), requantise=("kv-int3",))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(CatalogError, match="int3"):
        provided(model(), formats(), requantise=("int3",))
