"""Naive twin of one step: scalar Python, layer by layer, rank by rank, from the model's records."""

import math

import numpy as np
import pytest
from perf_cases import deployment, machine

from inferometer.catalog.efficiency import efficiencies
from inferometer.deployment import Deployment
from inferometer.perf.counts import layer_counts
from inferometer.perf.rates import factor_keys, scales
from inferometer.perf.roofline import SHARPNESS, Batch, step_time


def rate(name: str, one: Deployment) -> float:
    keys = factor_keys(name, one.model, one.accelerator, one.precision, one.settings.engine)
    scale = scales(one.accelerator, one.precision).get(name, 1.0)
    return efficiencies()[name].value(keys) * scale


def mixed(compute: float, memory: float) -> float:
    return (compute**SHARPNESS + memory**SHARPNESS) ** (1 / SHARPNESS)


def naive_decode(  # noqa: PLR0915 - one statement a term: the obvious twin
    one: Deployment, sequences: int, context: float
) -> float:
    ranks, width = one.parallelism.tensor, one.precision.linear.bytes_per_element
    flop = moved = attention_flop = cache = written = 0.0
    expert_flop = expert_bytes = 0.0
    reductions = 0
    for group in layer_counts(one.model):
        for _ in range(group.count):
            weights = group.attention_weights + group.dense_weights
            flop += 2 * weights * sequences / ranks
            moved += weights * width / ranks
            seen = min(context, group.window or math.inf)
            attention_flop += group.context_flop * seen * sequences / ranks
            per_token = group.kv_elements * 2.0 / min(ranks, group.kv_heads)
            cache += per_token * seen * sequences
            written += per_token * sequences
            if group.experts:
                alone = 1 + (sequences - 1) * rate("routing_spread", one)
                missed = (1 - group.experts_active / group.experts) ** alone
                held = group.experts * group.expert_weights
                expert_bytes += held * width * (1 - missed) / ranks
                expert_flop += 2 * group.experts_active * group.expert_weights * sequences / ranks
            reductions += 2
    head = one.model.hidden * one.model.vocab
    linear = mixed(
        (flop + 2 * head * sequences / ranks) / rate("linear_compute", one),
        (moved + 2.0 * head / ranks) / rate("weight_bandwidth", one),
    )
    experts = mixed(
        expert_flop / rate("expert_compute", one), expert_bytes / rate("expert_bandwidth", one)
    )
    attention = max(
        attention_flop / rate("attention_compute", one),
        (cache + written) / rate("kv_bandwidth", one),
    )
    network = 0.0
    if ranks > 1:
        latency = rate("reduction_latency", one)
        latency += rate("reduction_rank_latency", one) * math.log2(ranks)
        message = sequences * 2 * one.model.hidden
        sent = 2 * (ranks - 1) / ranks * message
        wire = rate("link", one) * one.accelerator.link_bandwidth
        network = reductions * (latency + sent / wire)
    layers = sum(group.count for group in layer_counts(one.model))
    routed = sum(group.count for group in layer_counts(one.model) if group.experts)
    host = rate("step_overhead", one) + rate("layer_overhead", one) * layers
    host += rate("expert_overhead", one) * routed
    host += (rate("sequence_overhead", one) + rate("stream_overhead", one)) * sequences
    return linear + experts + attention + network + host


@pytest.mark.parametrize("sequences", [1, 7, 64, 300])
@pytest.mark.parametrize("tensor", [1, 4])
@pytest.mark.parametrize("name", ["llama-3.1-8b", "qwen3-30b-a3b", "gemma-3-27b", "mixtral-8x7b"])
def test_decode_step_equals_its_naive_twin(name: str, tensor: int, sequences: int) -> None:
    one, context = deployment(name, tensor=tensor), 3000.0
    built = machine(one)
    seen = np.minimum(context, np.array(built.shard.reaches))[:, None]
    step = step_time(
        Batch(sequences=np.array([float(sequences)]), context=seen, prefill=np.zeros(1),
              prefill_context=np.zeros_like(seen)), built,
    )  # fmt: skip
    assert step.total[0] == pytest.approx(naive_decode(one, sequences, context), rel=1e-9)
