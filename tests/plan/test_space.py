"""The search space: what is built, what is excluded, and why."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plan_cases import choices, model, supply

from inferometer.catalog.tables import engine, formats
from inferometer.errors import ScenarioError
from inferometer.plan.precision import provided
from inferometer.plan.space import build


def test_excluded_and_kept_add_up() -> None:
    which = model(heads=28)
    offers = [supply("h100-sxm"), supply("l40s", hourly=None)]
    space = build(which, offers, choices(which))
    assert sum(space.excluded.values()) + len(space.candidates) == space.enumerated
    assert space.unpriced == ("l40s",)


def test_tensor_ranks_divide_the_heads_and_stay_inside_the_link() -> None:
    which = model(heads=28)
    space = build(which, [supply("h100-sxm")], choices(which))
    assert set(space.candidates.tensor.tolist()) == {1, 2, 4}
    assert space.excluded["tensor ranks do not divide the heads"] > 0


def test_unpriced_is_counted_first_and_never_evaluated() -> None:
    which = model()
    space = build(which, [supply("l40s", hourly=None)], choices(which))
    assert space.excluded == {"unpriced accelerator": space.enumerated}


def test_supply_bounds_one_replica() -> None:
    which = model()
    space = build(which, [supply("h100-sxm", available=2)], choices(which))
    assert space.candidates.accelerators_per_replica.max() == 2
    assert (space.most_replicas >= 1).all()


def test_dense_models_have_no_expert_or_data_ranks() -> None:
    which = model()
    candidates = build(which, [supply("h100-sxm")], choices(which)).candidates
    assert not candidates.expert.any()
    assert (candidates.data == 1).all()


def test_sparse_models_spread_experts_evenly() -> None:
    which = model(experts=12)
    candidates = build(which, [supply("h100-sxm")], choices(which)).candidates
    ranks = (candidates.tensor * candidates.data)[candidates.expert]
    assert len(ranks)
    assert (12 % ranks == 0).all()


@pytest.mark.parametrize(
    "change", [{"engines": ()}, {"precisions": ()}, {"max_num_seqs": (0,)}, {"max_accelerators": 0}]
)
def test_choices_without_choice_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError):
        replace(choices(model()), **change)


def test_no_supply_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no accelerators"):
        build(model(), [], choices(model()))


def test_a_format_without_kernels_on_the_silicon_is_excluded() -> None:
    which = model()
    offers = [supply(key, hourly=2.0) for key in ("v100-sxm-32gb", "h100-sxm", "tpu-v6e")]
    space = build(which, offers, choices(which))
    chips = space.candidates.accelerator
    linear = np.array([p.linear.key for p in space.candidates.precisions])
    used = {
        offers[chip].accelerator.key: set(linear[space.candidates.precision[chips == chip]])
        for chip in range(3)
    }
    assert used["h100-sxm"] == {"bf16", "fp8"}
    assert used["tpu-v6e"] == {"bf16"}
    assert not used["v100-sxm-32gb"]  # before Ampere 16 bit means fp16
    assert space.excluded["no kernels for the number format"] > 0


def test_before_ampere_weights_and_cache_are_fp16() -> None:
    which = model()
    half = provided(which, formats(), kv=("fp16",), requantise=("fp16",))
    chosen = replace(choices(which), precisions=tuple(item.precision for item in half))
    space = build(which, [supply("v100-sxm-32gb", hourly=2.0)], chosen)
    assert len(space.candidates) > 0
    used = [space.candidates.precisions[at] for at in set(space.candidates.precision.tolist())]
    assert {(p.linear.key, p.kv.key) for p in used} == {("fp16", "fp16")}


def test_an_engine_runs_only_on_its_makers_accelerators() -> None:
    which = model()
    chosen = replace(choices(which), engines=(engine("trtllm"),))
    space = build(which, [supply("h100-sxm"), supply("mi300x", hourly=2.0)], chosen)
    assert set(space.candidates.accelerator.tolist()) == {0}
    assert space.excluded["engine does not run on the accelerator"] > 0
