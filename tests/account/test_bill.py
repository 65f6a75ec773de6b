"""The bill of an outcome: parts, bases, classes of tokens, and what is unpriced."""

import datetime as dt
from dataclasses import replace

import pytest

from inferometer.account.api import api_cost
from inferometer.account.bill import Tariff, bill, prefill_share
from inferometer.account.energy import facility_energy
from inferometer.catalog.models import Attention, AttentionKind, FeedForward, Layer, Model
from inferometer.catalog.prices import AcceleratorPrice, TokenPrice
from inferometer.catalog.source import Evidence, Source
from inferometer.catalog.tables import accelerator, engine, node, number_format
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision
from inferometer.errors import ScenarioError
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


def test_rent_is_every_accelerator_for_the_whole_span() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.total == pytest.approx(4 * 2.0)
    assert found.power == 0


def test_busy_and_idle_add_up_and_follow_the_load() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.busy == pytest.approx(8.0 * 0.4)
    assert found.idle == pytest.approx(8.0 * 0.6)


def test_token_classes_add_up_to_the_bill_on_the_allocation_basis() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.allocation is not None
    paid = found.allocation.input * 3_000 * 3600 + found.allocation.output * 1_000 * 3600
    assert paid == pytest.approx(8.0)
    assert found.allocation.blended * 5_000 * 3600 == pytest.approx(8.0)
    # A quarter of the work above idle went into prompts.
    assert prefill_share(HOUR) == pytest.approx(0.25)
    assert found.allocation.input * 3_000 * 3600 == pytest.approx(2.0)


def test_usage_basis_leaves_idle_time_out() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.usage is not None
    assert found.allocation is not None
    assert found.usage.output == pytest.approx(0.4 * found.allocation.output)


def test_unpriced_stays_unpriced() -> None:
    found = bill(HOUR, DEPLOYMENT, Tariff(accelerator=None))
    assert (found.total, found.busy, found.idle) == (None, None, None)
    assert (found.allocation, found.usage) == (None, None)
    assert found.energy.total > 0


def test_power_paid_apart_is_metered_at_the_facility() -> None:
    tariff = Tariff(
        accelerator=PRICE,
        electricity=parse("0.10 USD/kWh", Unit("USD/J")),
        pue=1.5,
        carbon=parse("400 g/kWh", Unit("g/J")),
    )
    found = bill(HOUR, DEPLOYMENT, tariff)
    host = 4 * DEPLOYMENT.node.host_power / DEPLOYMENT.node.accelerators
    kwh = 1.5 * (3.6e6 / 3600 + host) / 1000
    assert found.power == pytest.approx(0.10 * kwh)
    assert found.carbon == pytest.approx(400 * kwh)


def test_a_pue_below_one_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"pue is 0\.9"):
        facility_energy(HOUR, accelerators=4, host_power=100, pue=0.9)


def test_an_outcome_without_prompts_puts_all_cost_on_output() -> None:
    bare = replace(HOUR, input_rate=0.0, cached_rate=0.0)
    found = bill(bare, DEPLOYMENT, Tariff(accelerator=PRICE))
    assert found.allocation is not None
    assert found.allocation.output * 1_000 * 3600 == pytest.approx(8.0)


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


def test_the_same_traffic_at_an_api() -> None:
    found = api_cost(HOUR, API)
    assert found.input == pytest.approx(3 * 3.6 * 1.0)
    assert found.cached == pytest.approx(1 * 3.6 * 0.1)
    assert found.output == pytest.approx(1 * 3.6 * 4.0)
    assert found.blended * 5_000 * 3600 == pytest.approx(found.total)


def test_an_api_without_a_cached_price_charges_the_full_one() -> None:
    found = api_cost(HOUR, replace(API, cached=None))
    assert found.cached == pytest.approx(1 * 3.6 * 1.0)
