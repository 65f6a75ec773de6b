"""Precisions come from published checkpoints; anything else must be asked for."""

import pytest
from plan_cases import model

from inferometer.catalog.tables import formats
from inferometer.errors import CatalogError
from inferometer.plan.precision import provided


def test_only_published_formats_without_permission() -> None:
    found = provided(model(), formats())
    assert {item.precision.linear.key for item in found} == {"bf16", "fp8"}
    assert {item.precision.kv.key for item in found} == {"bf16", "fp8"}
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


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(CatalogError, match="int3"):
        provided(model(), formats(), requantise=("int3",))
