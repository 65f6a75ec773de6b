from dataclasses import replace

import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.deployment import Deployment
from inferometer.perf.roofline import Batch, Machine, StepTime, soft_max, step_time


def decode(one: Machine | Deployment, sequences: float, context: float = 1000.0) -> StepTime:
    built = machine(one) if isinstance(one, Deployment) else one
    rows = len(built.shard.reaches)
    return step_time(
        Batch(
            sequences=np.array([sequences]),
            context=np.full((rows, 1), context),
            prefill=np.zeros(1),
            prefill_context=np.zeros((rows, 1)),
        ),
        built,
    )


def test_parts_add_up_to_the_total() -> None:
    step = decode(deployment(), 32)
    parts = step.linear + step.experts + step.attention + step.network + step.overhead
    assert step.total == pytest.approx(parts)


def test_one_sequence_reads_every_weight_once() -> None:
    built = machine(deployment())
    step = decode(built, 1, context=1.0)
    weights = built.shard.linear_bytes + built.shard.head_bytes
    assert step.linear[0] == pytest.approx((weights / built.rates.weight_bandwidth)[0], rel=1e-3)
    assert weights[0] == pytest.approx(2 * (8.03e9 - 128256 * 4096), rel=0.01)  # 16 bit, no input


def test_network_needs_two_ranks() -> None:
    assert decode(deployment(), 8).network[0] == 0
    assert decode(deployment(tensor=2), 8).network[0] > 0


def test_attention_is_linear_in_context() -> None:
    # not binary equal: the KV write of the new token is a constant
    one, two, three = (decode(deployment(), 64, c).attention[0] for c in (1e3, 2e3, 3e3))
    assert three - two == pytest.approx(two - one)


def test_prompt_steps_wait_for_launches_and_decode_steps_do_not() -> None:
    built = machine(deployment())
    rows = len(built.shard.reaches)
    short = step_time(
        Batch(sequences=np.zeros(1), context=np.zeros((rows, 1)), prefill=np.ones(1),
              prefill_context=np.ones((rows, 1))), built,
    )  # fmt: skip
    launches = built.rates.eager_overhead[0] * built.shard.layers
    assert short.total[0] >= launches
    assert decode(built, 1).overhead[0] < launches


def test_offline_batches_stream_nothing() -> None:
    built = machine(deployment())
    online, offline = decode(built, 100), decode(replace(built, streaming=False), 100)
    saved = 100 * built.rates.stream_overhead[0]
    assert online.total[0] - offline.total[0] == pytest.approx(saved)


def test_experts_touched_grow_with_tokens_up_to_all() -> None:
    few, many, most = (decode(deployment("qwen3-30b-a3b"), n).experts[0] for n in (1, 64, 1024))
    assert few < many < most


def test_whole_experts_wait_for_the_busiest_rank() -> None:
    # 128 experts on 4 ranks: few tokens leave ranks unlike, many touch every expert of each.
    cut, whole = (deployment("qwen3-30b-a3b", tensor=4, expert=e) for e in (False, True))
    few, many = 2, 4096
    assert decode(whole, few).memory[0] > decode(cut, few).memory[0]
    assert decode(whole, many).memory[0] == pytest.approx(decode(cut, many).memory[0])


def test_tensor_ranks_alone_exchange_no_tokens() -> None:
    alone = deployment("qwen3-30b-a3b", expert=True, tensor=4)
    apart = deployment("qwen3-30b-a3b", expert=True, data=4)
    assert machine(alone).links.exchanges[0] == 0
    assert machine(alone).links.reductions[0] == 2 * machine(alone).shard.layers
    assert machine(apart).links.exchanges[0] == 2 * machine(apart).shard.moe_layers


def test_soft_max_is_between_hard_and_sum() -> None:
    a, b = np.array([1.0, 2.0, 0.0]), np.array([1.0, 0.5, 3.0])
    mixed = soft_max(a, b)
    assert np.all(mixed >= np.maximum(a, b))
    assert np.all(mixed <= a + b)


def test_the_host_schedules_every_lane_of_a_pipeline() -> None:
    alone = machine(deployment("llama-3.1-70b", tensor=4))
    staged = machine(deployment("llama-3.1-70b", tensor=4, pipeline=2))
    rate = alone.rates
    host = rate.step_overhead + 32 * (rate.sequence_overhead + rate.stream_overhead)
    more = decode(staged, 32).overhead - decode(alone, 32).overhead
    assert more == pytest.approx(host)
