"""An outcome, a deployment and prices with round figures, for tests of bills."""

import datetime as dt

from inferometer.catalog.models import Attention, AttentionKind, FeedForward, Layer, Model
from inferometer.catalog.prices import AcceleratorPrice, TokenPrice
from inferometer.catalog.source import Evidence, Source
from inferometer.catalog.tables import accelerator, engine, node, number_format
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.outcome import Counts, Energy, Latency, Outcome
from inferometer.units import Unit, parse

HERE = Source(source="this test", as_of=dt.date(2026, 1, 1), evidence=Evidence.ASSUMED)
LATENCY = Latency(mean=1, p50=1, p90=1, p99=1)
HOUR = Outcome(
    evidence=Evidence.PREDICTED,
    span=3600.0,
    ttft=LATENCY,
    tpot=LATENCY,
    itl=LATENCY,
    e2e=LATENCY,
    request_rate=4.0,
    input_rate=4_000.0,
    cached_rate=1_000.0,
    output_rate=1_000.0,
    capacity=10.0,
    utilisation=0.6,
    batch=16,
    kv_fraction=0.1,
    power=1_000.0,
    energy=Energy(prefill=6e5, decode=1.8e6, idle=1.2e6),
    counts=Counts(arrived=14_400, finished=14_400),
)
BF16 = number_format("bf16")
MODEL = Model(
    key="m",
    name="M",
    hidden=64,
    vocab=64,
    max_context=64,
    layers=(
        Layer(
            count=1,
            attention=Attention(kind=AttentionKind.FULL, query_heads=2, kv_heads=2, head_dim=32),
            feed_forward=FeedForward(width=64),
        ),
    ),
)
DEPLOYMENT = Deployment(
    model=MODEL,
    accelerator=accelerator("h100-sxm"),
    node=node("h100-sxm"),
    parallelism=Parallelism(tensor=2),
    precision=Precision(linear=BF16, experts=BF16, kv=BF16),
    settings=EngineSettings(
        engine=engine("vllm"), max_num_seqs=256, max_batched_tokens=8192, memory_fraction=0.9
    ),
    replicas=2,
)
PRICE = AcceleratorPrice(
    accelerator="h100-sxm",
    provider="test",
    commitment="on-demand",
    price=parse("2 USD/h", Unit("USD/s")),
    valid_from=dt.date(2026, 1, 1),
    source=HERE,
)


MTOK = Unit("USD/tok")
API = TokenPrice(
    model="m",
    provider="p",
    input=parse("1 USD/Mtok", MTOK),
    cached=parse("0.1 USD/Mtok", MTOK),
    output=parse("4 USD/Mtok", MTOK),
    valid_from=dt.date(2026, 1, 1),
    source=HERE,
)
