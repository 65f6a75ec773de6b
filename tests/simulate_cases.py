"""Inputs of the simulator's tests: a small deployment with little memory, and random traces."""

from dataclasses import replace

import numpy as np

from inferometer.catalog.architecture import Attention, AttentionKind, FeedForward, Layer, Model
from inferometer.catalog.tables import accelerator, engine, node, number_format
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.workload.trace import Prefixes, Trace


def model(*, window: int | None = None, experts: int = 0) -> Model:
    """Return a model of about 8e9 weights; half its layers see `window` tokens if one is given."""
    full = Attention(
        kind=AttentionKind.FULL, query_heads=32, kv_heads=8, head_dim=128, value_dim=128
    )
    near = full if window is None else replace(full, kind=AttentionKind.WINDOW, window=window)
    block = FeedForward(width=1792, experts=experts, experts_active=2) if experts else FeedForward(
        width=14336
    )  # fmt: skip
    layers = (
        Layer(count=16, attention=full, feed_forward=block),
        Layer(count=16, attention=near, feed_forward=block),
    )
    return Model(
        key="test-8b", name="Test 8B", hidden=4096, vocab=128256, max_context=131072, layers=layers
    )


def deployment(  # noqa: PLR0913 - each is a rule of the schedule
    *,
    replicas: int = 1,
    sequences: int = 8,
    budget: int = 256,
    fraction: float = 0.9,
    window: int | None = None,
    experts: int = 0,
    chunked: bool = True,
    block: int = 16,
    tensor: int = 1,
    gpu: str = "h100-sxm",
    hybrid: bool = True,
) -> Deployment:
    """Return a deployment of the model above; `fraction` sets how much memory is left for KV."""
    bf16 = number_format("bf16")
    known = replace(
        engine("vllm"), hybrid_allocator=hybrid, chunked_prefill=chunked, block_size=block
    )
    return Deployment(
        model=model(window=window, experts=experts),
        accelerator=accelerator(gpu),
        node=node(gpu),
        replicas=replicas,
        parallelism=Parallelism(tensor=tensor),
        precision=Precision(linear=bf16, experts=bf16, kv=bf16),
        settings=EngineSettings(
            engine=known,
            max_num_seqs=sequences,
            max_batched_tokens=budget,
            memory_fraction=fraction,
        ),
    )


def trace(seed: int, size: int, rate: float, *, longest: int = 600, output: int = 120) -> Trace:
    """Return random requests: Poisson arrivals, uniform lengths."""
    random = np.random.default_rng(seed)
    return Trace(
        arrival=np.cumsum(random.exponential(1 / rate, size)),
        input_tokens=random.integers(1, longest, size),
        output_tokens=random.integers(1, output, size),
        session=random.integers(0, 5, size),
    )


TOKENS = 64


def shared_prompts(seed: int, size: int, gap: float) -> Trace:
    """Return requests of a few conversations, each prompt a prefix of some length, then news."""
    random = np.random.default_rng(seed)
    rows = list[list[int]]()
    lengths, fresh = list[int](), 10**6
    for _ in range(size):
        topic, known, news = random.integers(0, 6), random.integers(0, 8), random.integers(1, 4)
        row = [int(topic) * 100 + place for place in range(known)]
        row += list(range(fresh, fresh + news))
        fresh += int(news)
        rows.append(row)
        lengths.append(len(row) * TOKENS - int(random.integers(0, TOKENS)))
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    hashes = np.array([item for row in rows for item in row])
    return Trace(
        arrival=np.arange(size, dtype=np.float64) * gap,
        input_tokens=np.array(lengths),
        output_tokens=random.integers(1, 100, size),
        prefixes=Prefixes(hashes=hashes, offsets=offsets, block_size=TOKENS),
    )
