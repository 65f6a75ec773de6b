"""Configurations as columns: what goes in as deployments comes out as the same deployments."""

from dataclasses import replace

import numpy as np
import pytest

from inferometer.candidates import one, table
from inferometer.catalog.models import Attention, AttentionKind, FeedForward, Layer, Model
from inferometer.catalog.tables import accelerator, engine, node, number_format
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.errors import ScenarioError

TINY = Model(
    key="tiny",
    name="Tiny",
    hidden=256,
    vocab=1000,
    max_context=4096,
    layers=(
        Layer(
            count=2,
            attention=Attention(
                kind=AttentionKind.FULL, query_heads=8, kv_heads=2, head_dim=32, value_dim=32
            ),
            feed_forward=FeedForward(width=512),
        ),
    ),
)


def deployment(gpu: str, tensor: int, weights: str = "bf16") -> Deployment:
    chip, served = accelerator(gpu), number_format(weights)
    return Deployment(
        model=TINY,
        accelerator=chip,
        node=node(gpu),
        parallelism=Parallelism(tensor=tensor),
        precision=Precision(linear=served, experts=served, kv=number_format("bf16")),
        settings=EngineSettings(
            engine=engine("vllm"), max_num_seqs=64, max_batched_tokens=2048, memory_fraction=0.9
        ),
        replicas=3,
    )


def test_a_table_returns_the_deployments_it_was_made_of() -> None:
    rows = [deployment("h100-sxm", 2), deployment("l4", 1), deployment("h100-sxm", 4, "fp8")]
    columns = table(rows)
    assert [columns.deployment(row) for row in range(len(rows))] == rows
    assert len(columns.accelerators) == 2


def test_taking_rows_keeps_their_order() -> None:
    columns = table([deployment("h100-sxm", size) for size in (1, 2, 4, 8)])
    assert columns.take(np.array([3, 0])).tensor.tolist() == [8, 1]
    assert columns.take(columns.tensor > 2).tensor.tolist() == [4, 8]


def test_accelerators_multiply_ranks_stages_and_copies() -> None:
    layout = Parallelism(tensor=4, pipeline=2, data=3)
    columns = one(replace(deployment("h100-sxm", 1), parallelism=layout))
    assert columns.accelerators_per_replica.tolist() == [24]
    assert columns.deployment(0).accelerators == 24 * 3


def test_a_table_needs_one_model() -> None:
    other = replace(deployment("l4", 1), model=replace(TINY, key="other"))
    with pytest.raises(ScenarioError, match="make one table for each"):
        table([deployment("l4", 1), other])


def test_a_rank_count_below_one_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"parallelism\.tensor is 0"):
        Parallelism(tensor=0)
