"""The public Python API, end to end on a small trace: what a notebook would do."""

import datetime as dt
from functools import partial
from pathlib import Path

import pytest

import inferometer as im

ROWS = [f"2023-11-16 18:15:{i % 60:02d}.0000000,{300 + 7 * i},{40 + i}" for i in range(60)]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "azure.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(ROWS) + "\n")
    return path


def test_predict_and_bill_a_stated_deployment(trace: Path) -> None:
    bf16 = im.number_format("bf16")
    deployment = im.Deployment(
        model=im.model("Llama 3.1 8B"),
        accelerator=im.accelerator("H100 SXM"),
        node=im.node("H100 SXM"),
        parallelism=im.Parallelism(tensor=1),
        precision=im.Precision(linear=bf16, experts=bf16, kv=bf16),
        settings=im.EngineSettings(
            engine=im.engine("vllm"), max_num_seqs=256, max_batched_tokens=8192, memory_fraction=0.9
        ),
    )
    shape = im.shape_of(im.read(trace).trace)
    slo = im.parse_slo(["ttft p99 <= 2 s", "tpot p99 <= 50 ms"])
    prediction = im.predict(im.one(deployment), shape, efficiencies=im.efficiencies(), slo=slo)
    outcome = prediction.outcome(0)
    price = im.accelerator_price("h100-sxm", at=dt.date(2026, 10, 1))
    found = im.bill(outcome, deployment, im.Tariff(accelerator=price))
    assert 0.003 < outcome.tpot.mean < 0.03
    assert outcome.utilisation < 1
    assert price is not None
    assert found.total == pytest.approx(price.price * outcome.span)


def test_search_names_the_cheapest(trace: Path) -> None:
    which = im.model("Llama 3.1 8B")
    bf16 = im.number_format("bf16")
    supplies = [
        im.Supply(
            accelerator=im.accelerator(name),
            node=im.node(name),
            price=im.accelerator_price(im.accelerator(name).key, at=dt.date(2026, 10, 1)),
            available=8,
        )
        for name in ("h100-sxm", "l40s", "l4")
    ]
    choices = im.Choices(
        engines=(im.engine("vllm"),),
        precisions=(im.Precision(linear=bf16, experts=bf16, kv=bf16),),
    )
    slo = im.parse_slo(["ttft p99 <= 2 s", "tpot p99 <= 50 ms"])
    evaluate = partial(im.predict, efficiencies=im.efficiencies(), slo=slo)
    shape = im.shape_of(im.read(trace).trace)
    plan = im.search(im.build(which, supplies, choices), shape, slo, evaluate)
    costs = [option.cost for option in plan.alternatives if option.cost is not None]
    assert plan.best.cost == min(costs)
    assert plan.feasible + sum(plan.excluded.values()) == plan.enumerated


def test_errors_have_one_root() -> None:
    with pytest.raises(im.InferometerError, match="nearest"):
        im.model("Llama 3.1 8BB")
