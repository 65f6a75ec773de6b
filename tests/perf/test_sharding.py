"""What a rank computes, reads and keeps, by layout and kind of attention."""

import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.deployment import Speculation
from inferometer.errors import ScenarioError
from inferometer.perf.sharding import Shard


def shard_of(name: str) -> Shard:
    return machine(deployment(name, "b200", tensor=8)).shard


def test_sparse_attention_reads_what_its_indexer_chose_and_keeps_everything() -> None:
    dense, sparse = shard_of("deepseek-v3.1"), shard_of("deepseek-v3.2")
    assert tuple(sparse.reaches) == (2048.0, np.inf)
    # Of 512 + 64 latent and 128 index elements, the index is read in full, the rest of 2,048.
    assert sparse.read_bytes[:, 0] == pytest.approx(
        dense.read_bytes[-1, 0] * np.array([1, 128 / 576])
    )
    assert sparse.kv_bytes[:, 0] == pytest.approx(dense.kv_bytes[-1, 0] * np.array([0, 704 / 576]))


def test_full_reach_is_always_there() -> None:
    assert tuple(shard_of("mistral-7b-v0.1").reaches) == (4096.0, np.inf)


def test_stages_on_other_nodes_are_reached_over_the_network() -> None:
    inside = machine(deployment("llama-3.1-70b", "h100-sxm", tensor=2, pipeline=4)).links
    across = machine(deployment("llama-3.1-70b", "h100-sxm", tensor=8, pipeline=2)).links
    assert inside.pipeline_bandwidth[0] == 450e9
    assert across.pipeline_bandwidth[0] == 50e9
    assert across.tensor_bandwidth[0] == 450e9


@pytest.mark.parametrize(("drafted", "accepted"), [(0, 0.5), (-2, 0.5), (3, 1.5), (3, -0.1)])
def test_a_speculation_that_cannot_be_is_refused(drafted: int, accepted: float) -> None:
    with pytest.raises(ScenarioError, match="speculation"):
        Speculation(draft_tokens=drafted, acceptance=accepted)
