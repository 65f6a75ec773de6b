"""Inputs of the planner's tests: a small model, three accelerators, a workload, an evaluator."""

import datetime as dt

import numpy as np

from inferometer.candidates import Candidates
from inferometer.catalog.models import (
    Attention,
    AttentionKind,
    Checkpoint,
    FeedForward,
    Layer,
    Model,
)
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.catalog.source import Source
from inferometer.catalog.tables import accelerator, engines, formats, node
from inferometer.perf.prediction import Depth, Prediction
from inferometer.plan.precision import provided
from inferometer.plan.replicas import Evaluate
from inferometer.plan.space import Choices, Supply
from inferometer.workload.shape import Shape
from inferometer.workload.slo import Slo, parse_target

DAY = dt.date(2026, 11, 1)
HOURLY = {"h100-sxm": 3.0, "l40s": 1.0, "a100-sxm-80gb": 1.6}


def model(*, experts: int = 0, heads: int = 32) -> Model:
    """Return a model of about 8e9 weights, or a sparse one with `experts`."""
    attention = Attention(
        kind=AttentionKind.FULL, query_heads=heads, kv_heads=8, head_dim=128, value_dim=128
    )
    block = FeedForward(width=1792, experts=experts, experts_active=2) if experts else FeedForward(
        width=14336
    )  # fmt: skip
    return Model(
        key="test-8b",
        name="Test 8B",
        hidden=4096,
        vocab=128256,
        max_context=131072,
        layers=(Layer(count=32, attention=attention, feed_forward=block),),
        checkpoints=(Checkpoint(name="test/8b"), Checkpoint(name="test/8b-fp8", linear="fp8")),
    )


def supply(key: str, *, available: int = 64, hourly: float | None = 0.0) -> Supply:
    """Return an accelerator on offer; `hourly` None is unpriced, 0 takes the price above."""
    price = None
    if hourly is not None:
        price = AcceleratorPrice(
            accelerator=key,
            provider="test",
            commitment="on-demand",
            price=(hourly or HOURLY[key]) / 3600,
            valid_from=DAY,
            source=Source(source="test", as_of=DAY),
        )
    return Supply(accelerator=accelerator(key), node=node(key), price=price, available=available)


def choices(which: Model, *, small: bool = True) -> Choices:
    """Return few settings, or the planner's own."""
    precisions = tuple(weights.precision for weights in provided(which, formats()))
    known = (engines()["vllm"],)
    if not small:
        return Choices(engines=known, precisions=precisions)
    return Choices(
        engines=known, precisions=precisions, max_num_seqs=(16, 128), max_batched_tokens=(512, 8192)
    )


def shape(rate: float = 20.0, *, burstiness: float = 1.0) -> Shape:
    """Return an hour of requests, peak 1.5 x the mean."""
    return Shape(
        name="test",
        requests=rate * 3600,
        span=3600.0,
        rate=rate,
        peak_rate=1.5 * rate,
        series=np.full(60, rate),
        bin_width=60.0,
        burstiness=burstiness,
        inputs=np.array([200.0, 800.0, 1500.0, 4000.0]),
        outputs=np.array([50.0, 150.0, 300.0, 500.0]),
    )


def slo(*targets: str) -> Slo:
    """Return the objectives that `targets` state."""
    return Slo(targets=tuple(parse_target(target) for target in targets))


def evaluator() -> Evaluate:
    """Return an evaluator simple enough to reason about: an M/M/1 queue per replica.

    It stands in for `perf`, whose own tests are elsewhere: the planner takes what predicts as an
    argument, and its laws must hold for anything that gets no slower at less load.
    """
    return predict


def predict(candidates: Candidates, shape: Shape, *, depth: Depth = Depth.ENERGY) -> Prediction:
    """Return times that fall with tensor ranks and bandwidth and grow with the load.

    Every depth gets the whole.
    """
    del depth
    chip = candidates.accelerator
    bandwidth = np.array([item.memory_bandwidth for item in candidates.accelerators])[chip]
    memory = np.array([item.memory for item in candidates.accelerators])[chip]
    tdp = np.array([item.tdp for item in candidates.accelerators])[chip]
    each = np.array([item.linear.bytes_per_element for item in candidates.precisions])
    weights = 8e9 * each[candidates.precision] / (candidates.tensor * candidates.pipeline)
    step = 2e-3 + weights * candidates.pipeline / bandwidth + 2e-5 * candidates.max_num_seqs
    capacity = candidates.max_num_seqs * candidates.data / (step * shape.mean_output)
    load = shape.peak_rate / (capacity * candidates.replicas)
    with np.errstate(divide="ignore"):
        wait = np.where(load < 1, step / np.maximum(1 - load, 1e-300), np.inf)
    first = (
        20 * wait + shape.mean_input * candidates.pipeline / candidates.max_batched_tokens * step
    )
    token = np.where(load < 1, step * (0.5 + load / 2), np.inf)
    spread = np.array([1.0, 0.7, 2.3, 4.6])
    fits = weights < 0.9 * memory
    nan = np.where(fits, 1.0, np.nan)
    total = candidates.accelerators_per_replica * candidates.replicas
    mean = load * shape.rate / shape.peak_rate
    power = total * tdp * (0.1 + 0.6 * np.minimum(mean, 1.0))
    flat = np.ones(len(candidates))
    return Prediction(
        shape=shape,
        fits=fits,
        ttft=first[:, None] * spread * nan[:, None],
        tpot=token[:, None] * (0.9 + 0.1 * spread) * nan[:, None],
        itl=token[:, None] * spread * nan[:, None],
        e2e=(first + token * shape.mean_output)[:, None] * spread * nan[:, None],
        capacity=capacity * candidates.replicas * nan,
        utilisation=load * nan,
        mean_utilisation=mean * nan,
        batch=load * candidates.max_num_seqs,
        kv_fraction=np.minimum(load, 1.0),
        kv_tokens=1e5 * flat,
        power=power * nan,
        energy_prefill=0.2 * power * shape.span,
        energy_decode=0.6 * power * shape.span,
        energy_idle=0.2 * power * shape.span,
        cached_fraction=0.0 * flat,
        goodput_fraction=flat,
        binding=np.ones(len(candidates), np.int64),
        constraints=("compute", "memory bandwidth"),
    )
