"""Retrieval: prompts grow in a straight line, stages in steps."""

from dataclasses import replace
from functools import partial

import pytest
from perf_cases import deployment
from plan_cases import shape, slo, supply

from inferometer.account.bill import Tariff
from inferometer.catalog.efficiency import efficiencies
from inferometer.errors import ScenarioError
from inferometer.perf.predict import predict
from inferometer.plan.retrieval import Retrieval, Stage, rag_cost, stage_cost
from inferometer.plan.whatif.case import Case

EVALUATE = partial(predict, efficiencies=efficiencies())
INDEX = Stage(name="index", rate=100.0, price=1 / 3600, latency=0.02, memory=64e9)
RERANK = Stage(name="rerank", rate=900.0, price=2 / 3600, latency=0.04, calls=30, accelerators=1.0)
WAYS = Retrieval(passages=5, passage=512, stages=(INDEX, RERANK), chunks=1e6, chunk_bytes=6144)


def case(rate: float = 20.0) -> Case:
    return Case(
        deployment=deployment(), shape=shape(rate), slo=slo("ttft p99 <= 4 s"), evaluate=EVALUATE,
        price=supply("h100-sxm").price, site=Tariff(accelerator=None),
    )  # fmt: skip


def units(chunks: float) -> int:
    return stage_cost(INDEX, replace(WAYS, chunks=chunks), 50.0, 40.0, 1).units


def test_the_index_grows_in_whole_machines() -> None:
    assert [units(size) for size in (1e6, 10e6, 11e6, 21e6, 100e6)] == [1, 1, 2, 3, 10]
    held = stage_cost(INDEX, replace(WAYS, chunks=100e6), 50.0, 40.0, 1)
    assert held.because == "memory"
    assert held.cost == pytest.approx(10 / 3600)
    busy = stage_cost(INDEX, WAYS, 250.0, 100.0, 1)
    assert (busy.units, busy.because) == (3, "rate")
    assert busy.load == pytest.approx(250 / 300)


def test_three_way_split_adds_up() -> None:
    found = rag_cost(case(), WAYS)
    without, longer = found.per_request_without, found.per_request_long
    whole = found.per_request
    assert without is not None
    assert longer is not None
    assert whole is not None
    assert without <= longer < whole
    assert whole - longer == pytest.approx(sum(stage.per_request for stage in found.stages))
    assert found.long.ttft.p50 > found.without.ttft.p50
    assert found.added_latency == pytest.approx(0.06)
    ranks = [one.units for one in found.stages]
    assert ranks == [1, 1]
    assert found.accelerators == pytest.approx(1 + 1 / found.long.accelerators)


def test_retrieving_again_multiplies_calls_and_time() -> None:
    often = rag_cost(case(), replace(WAYS, stride=50.0))
    once = rag_cost(case(), WAYS)
    assert often.stages[0].latency == pytest.approx(5 * once.stages[0].latency)  # 250 tokens
    assert often.stages[1].units >= once.stages[1].units
    assert often.added_latency == once.added_latency  # before the first token: once


def test_bad_stages_are_refused() -> None:
    with pytest.raises(ScenarioError, match="stage free"):
        Stage(name="free", rate=0.0, price=1.0)
    with pytest.raises(ScenarioError, match="passages of at least 1"):
        replace(WAYS, passages=0)
